"""
What the messages of OTLP say, handed to the judge of `conformance`.

They are read by the names of their fields alone, so nothing has to be imported: any protobuf
messages will do that have been made from OpenTelemetry's definitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from otel_ml_conventions.conformance import Judgement, Registry

__all__ = ["attributes_of", "judge_request"]

_SPAN_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_EVENT_NAME: Final = "event.name"
"""Where the name of an event was before log records had a field for it."""


def judge_request(registry: Registry, request: Any) -> Iterator[Judgement]:
    """
    Judge everything in an export request of traces, metrics or logs, in its order.

    *request* is a message with `resource_spans`, `resource_metrics` or `resource_logs`; any other
    has nothing to judge.
    """
    for group in getattr(request, "resource_spans", ()):
        yield registry.judge_resource(attributes_of(group.resource.attributes), group.schema_url)
        for scoped in group.scope_spans:
            for span in scoped.spans:
                yield from _judge_span(registry, span, scoped.schema_url)
    for group in getattr(request, "resource_metrics", ()):
        yield registry.judge_resource(attributes_of(group.resource.attributes), group.schema_url)
        for scoped in group.scope_metrics:
            for metric in scoped.metrics:
                yield _judge_metric(registry, metric, scoped.schema_url)
    for group in getattr(request, "resource_logs", ()):
        yield registry.judge_resource(attributes_of(group.resource.attributes), group.schema_url)
        for scoped in group.scope_logs:
            for record in scoped.log_records:
                yield _judge_log_record(registry, record, scoped.schema_url)


def attributes_of(pairs: Iterable[Any]) -> dict[str, object]:
    """Return attributes by name: arrays as `list`, maps as `dict`, those without a value `None`."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> object:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held: object = getattr(value, kind)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return attributes_of(value.kvlist_value.values) if kind == "kvlist_value" else held


def _judge_span(registry: Registry, span: Any, schema_url: str) -> Iterator[Judgement]:
    kind = _SPAN_KINDS[span.kind] if span.kind < len(_SPAN_KINDS) else str(span.kind)
    yield registry.judge_span(span.name, kind, attributes_of(span.attributes), schema_url)
    for event in span.events:
        yield registry.judge_event(event.name, None, attributes_of(event.attributes), schema_url)


def _judge_log_record(registry: Registry, record: Any, schema_url: str) -> Judgement:
    attributes = attributes_of(record.attributes)
    # Messages of older versions have no field for it.
    name = getattr(record, "event_name", "") or attributes.get(_EVENT_NAME)
    if not isinstance(name, str):
        return registry.judge_log_record(attributes)
    return registry.judge_event(name, record.severity_number, attributes, schema_url)


def _judge_metric(registry: Registry, metric: Any, schema_url: str) -> Judgement:
    kind: str | None = metric.WhichOneof("data")
    data: Any = getattr(metric, kind or "", None)
    points = _points(getattr(data, "data_points", ()))
    instrument = _instrument(kind, data)
    return registry.judge_metric(metric.name, metric.unit, instrument, points, schema_url)


def _instrument(kind: str | None, data: Any) -> str:
    if kind == "sum":
        return "counter" if data.is_monotonic else "updowncounter"
    if kind == "exponential_histogram":
        return "histogram"
    return kind or "nothing"


def _points(points: Iterable[Any]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for point in points:
        yield _value_type(point), attributes_of(point.attributes)


def _value_type(point: Any) -> str:
    # Only a point of one number says which type it has: the sum of a histogram is always a double.
    if not hasattr(point, "as_double"):
        return ""
    return {"as_int": "int", "as_double": "double"}.get(point.WhichOneof("value"), "")
