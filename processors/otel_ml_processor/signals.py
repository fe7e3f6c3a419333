"""The three kinds of telemetry, and how each is asked for in OTLP."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["Signal"]


class Signal(Enum):
    """A kind of telemetry: the gRPC service that takes it, and the messages of asking and answering."""

    TRACES = ("trace.v1.TraceService", ExportTraceServiceRequest, ExportTraceServiceResponse)
    METRICS = (
        "metrics.v1.MetricsService",
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
    )
    LOGS = ("logs.v1.LogsService", ExportLogsServiceRequest, ExportLogsServiceResponse)

    def __init__(self, service: str, request: type[Message], response: type[Message]) -> None:
        self.service = f"opentelemetry.proto.collector.{service}"
        self.method = f"/{self.service}/Export"
        self.path = f"/v1/{self.name.lower()}"
        self.request = request
        self.response = response
