"""The examples of the documentation, run as it says: each decision is one trace, with what explains it and what was said of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from conventions.scenarios.receiver import Receiver
from tests.integration.real_servers import eventually, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXAMPLES = Path(__file__).parents[2] / "examples"
REVIEW = "a wonderful film with a dull and secret ending"


@pytest.fixture(name="receiver")
def _receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A real OTLP receiver, and an environment in which everything is sent there."""
    receiver = Receiver()
    for name, value in {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        # What is not acknowledged in time is sent again, and would be there twice.
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
    }.items():
        monkeypatch.setenv(name, value)
    yield receiver
    receiver.close()


def instrumented(*command: str) -> list[str]:
    """Return *command* of this environment under `opentelemetry-instrument`."""
    binaries = Path(sys.executable).parent
    return [str(binaries / "opentelemetry-instrument"), str(binaries / command[0]), *command[1:]]


def spans(receiver: Receiver) -> dict[str, list[Any]]:
    """Return what arrived, by the name of the span."""
    found: dict[str, list[Any]] = {}
    for request in receiver.requests:
        if isinstance(request, ExportTraceServiceRequest):
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found.setdefault(span.name, []).append(span)
    return found


def events(receiver: Receiver) -> dict[str, list[Any]]:
    """Return the log records that arrived, by their event's name."""
    found: dict[str, list[Any]] = {}
    for request in receiver.requests:
        if isinstance(request, ExportLogsServiceRequest):
            for resource in request.resource_logs:
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        found.setdefault(record.event_name, []).append(record)
    return found


def fact(record: Any, key: str) -> Any:
    """Return the attribute *key* of a span or a log record; None where it has none."""
    for attribute in record.attributes:
        if attribute.key == key:
            return getattr(attribute.value, attribute.value.WhichOneof("value"))
    return None


def posted(port: int, path: str, content: dict[str, str]) -> bytes:
    """Return what the service answers to *content*."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=json.dumps(content).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked) as answer:
        body: bytes = answer.read()
    return body


@contextmanager
def sentiment_service(folder: Path) -> Iterator[int]:
    """Run the Flask service as its README says, and return its port."""
    port = free_port()
    app = str(EXAMPLES / "sentiment" / "service.py")
    command = instrumented("flask", "--app", app, "run", "--port", str(port))

    def is_up() -> bool:
        try:
            posted(port, "/feedback", {"prediction": "of-nothing", "sentiment": "friendly"})
        except OSError:
            return False
        return True

    with running(command, ready=is_up, log=folder / "flask.log"):
        yield port


def test_a_review_is_one_trace_and_can_be_talked_about(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inference is a child of its request; explanation and feedback, sent later and in another request, are in its trace."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT", "event_only")
    with sentiment_service(tmp_path) as port:
        answer = json.loads(posted(port, "/sentiment", {"text": REVIEW}))
        posted(port, "/feedback", {"prediction": answer["prediction"], "sentiment": "unfriendly"})
        found = eventually(
            lambda: events(receiver), lambda e: len(e.get("ml.feedback", [])) > 1, 60
        )
        told = {"predict review-sentiment", "POST /sentiment"}
        eventually(lambda: set(spans(receiver)), told.issubset, 60)

    (inference,) = spans(receiver)["predict review-sentiment"]
    (request,) = spans(receiver)["POST /sentiment"]
    assert (inference.trace_id, inference.parent_span_id) == (request.trace_id, request.span_id)
    assert fact(inference, "ml.prediction.label") == answer["sentiment"]
    assert fact(inference, "ml.prediction.confidence") == pytest.approx(
        answer["confidence"], abs=1e-4
    )
    (explanation,) = found["ml.explanation"]
    feedback = next(event for event in found["ml.feedback"] if event.trace_id == inference.trace_id)
    for event in (explanation, feedback):
        assert (event.trace_id, event.span_id) == (inference.trace_id, inference.span_id)
    assert fact(feedback, "ml.feedback.label") == "unfriendly"
    words = {pair.key for pair in fact(explanation, "ml.explanation.attributions").values}
    assert words == {"wonderful", "film", "dull", "and"}


@pytest.mark.usefixtures("receiver")
def test_the_service_answers_what_its_page_shows(tmp_path: Path) -> None:
    """The review that the page sends gets the answer that the page shows, apart from the id."""
    page = (EXAMPLES / "sentiment" / "README.md").read_text()
    (asked,) = re.findall(r"-d '(.*)'", page)
    (shown,) = re.findall(r"```json\n(.*)\n```", page)
    with sentiment_service(tmp_path) as port:
        answer = json.loads(posted(port, "/sentiment", json.loads(asked)))
    expected = json.loads(shown)
    assert answer["sentiment"] == expected["sentiment"]
    assert answer["confidence"] == pytest.approx(expected["confidence"], abs=0.001)


def test_by_default_no_word_of_a_review_leaves(receiver: Receiver, tmp_path: Path) -> None:
    """Neither the text nor the words that decided, on no span and in no event."""
    with sentiment_service(tmp_path) as port:
        posted(port, "/sentiment", {"text": REVIEW})
        eventually(lambda: spans(receiver), lambda s: "predict review-sentiment" in s, 60)

    assert "predict review-sentiment" in spans(receiver)
    sent = b"".join(request.SerializeToString() for request in receiver.requests)
    for word in REVIEW.split():
        if len(word) > 3:
            assert word.encode() not in sent


def test_a_decision_by_three_models_over_a_queue_is_one_trace(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the application over the queue to each of the three models, and the explanation: one trace; the odd one ends at the first."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT", "event_only")
    done = subprocess.run(
        instrumented("python", str(EXAMPLES / "loan" / "decide.py")),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    granted, refused = map(json.loads, done.stdout.splitlines())
    assert granted["granted"]
    assert not refused["granted"]

    found = spans(receiver)
    first, second = sorted(found["loan application"], key=lambda span: span.start_time_unix_nano)
    assert names_in(found, first.trace_id) == [
        "decide",
        "explain loan-credit",
        "loan application",
        "predict loan-credit",
        "predict loan-fraud",
        "predict loan-interest",
    ]
    assert names_in(found, second.trace_id) == ["decide", "loan application", "predict loan-fraud"]
    (explanation,) = events(receiver)["ml.explanation"]
    assert explanation.trace_id == first.trace_id
    told = fact(explanation, "ml.explanation.attributions").values
    assert {pair.key for pair in told} == {"income", "debt", "age", "amount"}


def names_in(found: dict[str, list[Any]], trace_id: bytes) -> Sequence[str]:
    """Return the names of all spans of a trace, in alphabetical order, each as often as it is there."""
    return sorted(
        name for name, several in found.items() for span in several if span.trace_id == trace_id
    )
