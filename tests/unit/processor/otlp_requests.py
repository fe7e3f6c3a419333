"""OTLP requests as a producer sends them, for the tests of every room."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = str | bool | int | float


def attribute(key: str, value: Value) -> KeyValue:
    """Return one attribute of the type that *value* has."""
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=key, value=AnyValue(double_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def inference(
    number: int,
    *,
    end_ns: int,
    model: str = "fraud",
    version: str = "1",
    features: Mapping[str, object] | None = None,
    **said: Value,
) -> Span:
    """Return the span of inference *number*; `prediction_label="x"` in *said* is `ml.prediction.label`."""
    attributes: dict[str, Value] = {
        "ml.operation.name": "predict",
        "ml.model.name": model,
        "ml.model.version": version,
        **{f"ml.{key.replace('_', '.', 1)}": value for key, value in said.items()},
    }
    if features is not None:
        attributes["ml.input.features"] = json.dumps(features)
    return Span(
        trace_id=(number + 1).to_bytes(16, "big"),  # all zeros is no trace id
        span_id=(number + 1).to_bytes(8, "big"),
        name=f"predict {model}",
        start_time_unix_nano=max(0, end_ns - 1_000_000),
        end_time_unix_nano=end_ns,
        attributes=[attribute(key, value) for key, value in attributes.items()],
    )


def request_of(
    spans: Sequence[Span], service: str = "shop", environment: str = ""
) -> ExportTraceServiceRequest:
    """Return a request of one service with *spans*."""
    named = [attribute("service.name", service)]
    if environment:
        named.append(attribute("deployment.environment.name", environment))
    scoped = ScopeSpans(spans=spans)
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=Resource(attributes=named), scope_spans=[scoped])]
    )
