"""What becomes an event, on which ways, and how often."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_ml_conventions.attributes import MlDriftMethodValues, MlDriftTargetValues
from otel_ml_processor.assess.label_alarms import LabelAlarm
from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.assess.reading import Reading, WindowSpan
from otel_ml_processor.assess.verdict import Verdict, Verdicts
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.otlp import Identity
from otel_ml_processor.emit.outlet import Outlet
from otel_ml_processor.emit.told_windows import MAX_TOLD, ToldWindows
from otel_ml_processor.self_metrics import SelfMetrics
from tests.data.export_requests import export_request, inference_span
from tests.unit.processor.emit import sample_readings as samples
from tests.unit.processor.emit.sample_feedback import PERFORMANCE

ACCURACY = LabelAlarm(
    target=MlDriftTargetValues.PERFORMANCE,
    what="accuracy",
    method=MlDriftMethodValues.OTHER,
    score=0.75,
    threshold=0.81,
    p_value=None,
    words="accuracy is 0.75, 83.3 % of the reference's 0.9",
)
F1 = ACCURACY._replace(what="f1", words="f1 is 0.5, 60 % of the reference's 0.8")


class Ways:
    """Where events go: the log records that are pushed, and what a webhook is given."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.logs: list[ExportLogsServiceRequest] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.verdict_requests = 0

    def push_logs(self, request: bytes) -> bool:
        """Keep a request of logs."""
        self.logs.append(ExportLogsServiceRequest.FromString(request))
        return True

    def push_traces(self, request: bytes) -> bool:
        """Count a request of verdict spans."""
        self.verdict_requests += bool(request)
        return True

    def push(self, message_id: str, body: bytes) -> None:
        """Keep a message."""
        self.posted.append((message_id, json.loads(body)))

    def described(self) -> list[str]:
        """Return the descriptions of the log records, which are those of the messages."""
        records = [
            record
            for request in self.logs
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]
        said = [{a.key: a.value.string_value for a in record.attributes} for record in records]
        described = [each["ml.drift.description"] for each in said]
        assert described == [m["attributes"]["ml.drift.description"] for _, m in self.posted]
        return described


def outlet(ways: Ways, clock_ns: Callable[[], int] = lambda: samples.NOW_NS) -> Outlet:
    """Return an outlet with real books, whose events go to *ways*."""
    own = SelfMetrics()
    return Outlet(
        book=MetricBook(windows=("1h", "24h"), scores=("psi",), self_metrics=own),
        pusher=ways,  # type: ignore[arg-type]  # of all that a pusher does, what events need
        identity=Identity("one", "1"),
        self_metrics=own,
        effect_floor=lambda _: 0.01,
        max_annotated_bytes=1 << 20,
        verdicts_per_second=10.0,
        register=lambda _: None,
        webhook=ways,  # type: ignore[arg-type]  # of all that a webhook does, what events need
        clock_ns=clock_ns,
    )


def labelled(*alarms: LabelAlarm, hour: int = 0, name: str = "1h") -> PerformanceReading:
    """Return what the labels of a window say, so many hours after the first."""
    start_ns = samples.START_NS + hour * samples.HOUR_NS
    span = WindowSpan(name, start_ns, start_ns + samples.HOUR_NS)
    return replace(PERFORMANCE, window=span, alarms=alarms, reference_id="sha256:reference")


def drifted(hour: int = 0) -> Reading:
    """Return the reading of such a window in which a feature drifts."""
    found = samples.drifting_reading()
    return replace(found, window=labelled(hour=hour).window)


def test_an_alarm_of_labels_goes_out_on_every_way() -> None:
    """The log record and the webhook say the same, and the message has an id of its own, however often it is made."""
    ways, again = Ways(), Ways()
    for each in (ways, again):
        outlet(each).performance(labelled(ACCURACY))
    (description,) = ways.described()
    assert "accuracy is 0.75" in description
    (message_id, message) = ways.posted[0]
    assert message["time"] == "2013-03-20T14:00:00Z"
    assert message["attributes"]["ml.drift.threshold"] == 0.81
    assert message["attributes"]["ml.drift.reference.id"] == "sha256:reference"
    assert again.posted[0][0] == message_id


