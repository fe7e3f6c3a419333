"""Feedback as it comes: events `ml.feedback` in logs, spans that stand in for them, and events on the inference's own span."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlFeedbackSourceValues
from otel_ml_conventions.events import EVENT_ML_FEEDBACK
from otel_ml_processor.decode.attributes import number, proportion, text
from otel_ml_processor.decode.said import FEEDBACK_MARK
from otel_ml_processor.decode.whose import ONE_TENANT
from otel_ml_processor.feedback.events import (
    Event,
    by_key,
    events_in_logs,
    events_of_span,
    position_in,
    spans_with,
    subject_of,
)
from otel_ml_processor.feedback.keys import context_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.decode.decoder import Cause
    from otel_ml_processor.decode.whose import Whose
    from otel_ml_processor.feedback.events import SpanOf

__all__ = ["Carried", "Feedback", "feedback_in_logs", "feedback_in_traces"]

_TOLD: Final = (
    keys.ML_FEEDBACK_LABEL,
    keys.ML_FEEDBACK_VALUE,
    keys.ML_FEEDBACK_SCORE,
    keys.ML_FEEDBACK_CORRECT,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SOURCES: Final = {source.value: source for source in MlFeedbackSourceValues}


class Carried(NamedTuple):
    """The prediction as its feedback repeats it: the class, when it was predicted, and how sure the model was (NaN: not said)."""

    label: str
    time_ns: int
    confidence: float


class Feedback(NamedTuple):
    """
    What is said of one prediction.

    `keys` lead to it, the likeliest first; `position` is that in its batch. `stream` is whose prediction it is, as far as the
    feedback says so. `label` and `correct` are None and `value` is NaN where not said; `time_ns` is 0 where it is not.
    """

    keys: tuple[int, ...]
    position: int | None
    time_ns: int
    stream: StreamKey
    label: str | None
    value: float
    correct: bool | None
    source: MlFeedbackSourceValues | None
    score: float = math.nan
    """How good the prediction was, as somebody rates it; NaN where not said."""
    carried: Carried | None = None

    @property
    def gain(self) -> float:
        """How relevant it says that its item is, >= 0: the rating, else the true number, else 1 of what is right; 0 of all else."""
        for told in (self.score, self.value):
            if math.isfinite(told):
                return max(0.0, told)
        return float(bool(self.correct))

    @property
    def is_truth(self) -> bool:
        """Whether it says what was true; what somebody did or did not do, and how much it was liked, says something else."""
        says = self.label is not None or self.correct is not None or math.isfinite(self.value)
        return says and self.source is not MlFeedbackSourceValues.IMPLICIT


def feedback_in_logs(request: bytes, whose: Whose = ONE_TENANT) -> list[Feedback]:
    """Return the feedback in an `ExportLogsServiceRequest`; a record that cannot be read is passed over. MalformedRequest if it is none."""
    events = events_in_logs(request, EVENT_ML_FEEDBACK, whose)
    return [feedback for event in events for feedback in _read(event)]


def feedback_in_traces(request: bytes, whose: Whose = ONE_TENANT) -> list[Feedback]:
    """Return the feedback in an `ExportTraceServiceRequest`: spans of it, and events of spans; MalformedRequest if it is none."""
    return [
        feedback
        for span in spans_with(request, FEEDBACK_MARK, whose)
        for event in (_stand_in(span), *events_of_span(span, EVENT_ML_FEEDBACK))
        for feedback in _read(event)
    ]


def _stand_in(of: SpanOf) -> Event:
    """Return a span as the event that it stands for: about what it links to."""
    linked = of.span.links[0] if of.span.links else Span.Link()
    context = context_key(linked.trace_id, linked.span_id)
    return Event(by_key(of.span.attributes), context, of.span.start_time_unix_nano, of.service)


def _read(event: Event) -> Iterator[Feedback]:
    """Yield the feedback that *event* is, where it tells anything."""
    said = event.said
    if not any(key in said for key in _TOLD):
        return
    causes: set[Cause] = set()
    source = text(said.get(keys.ML_FEEDBACK_SOURCE), causes) or ""
    leading, stream = subject_of(event, said)
    yield Feedback(
        keys=leading,
        position=position_in(event),
        time_ns=event.time_ns,
        stream=stream,
        label=text(said.get(keys.ML_FEEDBACK_LABEL), causes),
        value=number(said.get(keys.ML_FEEDBACK_VALUE), causes),
        correct=_boolean(said.get(keys.ML_FEEDBACK_CORRECT)),
        source=_SOURCES.get(source),
        score=number(said.get(keys.ML_FEEDBACK_SCORE), causes),
        carried=_carried(said, causes),
    )


def _carried(said: Mapping[str, AnyValue], causes: set[Cause]) -> Carried | None:
    """Return the prediction that an event repeats; None where it does not say what was predicted, and when."""
    label = text(said.get(keys.ML_PREDICTION_LABEL), causes)
    time_ns = _moment(text(said.get(keys.ML_PREDICTION_TIME), causes) or "")
    if label is None or time_ns is None:
        return None
    return Carried(label, time_ns, proportion(said.get(keys.ML_PREDICTION_CONFIDENCE), causes))


def _moment(written: str) -> int | None:
    """Return nanoseconds since 1970 of a time in ISO 8601 with its offset from UTC; None of everything else."""
    try:
        # `Z` is not read by Python 3.10.
        moment = datetime.fromisoformat(written.replace("Z", "+00:00"))
        elapsed = moment - _EPOCH
    except (ValueError, TypeError, OverflowError):  # no time, or one without an offset
        return None
    return max(0, elapsed // timedelta(microseconds=1) * 1000)


def _boolean(value: AnyValue | None) -> bool | None:
    is_said = value is not None and value.WhichOneof("value") == "bool_value"
    return value.bool_value if value is not None and is_said else None
