"""Where the telemetry of a scenario arrives: an OTLP/gRPC receiver of this machine that keeps every request."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import grpc
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
    from collections.abc import Sequence

__all__ = ["Receiver"]

_KINDS: Final = (
    ("trace.v1.TraceService", ExportTraceServiceRequest, ExportTraceServiceResponse),
    ("metrics.v1.MetricsService", ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    ("logs.v1.LogsService", ExportLogsServiceRequest, ExportLogsServiceResponse),
)
_THREADS: Final = 4


class Receiver:
    """Takes traces, metrics and logs on a free port, from the moment it is made until `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Any] = []
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="scenario-receiver")
        self._server = grpc.server(self._threads, options=[("grpc.so_reuseport", 0)])
        for service, request, response in _KINDS:
            self._server.add_generic_rpc_handlers((self._handler(service, request, response),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.endpoint: Final = f"127.0.0.1:{port}"
        """`host:port` to export to."""

    def _handler(self, service: str, request: Any, response: Any) -> grpc.GenericRpcHandler:
        def export(message: Any, _context: grpc.ServicerContext) -> Any:
            with self._lock:
                self._requests.append(message)
            return response()

        method = grpc.unary_unary_rpc_method_handler(
            export, request.FromString, response.SerializeToString
        )
        name = f"opentelemetry.proto.collector.{service}"
        return grpc.method_handlers_generic_handler(name, {"Export": method})

    @property
    def requests(self) -> Sequence[Any]:
        """The export requests that have arrived, oldest first, as protobuf messages."""
        with self._lock:
            return tuple(self._requests)

    def close(self) -> None:
        """Take no more; what has arrived stays."""
        self._server.stop(0).wait()
        self._threads.shutdown()
