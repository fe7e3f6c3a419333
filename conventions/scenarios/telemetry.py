"""The real producers that a scenario uses: the SDK with its instrumentors, and the processor, each sending OTLP."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import otel_ml
from conventions.scenarios.receiver import Receiver
from otel_ml.settings import Settings
from otel_ml_processor.config_file import load_config
from otel_ml_processor.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace.sampling import Sampler

__all__ = ["Telemetry", "emitted"]

RESOURCE = {"service.name": "scenario", "deployment.environment.name": "test"}


class Processor(NamedTuple):
    """A running processor: where it receives, as `host:port`, and how it is told that time has passed and windows may be full."""

    endpoint: str
    tick: Callable[[], None]


class Telemetry:
    """What a scenario is handed: producers, all of which end in one receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self.endpoint = receiver.endpoint
        """`host:port` where all telemetry of the scenario has to arrive."""

    @contextmanager
    def sdk(
        self,
        traces_to: str | None = None,
        sampler: Sampler | None = None,
        detected: Resource | None = None,
        **settings: Any,
    ) -> Iterator[TracerProvider]:
        """
        Instrument every framework with *settings*, as a service would be, until the block ends.

        Spans go to *traces_to*, `host:port`, straight to the receiver by default; metrics and events go there in any case. The providers
        are those of a service named `scenario` in the environment `test`, and what else was *detected*; the tracer's is given.
        """
        resource = Resource(RESOURCE).merge(detected or Resource({}))
        spans = OTLPSpanExporter(endpoint=traces_to or self.endpoint, insecure=True)
        tracer_provider = TracerProvider(sampler=sampler, resource=resource)
        tracer_provider.add_span_processor(BatchSpanProcessor(spans))
        metrics = OTLPMetricExporter(endpoint=self.endpoint, insecure=True)
        reader = PeriodicExportingMetricReader(metrics, export_interval_millis=3_600_000)
        meter_provider = MeterProvider([reader], resource=resource)
        logger_provider = LoggerProvider(resource)
        events = OTLPLogExporter(endpoint=self.endpoint, insecure=True)
        logger_provider.add_log_record_processor(BatchLogRecordProcessor(events))
        otel_ml.uninstrument()
        otel_ml.instrument(
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            logger_provider=logger_provider,
            settings=Settings(**settings),
        )
        try:
            yield tracer_provider
        finally:
            otel_ml.uninstrument()
            tracer_provider.shutdown()
            meter_provider.shutdown()
            logger_provider.shutdown()

    @contextmanager
    def processor(self, *options: str, folder: Path | None = None) -> Iterator[Processor]:
        """
        Run the processor with *options* (`key=value`, as `--set` takes them) until the block ends.

        In mode `inline` the spans go on to the receiver; metrics, events and verdict spans always do. Names of profiles are relative to
        *folder*. At the end the windows that are still open are assessed and everything is delivered.
        """
        endpoint = _free_endpoint()
        forward = [f"forward.endpoint={self.endpoint}"] if "mode=inline" in options else []
        own = [
            f"receive.endpoint={endpoint}",
            f"emit.endpoint={self.endpoint}",
            "http.endpoint=127.0.0.1:0",
            *forward,
        ]
        service = Service(load_config(None, [*own, *options]), folder or Path())
        service.start()
        try:
            yield Processor(endpoint, service.tick)
        finally:
            service.tick()
            service.stop()


def emitted(run: Callable[[Telemetry], None]) -> Sequence[Any]:
    """Return the export requests that *run* causes, as protobuf messages, oldest first."""
    receiver = Receiver()
    try:
        run(Telemetry(receiver))
    finally:
        receiver.close()
    return receiver.requests


def _free_endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
