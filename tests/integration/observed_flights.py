"""
The whole stack with rules and exemplars, after flights of two versions and two environments have gone through it.

Three portions of spans go through the real collector, the processor in line, the collector again, into the real Jaeger; each waits
until a window has closed over the one before, so that what a span is told does not depend on time. Then the unchanged service answers.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.integration.flights import FOLDER, span_of
from tests.integration.real_servers import eventually, find_tool
from tests.unit.processor.otlp_requests import attribute, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["EXPORT", "REQUESTS", "ROWS", "SERVICE", "Observed", "Sent", "observed_flights"]

SERVICE = "late-arrivals"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
ROWS = 250
"""Of a window, of a portion, and of what staging and version 2 get."""
PORTIONS = 3
REQUESTS = 20
"""What the service is asked, twice."""
PER_REQUEST = 50


@dataclass(frozen=True)
class Sent:
    """One inference that was sent: its place in the stream, its environment, and the span."""

    portion: int
    environment: str
    span: Span

    @property
    def trace_id(self) -> str:
        """The id of its trace, as Jaeger writes it; every span has a trace of its own."""
        return self.span.trace_id.hex()

    @property
    def said(self) -> dict[str, Any]:
        """What its attributes say."""
        return {
            one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
            for one in self.span.attributes
        }


@dataclass
class Observed:
    """The running servers, the reference, and what was sent."""

    at: Any
    profile: dict[str, Any]
    begin_ns: int
    sent: list[Sent] = field(default_factory=list, repr=False)

    @property
    def now_s(self) -> float:
        """The time, in seconds since 1970."""
        return time.time()

    def sent_to(self, environment: str, version: str) -> list[Sent]:
        """Return the inferences of one stream."""
        return [
            one
            for one in self.sent
            if one.environment == environment and one.said.get("ml.model.version") == version
        ]

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return what Prometheus answers; its complaint is shown where it cannot."""
        url = f"http://{self.at.prometheus}/api/v1/query"
        answer = httpx.get(url, params={"query": promql}, timeout=60, trust_env=False)
        assert answer.status_code == 200, f"{promql}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def value(self, promql: str) -> float:
        """Return the one number that *promql* gives, 0 where it gives nothing."""
        found = self.query(promql)
        return float(found[0]["value"][1]) if found else 0.0

    def search(self, **asked: str | int) -> list[dict[str, Any]]:
        """Return the traces that Jaeger finds; by default of the service, in the hour around the test."""
        params = {
            "service": SERVICE,
            "limit": 5000,
            "start": self.begin_ns // 1000 - 3_600_000_000,
            "end": time.time_ns() // 1000 + 60_000_000,
            **asked,
        }
        url = f"http://{self.at.jaeger_query}/api/traces"
        answer = httpx.get(url, params=params, timeout=60, trust_env=False)
        assert answer.status_code == 200, f"{asked}: {answer.text}"
        return answer.json()["data"] or []


@contextmanager
def observed_flights(folder: Path) -> Iterator[Observed]:
    """Start everything, send what is described above, and hold it until the block is left."""
    servers = {
        name: find_tool(name) for name in ("otelcol", "jaeger", "prometheus", "alertmanager")
    }
    import prepare
    import processes
    import stack

    prepare.prepare(FOLDER, print)
    files = stack.Files(FOLDER / "model.joblib", FOLDER / "profile.json", folder)
    at = stack.free_addresses()
    parts = stack.parts_with_servers(at, files, ROWS, servers)
    _quicken(folder / "prometheus.yaml")
    with processes.Processes(folder / "logs") as started:
        started.start(*(_extended(part, folder) for part in parts))
        observed = Observed(at, json.loads(files.profile.read_text()), time.time_ns())
        for portion in range(PORTIONS):
            _send_portion(observed, portion)
        _send_labels(observed)
        _send_remarkable(observed)
        for _ in range(2):
            _ask_the_service(observed)
        yield observed


