"""
A plugin for pytest that captures what a test's model calls emit; load it with `-p otel_ml.testing`.

Or, in the topmost conftest.py: `pytest_plugins = ["otel_ml.testing"]`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pytest
from opentelemetry.sdk._logs import LoggerProvider, export
from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler

from otel_ml.conformance import (
    Conformance,
    ConformanceLogExporter,
    ConformanceMetricReader,
    ConformanceSpanExporter,
)
from otel_ml.instrumentors import instrument, uninstrument
from otel_ml.instrumentors._loading import await_loads
from otel_ml.record.log_records import name_of
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import ML_OPERATION_NAME, MlOperationNameValues

__all__ = [
    "Capture",
    "Conformance",
    "ConformanceLogExporter",
    "ConformanceMetricReader",
    "ConformanceSpanExporter",
    "capture",
    "captured",
    "conforming",
]


_SIMPLE: Final[Any] = getattr(export, "SimpleLogRecordProcessor")  # noqa: B009 - by duck type


class _Events:
    """Keeps log records, with the methods that exporters have."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def export(self, batch: Sequence[Any]) -> None:
        """Keep the records of *batch*."""
        self.records.extend(each.log_record for each in batch)

    def shutdown(self) -> None:
        """Return; there is nothing to close."""

    def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002 - as the SDK calls it
        """Return True: nothing waits."""
        return True


_LOAD: Final = MlOperationNameValues.LOAD.value


class Capture:
    """Spans, metrics and events of the model calls since it began, in memory."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self._events = _Events()
        self.conformance = Conformance()
        with pytest.MonkeyPatch.context() as environment:
            # Of a machine that runs tests without telemetry; the providers ask as they are made.
            environment.delenv(OTEL_SDK_DISABLED, raising=False)
            self.tracer_provider = TracerProvider(sampler or DEFAULT_ON)
            self.meter_provider = MeterProvider([self._reader, self.conformance.metric_reader])
            self.logger_provider = LoggerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.conformance.span_exporter))
        for exporter in (self._events, self.conformance.log_exporter):
            # By duck type: what exporters extend, and what is made of them, has had two names.
            self.logger_provider.add_log_record_processor(_SIMPLE(exporter))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """The spans that have ended, oldest first; those of loading a model included, hash and all."""
        await_loads()
        return self._exporter.get_finished_spans()

    @property
    def calls(self) -> Sequence[ReadableSpan]:
        """The spans of everything but loading models, oldest first."""
        return tuple(
            span for span in self.spans if (span.attributes or {}).get(ML_OPERATION_NAME) != _LOAD
        )

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the one span of `calls`; a ValueError where there is not exactly one."""
        (span,) = self.calls
        return dict(span.attributes or {})

    @property
    def events(self) -> Sequence[Any]:
        """The log records so far, oldest first, each with `attributes` and, from SDK 1.35 on, `event_name`."""
        return tuple(self._events.records)

    def events_named(self, name: str) -> list[dict[str, Any]]:
        """Return the attributes of every event *name*."""
        return [dict(event.attributes) for event in self.events if name_of(event) == name]

    def clear(self) -> None:
        """Forget spans and events so far; metrics go on counting."""
        await_loads()
        self._exporter.clear()
        self._events.records.clear()

    def metric(self, name: str) -> list[Any]:
        """Return the data points of metric *name*, none where nothing was recorded."""
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@contextmanager
def capture(settings: Settings | None = None, sampler: Sampler | None = None) -> Iterator[Capture]:
    """
    Instrument every framework there is, into memory, for as long as the context lasts.

    It takes the place of any instrumentation before it, and leaves none behind.
    """
    seen = Capture(sampler)
    uninstrument()
    instrument(
        tracer_provider=seen.tracer_provider,
        meter_provider=seen.meter_provider,
        logger_provider=seen.logger_provider,
        settings=settings or Settings(),
    )
    try:
        yield seen
    finally:
        uninstrument()
        seen.tracer_provider.shutdown()
        seen.meter_provider.shutdown()
        seen.logger_provider.shutdown()


@pytest.fixture(name="captured")
def captured() -> Iterator[Capture]:
    """Return a capture with the default settings."""
    with capture() as seen:
        yield seen


@pytest.fixture(name="conforming")
def conforming() -> Iterator[Capture]:
    """Return a capture with the default settings, and fail if what it saw breaks the conventions."""
    with capture() as seen:
        yield seen
        seen.conformance.check()
