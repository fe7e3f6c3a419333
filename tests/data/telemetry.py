"""One request of each kind of telemetry that keeps to the conventions, made by protobuf itself."""

from __future__ import annotations

from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tests.data.export_requests import RESOURCE, TRACE_ID, attributes

__all__ = ["IDENTITY", "logs", "metrics", "traces"]

URL: Final = "https://otel-ml.example/schemas/otel-ml-dev/0.1.0-dev"
IDENTITY: Final = {
    "ml.operation.name": "predict",
    "ml.model.name": "fraud",
    "ml.framework.name": "sklearn",
}
_STREAM: Final = {
    "service.name": "shop",
    "ml.model.name": "fraud",
    "ml.window.name": "1h",
    "ml.drift.target": "prediction",
}


def _resource() -> Resource:
    return Resource(attributes=attributes(RESOURCE))


def traces(**more: object) -> ExportTraceServiceRequest:
    """Return the span of a call; *more* attributes are written with underscores for dots, without `ml.`."""
    given = IDENTITY | {f"ml.{key.replace('_', '.')}": value for key, value in more.items()}
    span = Span(
        trace_id=TRACE_ID,
        span_id=b"\x01" * 8,
        name="predict fraud",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=1_000,
        end_time_unix_nano=2_000,
        attributes=attributes(given),
    )
    scoped = ScopeSpans(spans=[span], schema_url=URL)
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=_resource(), scope_spans=[scoped])]
    )


def metrics(unit: str = "{score}") -> ExportMetricsServiceRequest:
    """Return one reading of drift, measured in *unit*."""
    given = attributes({**_STREAM, "ml.drift.method": "psi"})
    point = NumberDataPoint(attributes=given, time_unix_nano=2_000, as_double=0.25)
    metric = Metric(name="ml.drift.score", unit=unit, gauge=Gauge(data_points=[point]))
    scoped = ScopeMetrics(metrics=[metric], schema_url=URL)
    return ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(resource=_resource(), scope_metrics=[scoped])]
    )


def logs(severity: int = 13) -> ExportLogsServiceRequest:
    """Return one alarm of *severity*."""
    alarm = {
        "ml.drift.method": "psi",
        "ml.drift.score": 0.25,
        "ml.drift.state": "drifting",
        "ml.drift.kind": "drift",
    }
    record = LogRecord(
        time_unix_nano=2_000,
        severity_number=severity,  # type: ignore[arg-type] # any number may arrive
        event_name="ml.drift.detected",
        attributes=attributes({**_STREAM, **alarm}),
    )
    scoped = ScopeLogs(log_records=[record], schema_url=URL)
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=_resource(), scope_logs=[scoped])]
    )
