"""Export requests as producers write them: by protobuf itself, never by our own code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "IDENTITY",
    "RESOURCE",
    "TRACE_ID",
    "any_value",
    "attributes",
    "export_request",
    "inference_span",
]

TRACE_ID: Final = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
RESOURCE: Final = {"service.name": "shop", "deployment.environment.name": "prod"}
IDENTITY: Final = {
    "ml.operation.name": "predict",
    "ml.model.name": "fraud",
    "ml.model.version": "3",
}

_FIELDS: Final = {
    bool: "bool_value",
    int: "int_value",
    float: "double_value",
    bytes: "bytes_value",
    str: "string_value",
}


def any_value(value: object) -> AnyValue:
    """Return a Python value as an attribute's value: dicts are maps, lists arrays, None is empty."""
    if value is None:
        return AnyValue()
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=attributes(value)))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(**{_FIELDS[type(value)]: value})


def attributes(values: Mapping[str, object]) -> list[KeyValue]:
    """Return *values* as attributes, in their order."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def inference_span(
    values: Mapping[str, object] | None = None, *, span_id: int = 1, end_ns: int = 2_000
) -> Span:
    """Return the span of one call of version 3 of `fraud`, with further attributes *values*."""
    return Span(
        trace_id=TRACE_ID,
        span_id=span_id.to_bytes(8, "big"),
        name="predict fraud",
        start_time_unix_nano=1_000,
        end_time_unix_nano=end_ns,
        attributes=attributes({**IDENTITY, **(values or {})}),
    )


def export_request(spans: Iterable[Span], resource: Mapping[str, object] | None = None) -> bytes:
    """Return a request with *spans* of one resource (by default the service `shop` in `prod`) and one scope."""
    origin = Resource(attributes=attributes(RESOURCE if resource is None else resource))
    scoped = ScopeSpans(scope=InstrumentationScope(name="otel_ml"), spans=spans)
    request = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=origin, scope_spans=[scoped])]
    )
    return request.SerializeToString()
