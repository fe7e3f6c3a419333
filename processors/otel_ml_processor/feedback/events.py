"""Events as they come: log records by their name, and events on spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_conventions import attributes as keys
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.decode.attributes import text
from otel_ml_processor.decode.spans import MAX_SPAN_BYTES, read_origin
from otel_ml_processor.decode.whose import ONE_TENANT
from otel_ml_processor.decode.wire import Framing, scan
from otel_ml_processor.feedback.keys import NO_KEY, context_key, id_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    from otel_ml_processor.decode.decoder import Cause
    from otel_ml_processor.decode.whose import Whose
    from otel_ml_processor.decode.wire import Place

__all__ = [
    "Event",
    "SpanOf",
    "by_key",
    "events_in_logs",
    "events_of_span",
    "position_in",
    "spans_with",
    "subject_of",
]

_RESOURCE: Final = 1
_INNER: Final = 2
"""Number of the field of the messages within, on both levels around a log record."""
_NOBODY: Final = ("", "", "")
_EVENT_NAME: Final = "event.name"
"""Where a producer that does not know the field of that name says it."""


class Event(NamedTuple):
    """What an event says by key, the key of the span that it is about, its time (0: not said), and service, environment and tenant."""

    said: Mapping[str, AnyValue]
    context: int
    time_ns: int
    service: tuple[str, str, str]


class SpanOf(NamedTuple):
    """A span with the service, the environment and the tenant that it is of."""

    span: Span
    service: tuple[str, str, str]


def events_in_logs(request: bytes, name: str, whose: Whose = ONE_TENANT) -> Iterator[Event]:
    """Yield the events called *name* of an `ExportLogsServiceRequest`; a record that cannot be read is passed over. MalformedRequest if it is none."""
    framing = Framing(request, "ExportLogsServiceRequest")
    for number, place in framing.messages(0, len(request), None, "request"):
        if number == _RESOURCE:
            yield from _in_resource_logs(framing, place, name, whose)


def spans_with(request: bytes, mark: bytes, whose: Whose = ONE_TENANT) -> Iterator[SpanOf]:
    """Yield the spans of an `ExportTraceServiceRequest` that hold *mark*; one that cannot be read is passed over. MalformedRequest if it is none."""
    for group in scan(request):
        places = [place for place in group.spans if _is_marked(request, place, mark)]
        service = _service(group.resource, whose) if places else _NOBODY
        spans = (_parsed(request[place.start : place.end]) for place in places)
        yield from (SpanOf(span, service) for span in spans if span is not None)


def events_of_span(of: SpanOf, name: str) -> Iterator[Event]:
    """Yield the events called *name* on a span."""
    own = context_key(of.span.trace_id, of.span.span_id)
    for event in of.span.events:
        if event.name == name:
            yield Event(by_key(event.attributes), own, event.time_unix_nano, of.service)


def by_key(attributes: Iterable[KeyValue]) -> dict[str, AnyValue]:
    """Return attributes by their key."""
    return {attribute.key: attribute.value for attribute in attributes}


def subject_of(event: Event, said: Mapping[str, AnyValue]) -> tuple[tuple[int, ...], StreamKey]:
    """Return the keys of the prediction that *event* is about, the likeliest first, and whose it is, as far as *said* tells."""
    causes: set[Cause] = set()
    name = text(said.get(keys.ML_PREDICTION_ID), causes)
    model = text(said.get(keys.ML_MODEL_NAME), causes) or ""
    version = text(said.get(keys.ML_MODEL_VERSION), causes) or ""
    service, environment, tenant = event.service
    ways = (id_key(name, tenant) if name else NO_KEY, event.context)
    leading = tuple(dict.fromkeys(key for key in ways if key != NO_KEY))
    return leading, StreamKey(service, environment, model, version, tenant)


def position_in(event: Event) -> int | None:
    """Return which sample of its batch *event* is about; None where it does not say."""
    value = event.said.get(keys.ML_PREDICTION_INDEX)
    is_said = value is not None and value.WhichOneof("value") == "int_value"
    return value.int_value if value is not None and is_said and value.int_value >= 0 else None


def _in_resource_logs(framing: Framing, around: Place, name: str, whose: Whose) -> Iterator[Event]:
    resource, records = b"", []
    for number, place in framing.messages(around.start, around.end, None, "resource_logs"):
        if number == _RESOURCE:
            resource += framing.request[place.start : place.end]
        elif number == _INNER:
            inner = framing.messages(place.start, place.end, None, "scope_logs")
            records += [at for field, at in inner if field == _INNER]
    marked = [place for place in records if _is_marked(framing.request, place, name.encode())]
    service = _service(resource, whose) if marked else _NOBODY
    for place in marked:
        yield from _in_record(framing.request[place.start : place.end], service, name)


def _is_marked(request: bytes, place: Place, mark: bytes) -> bool:
    is_small = place.end - place.start <= MAX_SPAN_BYTES
    return is_small and request.find(mark, place.start, place.end) >= 0


def _service(resource: bytes, whose: Whose) -> tuple[str, str, str]:
    origin = read_origin(resource, set(), whose)
    return (origin.service, origin.environment, origin.tenant) if origin is not None else _NOBODY


def _parsed(content: bytes) -> Span | None:
    try:
        return Span.FromString(content)
    except DecodeError:
        return None


def _in_record(content: bytes, service: tuple[str, str, str], name: str) -> Iterator[Event]:
    try:
        record = LogRecord.FromString(content)
    except DecodeError:
        return
    said = by_key(record.attributes)
    if (record.event_name or text(said.get(_EVENT_NAME), set())) == name:
        time_ns = record.time_unix_nano or record.observed_time_unix_nano
        yield Event(said, context_key(record.trace_id, record.span_id), time_ns, service)
