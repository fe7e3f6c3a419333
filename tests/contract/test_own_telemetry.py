"""What we emit ourselves keeps to the conventions: judged as anybody's telemetry is, by a receiver of the real bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import grpc
import numpy as np
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sklearn.linear_model import LinearRegression, LogisticRegression

from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import MlVerdictConfidenceValues, MlVerdictDriftValues
from otel_ml_conventions.metrics import DEFINITIONS
from otel_ml_processor.assess.reading import Change
from otel_ml_processor.assess.verdict import Verdict, Verdicts
from otel_ml_processor.commands.live_check import LiveCheck
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.emit.annotations import annotate, verdict_spans
from otel_ml_processor.emit.events import drift_attributes, warning
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.otlp import Identity, metrics_requests
from otel_ml_processor.forward.otlp_client import LOGS, METRICS, TRACES
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.service import new_self_metrics
from tests.data.telemetry import traces
from tests.unit.processor.emit import sample_readings as samples

IDENTITY = Identity("one", "1.2.3")
VERDICT = Verdict(
    MlVerdictConfidenceValues.LOW.value,
    MlVerdictDriftValues.DRIFTING.value,
    ("low_confidence", "missing:age"),
    "sha256:ab",
)
CHANGE = samples.change_of(samples.drifting_reading(), samples.TEMP, samples.DEWP)


@pytest.fixture(name="check")
def _check() -> Iterator[LiveCheck]:
    check = LiveCheck("127.0.0.1:0", "127.0.0.1:0")
    check.start()
    yield check
    check.stop()


def send(check: LiveCheck, method: str, request: bytes) -> None:
    """Send *request* by gRPC."""
    with grpc.insecure_channel(check.grpc_endpoint) as channel:
        channel.unary_unary(method)(request, timeout=60, wait_for_ready=True)


def findings(check: LiveCheck) -> list[str]:
    """Return what was found, advice too."""
    return [str(found) for found in check.tally.found()]


def seen(check: LiveCheck) -> Counter[str]:
    """Return which signals were seen how often."""
    return Counter({item.signal: item.times for item in check.tally.coverage() if item.times})


def verdict_request() -> bytes:
    """Return the child span of a flagged inference."""
    spans = PlainDecoder(lambda _: None).decode(traces().SerializeToString()).spans
    return verdict_spans(spans, {0: VERDICT})


def annotated_request() -> bytes:
    """Return the span of an inference with a verdict on it."""
    request = traces().SerializeToString()
    spans = PlainDecoder(lambda _: None).decode(request).spans
    verdicts = Verdicts(len(spans))
    verdicts.codes[:] = verdicts.number((VERDICT,))
    return annotate(spans, verdicts, 1 << 20, SelfMetrics({}))


def event_request(change: Change) -> bytes:
    """Return the alarm of *change*."""
    about = drift_attributes(change, "it drifts", effect_floor=0.01)
    return warning(about, change.reading.window.end_ns, IDENTITY, samples.NOW_NS)


def book_requests() -> list[bytes]:
    """Return all metrics of a stream that drifts, of one without version and environment, and of the processor itself."""
    book = MetricBook(
        windows=["1h"],
        scores=["psi", "jensen_shannon"],
        self_metrics=new_self_metrics(),
        clock_ns=lambda: samples.NOW_NS,
    )
    book.register(samples.STREAM, samples.profile(), {"1h": 0.004})
    for stream in (samples.STREAM, samples.NAMELESS):
        reading = replace(samples.drifting_reading(), stream=stream)
        book.update(reading, replace(CHANGE, reading=reading))
        book.set_totals(stream, {"late": 12, "on_time": 3}, 2)
    book.set_window_lag(1.5)
    book.set_dedupe_horizon(600.0)
    return metrics_requests(book.collect(), IDENTITY, samples.NOW_NS)


def test_the_processor_s_metrics_keep_to_the_conventions(check: LiveCheck) -> None:
    """Every instrument, unit, type and attribute of the book, with and without version and environment."""
    for request in book_requests():
        send(check, METRICS, request)

    of_windows = {name for name in DEFINITIONS if name.startswith(("ml.drift.", "ml.confidence."))}
    assert findings(check) == []
    assert len({f"metric {name}" for name in of_windows} & set(seen(check))) >= 10


@pytest.mark.parametrize("targets", [(samples.TEMP, samples.DEWP), (samples.PREDICTION,)])
def test_the_alarm_keeps_to_the_conventions(check: LiveCheck, targets: tuple[object, ...]) -> None:
    """Of features and of the prediction."""
    change = samples.change_of(samples.drifting_reading(), *targets)  # type: ignore[arg-type] # readings of targets

    send(
        check,
        LOGS,
        event_request(change),
    )

    assert (findings(check), seen(check)) == ([], Counter({"event ml.drift.detected": 1}))


def test_verdicts_keep_to_the_conventions(check: LiveCheck) -> None:
    """Spliced onto the inference, and as a child beside it."""
    send(check, TRACES, annotated_request())
    send(check, TRACES, verdict_request())

    assert findings(check) == []
    assert seen(check) == {"span ml.inference": 1, "span ml.verdict": 1}


def test_our_schema_url_is_on_scopes_only() -> None:
    """On the resource it would drop somebody else's: of metrics, alarms and verdicts alike."""
    metrics = [ExportMetricsServiceRequest.FromString(request) for request in book_requests()]
    groups = [
        *(group for request in metrics for group in request.resource_metrics),
        *ExportLogsServiceRequest.FromString(event_request(CHANGE)).resource_logs,
        *ExportTraceServiceRequest.FromString(verdict_request()).resource_spans,
    ]

    assert len(groups) >= 3
    assert {group.schema_url for group in groups} == {""}


@pytest.fixture(name="everything")
def _everything() -> Iterator[Capture]:
    with capture(Settings(capture_content="span_only", capture_outputs="full")) as everything:
        yield everything


def test_calls_of_models_keep_to_the_conventions(everything: Capture) -> None:
    """One row and many, named and unnamed, classes and numbers, with content, and a call that fails."""
    rows = np.random.default_rng(1).normal(size=(60, 3))
    classifier = LogisticRegression().fit(rows, (rows[:, 0] > 0).astype(int))
    regression = LinearRegression().fit(rows, rows[:, 0])

    for sample in (rows[:1], rows):
        classifier.predict(sample)
        classifier.predict_proba(sample)
        classifier.decision_function(sample)
        regression.predict(sample)
    with pytest.raises(ValueError, match="NaN"):
        regression.predict([[float("nan")] * 3])

    assert list(map(str, everything.conformance.findings)) == []
    coverage = {item.signal: item for item in everything.conformance.tally.coverage()}
    assert coverage["span ml.inference"].times == 9
    assert {"error.type", "ml.input.values", "ml.input.rows", "ml.prediction.probabilities"} <= set(
        coverage["span ml.inference"].seen
    )
    assert "error.type" in coverage["metric ml.inference.duration"].seen
