"""Items are counted as a parser counts them, from the framing alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)

from otel_ml_processor.decode.items import n_log_records, n_metric_points, n_spans
from otel_ml_processor.decode.wire import MalformedRequest
from tests.data.export_requests import export_request, inference_span


def test_spans_are_counted() -> None:
    """All of all resources and scopes; none in an empty request."""
    assert n_spans(export_request([inference_span()] * 3) * 2) == 6
    assert n_spans(b"") == 0


def test_points_of_every_kind_of_metric_are_counted() -> None:
    """Gauges, sums, both histograms and summaries; a metric without data has none."""
    metrics = [
        Metric(name="a", gauge=Gauge(data_points=[NumberDataPoint()] * 2)),
        Metric(name="b", sum=Sum(data_points=[NumberDataPoint(as_int=1)] * 3)),
        Metric(name="c", histogram=Histogram(data_points=[HistogramDataPoint()])),
        Metric(
            name="d",
            exponential_histogram=ExponentialHistogram(
                data_points=[ExponentialHistogramDataPoint()] * 4
            ),
        ),
        Metric(name="e", summary=Summary(data_points=[SummaryDataPoint()] * 5)),
        Metric(name="f"),
    ]
    group = ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=metrics)])
    request = ExportMetricsServiceRequest(resource_metrics=[group, group])
    assert n_metric_points(request.SerializeToString()) == 2 * (2 + 3 + 1 + 4 + 5)
    assert n_metric_points(b"") == 0


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=3))
def test_records_are_counted(sizes: list[list[int]]) -> None:
    """However they are spread over resources and scopes."""
    groups = [
        ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord()] * n) for n in scopes])
        for scopes in sizes
    ]
    request = ExportLogsServiceRequest(resource_logs=groups).SerializeToString()
    assert n_log_records(request) == sum(map(sum, sizes))


@pytest.mark.parametrize(
    ("count", "kind", "path"),
    [
        (n_spans, "ExportTraceServiceRequest", "request.resource_spans[1].scope_spans[0]"),
        (n_log_records, "ExportLogsServiceRequest", "request.resource_logs[1].scope_logs[0]"),
        (
            n_metric_points,
            "ExportMetricsServiceRequest",
            "request.resource_metrics[1].scope_metrics[0]",
        ),
    ],
)
def test_a_broken_request_is_told_where(count: object, kind: str, path: str) -> None:
    """The kind of request and the path to the message that breaks."""
    with pytest.raises(MalformedRequest) as raised:
        count(b"\x0a\x00\x0a\x04\x12\x02\x12\x09")  # type: ignore[operator]  # one of the three
    assert raised.value.message.startswith(f"{path}: expected an {kind}, found ")