def test_the_messages_of_drift_and_of_labels_have_different_ids() -> None:
    """Who drops what has come before must not drop the labels' alarm of a window that drifted in a life before."""
    of_drift, of_labels = Ways(), Ways()
    reading = drifted()
    outlet(of_drift).reading(reading, samples.change_of(reading, samples.TEMP))
    same = replace(labelled(ACCURACY), reference_id=reading.reference_id, stream=reading.stream)
    outlet(of_labels).performance(same)
    assert of_drift.posted[0][0] != of_labels.posted[0][0]


def test_one_window_has_one_event() -> None:
    """More labels of the same window bring a second alarm: it is told of the next window in which it holds, and once."""
    ways = Ways()
    out = outlet(ways)
    out.performance(labelled(ACCURACY))
    out.performance(labelled(ACCURACY, F1))
    assert len(ways.described()) == 1
    for hour in (1, 2):
        out.performance(labelled(ACCURACY, F1, hour=hour))
    (_, second) = ways.described()
    assert "f1 is 0.5" in second
    assert "accuracy" not in second


def test_labels_of_a_window_that_drifted_wait_for_the_next() -> None:
    """Drift had the event of the hour; its labels, which come later, are told with the hour after."""
    ways = Ways()
    out = outlet(ways)
    reading = drifted()
    out.reading(reading, samples.change_of(reading, samples.TEMP))
    out.performance(labelled(ACCURACY))
    assert len(ways.described()) == 1
    out.performance(labelled(ACCURACY, hour=1))
    assert len(ways.described()) == 2


def test_windows_of_another_length_have_their_own_event() -> None:
    """An hour that ends with the day takes nothing from it."""
    ways = Ways()
    out = outlet(ways)
    out.performance(labelled(ACCURACY))
    out.performance(labelled(ACCURACY, name="24h"))
    assert len(ways.described()) == 2


def test_what_flickers_is_told_once_per_window() -> None:
    """An alarm that comes and goes as labels of one window arrive is one event."""
    ways = Ways()
    out = outlet(ways)
    for alarms in ((ACCURACY,), (), (ACCURACY,), (), (ACCURACY,)):
        out.performance(labelled(*alarms))
    assert len(ways.described()) == 1


def test_a_stream_that_comes_again_is_told_anew() -> None:
    """What was forgotten holds back no event, and takes no room."""
    ways = Ways()
    out = outlet(ways)
    out.performance(labelled(ACCURACY))
    out.forget(samples.STREAM)
    assert out.labels.memory() == ()
    out.performance(labelled(ACCURACY))
    assert len(ways.described()) == 2


def test_told_windows_take_no_more_room_than_they_may() -> None:
    """The oldest of too many is known no more, the latest are."""
    told = ToldWindows()
    spans = [labelled(hour=hour).window for hour in range(MAX_TOLD + 1)]
    for span in spans:
        told.note(samples.STREAM, span)
    known = [(samples.STREAM, span) in told for span in spans]
    assert known == [False, *[True] * MAX_TOLD]
    assert (samples.NAMELESS, spans[-1]) not in told


def test_a_clock_that_is_put_back_stops_no_verdict_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten a second: what is flagged a second after a second's worth of them has its span, whatever the clock on the wall has done meanwhile."""
    request = export_request([inference_span(span_id=number) for number in range(1, 11)])
    decoded = PlainDecoder(lambda *_: ()).decode(request)
    verdicts = Verdicts(10)
    verdicts.codes[:] = verdicts.number((Verdict("low", flags=("low_confidence",)),))
    ways, hours = Ways(), iter([2, 1])
    out = outlet(ways, lambda: next(hours) * samples.HOUR_NS)
    for now_ns in (5_000_000_000, 6_000_000_000):
        monkeypatch.setattr(time, "monotonic_ns", lambda now_ns=now_ns: now_ns)
        out.verdict_spans(decoded, verdicts)
    assert ways.verdict_requests == 2