def _quicken(configuration: Path) -> None:
    """Let Prometheus scrape and evaluate every second."""
    text = configuration.read_text()
    assert text.count("_interval: 5s\n") == 2
    configuration.write_text(text.replace("_interval: 5s\n", "_interval: 1s\n"))


def _extended(part: Any, folder: Path) -> Any:
    """Return *part* of the demo with what the dashboards show beyond it: a state, bins, segments, numbers every second."""
    more = {
        "processor": (
            *("--set", f"state.directory={folder / 'state'}"),
            *("--set", "state.interval=1s"),
            *("--set", "emit.feature_bins=true"),
            *("--set", "segments.attributes=[origin]"),
        ),
    }
    quick = {"service": {"OTEL_METRIC_EXPORT_INTERVAL": "1000"}}
    return replace(
        part,
        command=(*part.command, *more.get(part.name, ())),
        environment={**part.environment, **quick.get(part.name, {})},
    )


def _send_portion(observed: Observed, portion: int) -> None:
    """Send a window of each stream, and wait until Prometheus has recorded that it has closed."""
    for position, (environment, version) in enumerate(
        [("production", "1"), ("staging", "1"), ("production", "2")]
    ):
        late = np.random.default_rng([portion, position]).uniform(size=ROWS).round(6)
        if environment == "staging":
            late **= 2  # so it predicts "on time" in 71 of 100 cases, and production in 50
        first = (portion * 3 + position) * ROWS
        _send(observed, portion, environment, version, first, late)
    counted = (portion + 1) * ROWS * 3
    wanted = {
        'sum(max by (__name__, deployment_environment_name, ml_model_version, ml_prediction_label) (ml_prediction_samples_total{job="otel-ml"}))': counted,
        f'count(ml_drift_window_samples{{job="otel-ml"}} == {ROWS})': 3,
        'sum(ml_drift_detections_total{job="otel-ml",ml_drift_target="feature"}) > bool 0': 1,
    }
    for promql, value in wanted.items():
        _await_value(observed, promql, value)


def _await_value(observed: Observed, promql: str, wanted: float) -> None:
    found = eventually(lambda: observed.value(promql), lambda value: value == wanted, 60)
    assert found == wanted, f"{promql}: {found}"


