"""In-memory exporters that judge what they are given by the conventions; part of `otel_ml.testing`."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_ml_conventions.conformance import Finding, Registry
from otel_ml_conventions.otlp_messages import judge_request
from otel_ml_conventions.tally import Tally

__all__ = [
    "Conformance",
    "ConformanceLogExporter",
    "ConformanceMetricReader",
    "ConformanceSpanExporter",
]

_TIMEOUT_MS: Final = 10_000


class Conformance:
    """
    What the telemetry of a test breaks of the conventions.

    Give `span_exporter`, `metric_reader` and `log_exporter` to the providers under test. All that
    arrives is judged as it is on the wire, encoded as OTLP by OpenTelemetry's own exporter, and not
    kept.
    """

    def __init__(self) -> None:
        self._registry = Registry()
        self.tally = Tally(self._registry)
        """What was found and what was seen so far."""

    @cached_property
    def span_exporter(self) -> "ConformanceSpanExporter":
        """The exporter to give to a span processor."""
        return ConformanceSpanExporter(self)

    @cached_property
    def metric_reader(self) -> "ConformanceMetricReader":
        """The reader to give to a meter provider."""
        return ConformanceMetricReader(self)

    @cached_property
    def log_exporter(self) -> "ConformanceLogExporter":
        """The exporter to give to a log record processor."""
        return ConformanceLogExporter(self)

    def judge(self, request: Any, where: str) -> None:
        """Judge an OTLP export request that came from *where*."""
        self.tally.add(judge_request(self._registry, request), where)

    @property
    def findings(self) -> Sequence[Finding]:
        """All different findings so far, advice too; metrics are collected first."""
        if "metric_reader" in self.__dict__:  # it has been asked for, so it is in use
            self.metric_reader.collect()
        return [found.finding for found in self.tally.found()]

    def check(self) -> None:
        """
        Return if nothing was found but advice.

        Raises:
            AssertionError: With one line per violation.
        """
        broken = [str(finding) for finding in self.findings if finding.is_violation]
        if broken:
            raise AssertionError("\n".join(["telemetry breaks the conventions:", *broken]))


class ConformanceSpanExporter(SpanExporter):
    """Judges spans for *conformance*."""

    def __init__(self, conformance: Conformance) -> None:
        self._conformance = conformance

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Judge *spans*."""
        self._conformance.judge(encode_spans(spans), "the exported spans")
        return SpanExportResult.SUCCESS


class ConformanceMetricReader(MetricReader):
    """Judges metrics for *conformance* whenever they are collected."""

    def __init__(self, conformance: Conformance) -> None:
        super().__init__()
        self._conformance = conformance

    def _receive_metrics(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = _TIMEOUT_MS,  # noqa: ARG002 - the SDK calls it so
        **_: Any,
    ) -> None:
        self._conformance.judge(encode_metrics(metrics_data), "the collected metrics")

    def shutdown(self, timeout_millis: float = _TIMEOUT_MS, **_: Any) -> None:
        """Judge the metrics once more."""
        self.collect(timeout_millis)


class ConformanceLogExporter:
    """
    Judges log records for *conformance*.

    It has the methods of the SDK's exporters and not their base class, which has had two names.
    """

    def __init__(self, conformance: Conformance) -> None:
        self._conformance = conformance

    def export(self, batch: Sequence[Any]) -> None:
        """Judge the log records of *batch*."""
        self._conformance.judge(encode_logs(batch), "the exported log records")

    def shutdown(self) -> None:
        """Return; there is nothing to close."""

    @staticmethod
    def force_flush(timeout_millis: float = _TIMEOUT_MS) -> bool:  # noqa: ARG004 - as the SDK calls it
        """Return True: nothing waits."""
        return True
