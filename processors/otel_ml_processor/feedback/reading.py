"""Feedback as it comes: events `ml.feedback` in logs, spans that stand in for them, and events on the inference's own span."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlFeedbackSourceValues
from otel_ml_conventions.events import EVENT_ML_FEEDBACK
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.decode.attributes import number, text
from otel_ml_processor.decode.spans import MAX_SPAN_BYTES, read_origin
from otel_ml_processor.decode.wire import Framing, scan
from otel_ml_processor.feedback.keys import NO_KEY, context_key, id_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    from otel_ml_processor.decode.decoder import Cause
    from otel_ml_processor.decode.wire import Place

__all__ = ["MARK", "Feedback", "feedback_in_logs", "feedback_in_traces"]

MARK: Final = b"ml.feedback"
"""Bytes that a request without feedback does not have."""
_RESOURCE: Final = 1
_INNER: Final = 2
"""Number of the field of the messages within, on both levels around a log record."""
_TOLD: Final = (
    keys.ML_FEEDBACK_LABEL,
    keys.ML_FEEDBACK_VALUE,
    keys.ML_FEEDBACK_SCORE,
    keys.ML_FEEDBACK_CORRECT,
)
_SOURCES: Final = {source.value: source for source in MlFeedbackSourceValues}
_EVENT_NAME: Final = "event.name"
"""Where a producer that does not know the field of that name says it."""


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

    @property
    def is_truth(self) -> bool:
        """Whether it says what was true; what somebody did or did not do, and how much it was liked, says something else."""
        says = self.label is not None or self.correct is not None or math.isfinite(self.value)
        return says and self.source is not MlFeedbackSourceValues.IMPLICIT


def feedback_in_logs(request: bytes) -> list[Feedback]:
    """Return the feedback in an `ExportLogsServiceRequest`; a record that cannot be read is passed over. MalformedRequest if it is none."""
    framing = Framing(request, "ExportLogsServiceRequest")
    found: list[Feedback] = []
    for number_, place in framing.messages(0, len(request), None, "request"):
        if number_ == _RESOURCE:
            found += _in_resource_logs(framing, place)
    return found


def feedback_in_traces(request: bytes) -> list[Feedback]:
    """Return the feedback in an `ExportTraceServiceRequest`: spans of it, and events of spans; MalformedRequest if it is none."""
    found: list[Feedback] = []
    for group in scan(request):
        places = [place for place in group.spans if _is_marked(request, place)]
        if places:
            service = _service(group.resource)
            for place in places:
                found += _in_span(request[place.start : place.end], service)
    return found


def _in_resource_logs(framing: Framing, around: Place) -> Iterator[Feedback]:
    resource, records = b"", []
    for number_, place in framing.messages(around.start, around.end, None, "resource_logs"):
        if number_ == _RESOURCE:
            resource += framing.request[place.start : place.end]
        elif number_ == _INNER:
            inner = framing.messages(place.start, place.end, None, "scope_logs")
            records += [at for field, at in inner if field == _INNER]
    marked = [place for place in records if _is_marked(framing.request, place)]
    service = _service(resource) if marked else ("", "")
    for place in marked:
        yield from _in_record(framing.request[place.start : place.end], service)


def _is_marked(request: bytes, place: Place) -> bool:
    is_small = place.end - place.start <= MAX_SPAN_BYTES
    return is_small and request.find(MARK, place.start, place.end) >= 0


def _service(resource: bytes) -> tuple[str, str]:
    origin = read_origin(resource, set())
    return (origin.service, origin.environment) if origin is not None else ("", "")


def _in_record(content: bytes, service: tuple[str, str]) -> Iterator[Feedback]:
    try:
        record = LogRecord.FromString(content)
    except DecodeError:
        return
    said = _by_key(record.attributes)
    name = record.event_name or text(said.get(_EVENT_NAME), set())
    if name == EVENT_ML_FEEDBACK:
        time_ns = record.time_unix_nano or record.observed_time_unix_nano
        yield from _read(said, context_key(record.trace_id, record.span_id), time_ns, service)


def _in_span(content: bytes, service: tuple[str, str]) -> Iterator[Feedback]:
    try:
        span = Span.FromString(content)
    except DecodeError:
        return
    linked = span.links[0] if span.links else Span.Link()
    context = context_key(linked.trace_id, linked.span_id)
    yield from _read(_by_key(span.attributes), context, span.start_time_unix_nano, service)
    own = context_key(span.trace_id, span.span_id)
    for event in span.events:
        if event.name == EVENT_ML_FEEDBACK:
            yield from _read(_by_key(event.attributes), own, event.time_unix_nano, service)


def _by_key(attributes: Iterable[KeyValue]) -> dict[str, AnyValue]:
    return {attribute.key: attribute.value for attribute in attributes}


def _read(
    said: Mapping[str, AnyValue], context: int, time_ns: int, service: tuple[str, str]
) -> Iterator[Feedback]:
    """Yield the feedback that *said* is, where it tells anything."""
    if not any(key in said for key in _TOLD):
        return
    causes: set[Cause] = set()
    name = text(said.get(keys.ML_PREDICTION_ID), causes)
    model = text(said.get(keys.ML_MODEL_NAME), causes) or ""
    version = text(said.get(keys.ML_MODEL_VERSION), causes) or ""
    source = text(said.get(keys.ML_FEEDBACK_SOURCE), causes) or ""
    ways = (id_key(name) if name else NO_KEY, context)
    yield Feedback(
        keys=tuple(dict.fromkeys(key for key in ways if key != NO_KEY)),
        position=_integer(said.get(keys.ML_PREDICTION_INDEX)),
        time_ns=time_ns,
        stream=StreamKey(*service, model, version),
        label=text(said.get(keys.ML_FEEDBACK_LABEL), causes),
        value=number(said.get(keys.ML_FEEDBACK_VALUE), causes),
        correct=_boolean(said.get(keys.ML_FEEDBACK_CORRECT)),
        source=_SOURCES.get(source),
    )


def _integer(value: AnyValue | None) -> int | None:
    is_said = value is not None and value.WhichOneof("value") == "int_value"
    return value.int_value if value is not None and is_said and value.int_value >= 0 else None


def _boolean(value: AnyValue | None) -> bool | None:
    is_said = value is not None and value.WhichOneof("value") == "bool_value"
    return value.bool_value if value is not None and is_said else None
