"""
Flies the year through the processor without a server: what it says of every week, as numbers.

The spans are those that the service's instrumentation sends, with the time of the departure instead of that of the demo; whether a
flight was late is told two weeks afterwards. Pipeline, windows and joining are those of the processor, with its own configuration.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import joblib
import numpy as np
import pandas as pd
from departures import FEATURES, LATE_MINUTES, NUMERIC_FEATURES, departures
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from play import requests_for
from prepare import prepare
from stack import MODEL_NAME, MODEL_VERSION, SERVICE_NAME
from threadpoolctl import threadpool_limits
from train import SEED, rest_of_the_year

from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.commands.replay import Replayed
from otel_ml_processor.config_file import load_config
from otel_ml_processor.feedback.joining import Joining
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.service import make_pipeline, new_self_metrics
from otel_ml_processor.signals import Signal
from otel_ml_processor.windows.references import References

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.feedback.totals import FeedbackTotals

__all__ = [
    "FOLDER",
    "control",
    "facts_until",
    "flown_year",
    "late_after_leaving_on_time",
    "profile_of_winter",
    "reference_facts",
]

FOLDER: Final = Path(__file__).resolve().parents[2] / ".demo"
LABELS_AFTER: Final = pd.Timedelta(days=14)
AT_ONCE: Final = 2000
"""Flights of a request: whole ones, so that windows of rows are those of the flights' order."""
CONTROL_ROWS: Final = 900
YEAR_OPTIONS: Final = (
    "mode=tee",
    "windows=[{name: week, length: 7d}]",
    "drift.false_alarm_interval=365d",  # one window length, 52 windows a year: 1.9 % of each
    "streams.lateness=2h",
    "segments.attributes=[origin]",
    "confidence.classes=null",
)
CONTROL_OPTIONS: Final = (
    "mode=tee",
    f"windows=[{{name: rows, rows: {CONTROL_ROWS}}}]",
    "confidence.classes=null",
)


class Heard(Replayed):
    """Keeps what the processor says, of labels too: the last word on each window."""

    def __init__(self) -> None:
        super().__init__()
        self.performances: dict[int, PerformanceReading] = {}

    def performance(self, reading: PerformanceReading) -> None:
        """Keep it in place of what was said of the same window before."""
        self.performances[reading.window.start_ns] = reading

    def feedback(self, totals: FeedbackTotals) -> None:
        """Pass over it: each window says how many labels it has."""


def profile_of_winter() -> Path:
    """Return the file of the profile of January and February, with what came true and with each airport by itself."""
    prepare(FOLDER, print)
    path = FOLDER / "year-profile.json"
    table = pd.read_parquet(FOLDER / "reference.parquet")
    profile = build_profile_from_table(
        table,
        model=MODEL_NAME,
        version=MODEL_VERSION,
        label="label",
        score="probability",
        positive="late",
        target="outcome",
        time="departed",
        features=FEATURES,
        segments=("origin",),
        created="2013-03-01T00:00:00Z",
    )
    write_profile(profile, path)
    return path


def facts_until(until: str) -> dict[str, Any]:
    """Return everything that the walk-through tells, of flights before *until* (a date)."""
    profile = profile_of_winter()
    return {
        "reference": reference_facts(profile),
        "control": control(profile),
        "weeks": flown_year(profile, until),
    }


def reference_facts(profile: Path) -> dict[str, Any]:
    """Return what the profile says of winter: rows, scores, the means of numbers."""
    known = read_profile(profile)
    return {
        "rows": known.source.rows,
        "low_confidence": known.low_confidence,
        "means": {f.name: _round(f.mean) for f in known.features if f.mean is not None},
        "performance": {name: round(score, 4) for name, score in known.performance.items()},
    }


def control(profile: Path) -> dict[str, Any]:
    """Return how many windows of winter's own flights, in random order, are in which state."""
    winter = pd.read_parquet(FOLDER / "reference.parquet").sample(frac=1.0, random_state=SEED)
    winter["departed"] = sorted(winter["departed"])
    heard = _Processor(profile, CONTROL_OPTIONS).flown(winter, winter["probability"])
    states = [reading.state.value for reading in heard.readings if reading.rows == CONTROL_ROWS]
    return {"windows": len(states), **{state: states.count(state) for state in sorted(set(states))}}


def flown_year(profile: Path, until: str) -> list[dict[str, Any]]:
    """Return what is said of every week from March on, of flights that departed before *until* (a date)."""
    flights = rest_of_the_year(departures())
    flights = flights[flights["departed"] < pd.Timestamp(until, tz="UTC")]
    model = joblib.load(FOLDER / "model.joblib")
    # As in training: spinning threads wait for each other.
    with threadpool_limits(1, user_api="openmp"):
        late = pd.Series(model.predict_proba(flights[list(FEATURES)])[:, 0], index=flights.index)
    heard = _Processor(profile, YEAR_OPTIONS).flown(flights, late)
    return [_week(reading, heard, flights) for reading in heard.readings]