def _send(
    observed: Observed, portion: int, environment: str, version: str, first: int, late: Any
) -> None:
    import departures
    import plan
    import play

    flights = plan.rest_of_the_year(departures.departures()).iloc[first :: 275_000 // ROWS][:ROWS]
    now_ns = time.time_ns()
    sent = []
    for i, (body, probability) in enumerate(zip(play.requests_for(flights), late, strict=True)):
        span = span_of(first + i, body, float(probability), now_ns - (ROWS - i) * 1_000_000)
        # Every input is said to come twice in a row, and is answered as the two flights are.
        span.attributes.append(attribute("ml.input.hash", f"b2:{i // 2 + 1:016x}"))
        sent.append(Sent(portion, environment, _of_version(span, version)))
    _export(observed, sent)


def _of_version(span: Span, version: str) -> Span:
    """Return *span* in a trace of its own, of *version*, with what the service would say of its certainty."""
    span.trace_id = b"\1" + span.span_id.rjust(15, b"\0")
    said = {one.key: one.value for one in span.attributes}
    said["ml.model.version"].string_value = version
    if "ml.prediction.id" not in said:
        span.attributes.append(attribute("ml.prediction.id", f"flight-{span.span_id.hex()}"))
    confidence = said["ml.prediction.confidence"].double_value
    both = np.array([confidence, 1 - confidence])
    entropy = float(-(both * np.log2(both.clip(1e-12))).sum())
    span.attributes.append(attribute("ml.prediction.entropy", entropy))
    span.attributes.append(attribute("ml.prediction.margin", 2 * confidence - 1))
    return span


def _send_labels(observed: Observed) -> None:
    """Send what became of the first window of production: every fifth prediction was wrong."""
    other = {"late": "on_time", "on_time": "late"}
    labels = []
    for number, one in enumerate(observed.sent_to("production", "1")[:ROWS]):
        predicted = one.said["ml.prediction.label"]
        truth = other[predicted] if number % 5 == 0 else predicted
        labels.append(_feedback(3_000_000 + number, one.said["ml.prediction.id"], label=truth))
        if number % 3 == 0:  # and every third was acted upon
            acted = {"correct": True, "source": "implicit"}
            labels.append(_feedback(4_000_000 + number, one.said["ml.prediction.id"], **acted))
    _export(observed, [Sent(0, "production", span) for span in labels])


def _feedback(number: int, prediction_id: str, **said: Any) -> Span:
    """Return feedback on a prediction, in a trace of its own."""
    attributes = {f"ml.feedback.{key}": value for key, value in said.items()}
    now_ns = time.time_ns()
    return Span(
        trace_id=b"\2" + number.to_bytes(15, "big"),
        span_id=number.to_bytes(8, "big"),
        name="feedback late-arrival",
        start_time_unix_nano=now_ns - 1000,
        end_time_unix_nano=now_ns,
        attributes=[
            attribute("ml.model.name", "late-arrival"),
            attribute("ml.prediction.id", prediction_id),
            *(attribute(key, value) for key, value in attributes.items()),
        ],
    )


def _send_remarkable(observed: Observed) -> None:
    """Send what people search for: one that failed, one that was slow, one with an id and its feedback, a category never seen."""
    known = {feature["name"]: None for feature in observed.profile["features"]}
    seen = json.loads(observed.sent[0].said["ml.input.features"])

    def remarkable(number: int, body: dict[str, Any] | None = None, **said: Any) -> Span:
        span = span_of(1_000_000 + number, body or {**known, **seen}, 0.1, time.time_ns())
        named = {key.replace("__", "."): value for key, value in said.items()}
        span.attributes.extend(attribute(key, value) for key, value in named.items())
        return _of_version(span, "1")

    failed = Status(code=Status.STATUS_CODE_ERROR)
    raised = remarkable(1, error__type="ValueError")
    raised.status.CopyFrom(failed)
    rejected = remarkable(2, error__type="validation_failed")
    rejected.status.CopyFrom(failed)
    slow = remarkable(3)
    slow.start_time_unix_nano -= 900_000_000
    told = remarkable(4, ml__prediction__id="UA-1545-2013-03-01")
    unseen = remarkable(5, {**seen, "carrier": "ZZ"})
    feedback = _feedback(2_000_000, "UA-1545-2013-03-01", label="late", correct=False)
    spans = [raised, rejected, slow, told, unseen, feedback]
    _export(observed, [Sent(PORTIONS, "production", span) for span in spans])


def _export(observed: Observed, sent: list[Sent]) -> None:
    """Send the spans of one environment to the collector's front door."""
    environment = sent[0].environment
    with grpc.insecure_channel(observed.at.collector) as channel:
        export = channel.unary_unary(EXPORT)
        for begin in range(0, len(sent), PER_REQUEST):
            spans = [one.span for one in sent[begin : begin + PER_REQUEST]]
            export(request_of(spans, SERVICE, environment).SerializeToString(), timeout=60)
    observed.sent += sent


def _ask_the_service(observed: Observed) -> None:
    """Ask the real service about a few flights, and wait until Prometheus has heard of it from the service itself."""
    import departures
    import plan
    import play

    flights = plan.rest_of_the_year(departures.departures()).iloc[:REQUESTS]
    counted = "sum(ml_inference_duration_seconds_count)"
    wanted = observed.value(counted) + REQUESTS
    with httpx.Client(
        base_url=f"http://{observed.at.service}", timeout=60, trust_env=False
    ) as client:
        for body in play.requests_for(flights):
            client.post("/predict", json=body).raise_for_status()
    _await_value(observed, counted, wanted)
