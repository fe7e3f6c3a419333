"""Predictions and the labels that come for them, sent to a real processor over gRPC."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc
import httpx
import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from conventions.scenarios.receiver import Receiver
from otel_ml_processor.config_file import load_config
from otel_ml_processor.service import Service
from tests.integration.real_servers import free_port
from tests.unit.processor.otlp_requests import attribute, inference, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

START_NS: Final = 1_750_000_000_000_000_000
SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS
_METHOD: Final = "/opentelemetry.proto.collector.{}/Export"


class Running:
    """A processor that serves, and whoever sends to it."""

    def __init__(self, service: Service, receive: int, http: int) -> None:
        self._service = service
        self._channel = grpc.insecure_channel(f"127.0.0.1:{receive}")
        self._pages = f"http://127.0.0.1:{http}"

    def traces(self, spans: Sequence[Span], at_once: int = 500) -> None:
        """Send *spans* of the service `shop`, in requests of *at_once*."""
        for begin in range(0, len(spans), at_once):
            request = request_of(spans[begin : begin + at_once])
            self._send("trace.v1.TraceService", request.SerializeToString())

    def logs(self, records: Sequence[LogRecord], at_once: int = 500) -> None:
        """Send *records* of the service `shop`, in requests of *at_once*."""
        named = Resource(attributes=[attribute("service.name", "shop")])
        for begin in range(0, len(records), at_once):
            scoped = ScopeLogs(log_records=records[begin : begin + at_once])
            request = ExportLogsServiceRequest(
                resource_logs=[ResourceLogs(resource=named, scope_logs=[scoped])]
            )
            self._send("logs.v1.LogsService", request.SerializeToString())

    def raw_logs(self, request: bytes) -> None:
        """Send *request* as it is."""
        self._send("logs.v1.LogsService", request)

    def _send(self, service: str, request: bytes) -> None:
        export = self._channel.unary_unary(_METHOD.format(service))
        export(request, timeout=60)

    def through(self, collector: int) -> Running:
        """Return the same processor, to whom is sent by way of the collector that listens on port *collector*."""
        return Running(self._service, collector, int(self._pages.rpartition(":")[2]))

    def tick(self) -> None:
        """Let the processor join and assess what it has got."""
        self._service.tick()

    def stream(self) -> dict[str, Any]:
        """Return what `/readings` says of the one stream."""
        (stream,) = msgspec.json.decode(httpx.get(f"{self._pages}/readings", timeout=60).content)[
            "streams"
        ]
        found: dict[str, Any] = stream
        return found

    def performance(self) -> dict[str, Any]:
        """Return what `/readings` says of the labels of the one window."""
        (performance,) = self.stream()["performance"]
        found: dict[str, Any] = performance
        return found

    def scraped(self, name: str) -> dict[str, float]:
        """Return the series of metric *name* on the scrape page, by what is in braces."""
        lines = httpx.get(f"{self._pages}/metrics", timeout=60).text.splitlines()
        found = [line.removeprefix(name) for line in lines if line.startswith(f"{name}{{")]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in found}

    def page(self) -> str:
        """Return the page for people."""
        return httpx.get(f"{self._pages}/", timeout=60).text


@contextmanager
def processor(folder: Path, *options: str) -> Iterator[Running]:
    """Run a processor in mode `tee` with *options* until the block ends; profiles are relative to *folder*."""
    receiver = Receiver()
    receive, http = free_port(), free_port()
    own = [
        f"receive.endpoint=127.0.0.1:{receive}",
        f"http.endpoint=127.0.0.1:{http}",
        f"emit.endpoint={receiver.endpoint}",
        "receive.http=null",
        "emit.interval=1h",
    ]
    service = Service(load_config(None, [*own, *options]), folder)
    service.start()
    try:
        yield Running(service, receive, http)
    finally:
        service.stop()
        receiver.close()


def prediction(number: int, end_ns: int, **said: Any) -> Span:
    """Return the span of prediction *number*, an inference of model `fraud` 1."""
    return inference(number, end_ns=end_ns, **said)


def label_of(number: int, time_ns: int, **said: Any) -> LogRecord:
    """Return the event of feedback on prediction *number*, by the context of its span; `label="x"` in *said* is `ml.feedback.label`."""
    context = number + 1
    return LogRecord(
        event_name="ml.feedback",
        time_unix_nano=time_ns,
        trace_id=context.to_bytes(16, "big"),
        span_id=context.to_bytes(8, "big"),
        attributes=[attribute(f"ml.feedback.{key}", value) for key, value in said.items()],
    )