class _Processor:
    """One processor in this process, to which flights and outcomes are sent in the order of time."""

    def __init__(self, profile: Path, options: Sequence[str]) -> None:
        config = load_config(None, options)
        references = References.of([(profile.name, read_profile(profile))])
        self._heard = Heard()
        self._now_ns = 0
        self._joining = Joining(config, references.reference, self._heard, lambda _: None)
        self._pipeline = make_pipeline(
            config,
            references,
            Promises.of_config(config, references.profiles.values()),
            forward=None,
            emit=self._heard,
            self_metrics=new_self_metrics(),
            clock_ns=lambda: self._now_ns,
            joining=self._joining,
        )

    def flown(self, flights: pd.DataFrame, late: pd.Series) -> Heard:
        """Send all *flights*, *late* as probable as that, and their outcomes two weeks later; return what was said."""
        times = _ns(flights["departed"])
        spans = _spans(flights, late.to_numpy(), times)
        told = 0
        for begin in range(0, len(times), AT_ONCE):
            end = min(begin + AT_ONCE, len(times))
            self._now_ns = int(times[end - 1])
            self._pipeline.take(_request(list(islice(spans, end - begin))), None)
            told = self._tell(flights, times, told)
            self._pipeline.tick(self._now_ns)
        self._pipeline.finish()
        for time_ns in times[told::AT_ONCE]:
            self._now_ns = int(time_ns) + LABELS_AFTER.value + 1
            told = self._tell(flights, times, told)
            self._pipeline.join_last(self._now_ns)
        self._now_ns = int(times[-1]) + LABELS_AFTER.value + 1
        self._tell(flights, times, told)
        self._pipeline.join_last(self._now_ns)
        return self._heard

    def _tell(self, flights: pd.DataFrame, times: Any, begin: int) -> int:
        """Tell the outcomes that are known by now, from flight number *begin* on; return how many have been told."""
        end = int(np.searchsorted(times, self._now_ns - LABELS_AFTER.value))
        if begin >= end:
            return begin
        if "outcome" in flights:
            outcomes = flights["outcome"].iloc[begin:end]
            self._joining.inbox.hear(Signal.LOGS, _labels(outcomes, times[begin:end], begin))
        return end


def _week(reading: Reading, heard: Heard, flights: pd.DataFrame) -> dict[str, Any]:
    span = reading.window
    labelled = heard.performances.get(span.start_ns)
    rows = flights[_ns(flights["departed"]) >= span.start_ns]
    rows = rows[_ns(rows["departed"]) < span.end_ns]
    confidence = reading.confidence
    features = [target for target in reading.targets if target.name in FEATURES]
    segments = labelled.segments if labelled else ()
    return {
        "begin": f"{pd.Timestamp(span.start_ns):%Y-%m-%d}",
        "end": f"{pd.Timestamp(span.end_ns):%Y-%m-%d}",
        "flights": reading.rows,
        "promised": round(reading.alpha, 4),
        "psi": {t.name: _round(t.scores.get("psi")) for t in features},
        "drifting": [t.name for t in features if t.state.value == "drifting"],
        "means": {name: _round(rows[name].mean()) for name in NUMERIC_FEATURES},
        "late_after_leaving_on_time": late_after_leaving_on_time(rows),
        "confidence": _round(confidence.mean) if confidence else None,
        "low_confidence": _round(confidence.low) if confidence else None,
        "estimated": _rounded(reading.estimated),
        "realized": _rounded(labelled.realized) if labelled else {},
        "accuracy_by_origin": {s.segment.value: _round(s.realized["accuracy"]) for s in segments},
    }


def late_after_leaving_on_time(flights: pd.DataFrame) -> float | None:
    """Return the share of the flights that left less than a quarter of an hour late and landed later than that."""
    left = flights[(flights["dep_delay"] < LATE_MINUTES) & flights["outcome"].notna()]
    return _round((left["outcome"] == "late").mean())


def _rounded(scores: Any) -> dict[str, float | None]:
    return {name: _round(scores[name]) for name in ("accuracy", "roc_auc") if name in scores}


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _ns(times: pd.Series) -> Any:
    return times.dt.tz_convert(None).astype("datetime64[ns]").to_numpy().astype(np.int64)


def _spans(flights: pd.DataFrame, late: Any, times: Any) -> Iterator[Span]:
    """Yield the span of each flight, which its number identifies."""
    for number, body in enumerate(requests_for(flights)):
        probability = float(late[number])
        yield Span(
            trace_id=(1 + number).to_bytes(16, "big"),
            span_id=(1 + number).to_bytes(8, "big"),
            name=f"predict {MODEL_NAME}",
            start_time_unix_nano=int(times[number]) - 2_000_000,
            end_time_unix_nano=int(times[number]),
            attributes=[
                _said("ml.operation.name", "predict"),
                _said("ml.model.name", MODEL_NAME),
                _said("ml.model.version", MODEL_VERSION),
                _said("ml.prediction.label", "late" if probability >= 0.5 else "on_time"),
                _said("ml.prediction.confidence", max(probability, 1 - probability)),
                _said("ml.input.features", json.dumps(body)),
            ],
        )


def _labels(outcomes: pd.Series, times: Any, first: int) -> bytes:
    """Return the request that tells the *outcomes* of the flights from number *first* on, of those that landed where they should."""
    records = [
        LogRecord(
            time_unix_nano=int(time) + LABELS_AFTER.value,
            event_name="ml.feedback",
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            attributes=[
                _said("ml.feedback.label", outcome),
                _said("ml.feedback.source", "delayed_label"),
            ],
        )
        for number, (outcome, time) in enumerate(zip(outcomes, times, strict=True), first + 1)
        if isinstance(outcome, str)
    ]
    of_service = ResourceLogs(resource=_service(), scope_logs=[ScopeLogs(log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[of_service]).SerializeToString()


def _request(spans: Sequence[Span]) -> bytes:
    of_service = ResourceSpans(resource=_service(), scope_spans=[ScopeSpans(spans=spans)])
    return ExportTraceServiceRequest(resource_spans=[of_service]).SerializeToString()


def _service() -> Resource:
    return Resource(attributes=[_said("service.name", SERVICE_NAME)])


def _said(key: str, value: str | float) -> KeyValue:
    is_text = isinstance(value, str)
    return KeyValue(
        key=key, value=AnyValue(string_value=value) if is_text else AnyValue(double_value=value)
    )
