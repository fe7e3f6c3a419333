"""
The book in the words of OTLP: metrics as export requests, and the resource and scope that all our own telemetry carries.

One stream of 5000 points is about 2 MB, and receivers written in Go take 4 MiB by default: so a book becomes as many requests as it needs.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_ml_conventions.schema import SCHEMA_URL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_ml_processor.emit.definitions import Metric
    from otel_ml_processor.emit.points import Point

__all__ = [
    "MAX_REQUEST_POINTS",
    "SCOPE_NAME",
    "SERVICE_NAME",
    "Identity",
    "key_value",
    "metrics_requests",
    "resource",
    "scope",
]

SERVICE_NAME: Final = "otel-ml-processor"
SCOPE_NAME: Final = "otel_ml_processor"
MAX_REQUEST_POINTS: Final = 5000


@dataclass(frozen=True, slots=True)
class Identity:
    """Which processor speaks: every running one has an id of its own, so that the numbers of two never overwrite each other."""

    instance_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    version: str = field(default_factory=lambda: version("otel-ml"))


def metrics_requests(metrics: Iterable[Metric], identity: Identity, now_ns: int) -> list[bytes]:
    """
    Return *metrics* as serialized `ExportMetricsServiceRequest`s of at most `MAX_REQUEST_POINTS` points; no metric, no request.

    A gauge is a gauge, a counter a cumulative monotonic sum with its start time, an updowncounter a cumulative sum that may fall;
    *now_ns* is the time of every point.
    """
    return [_request(batch, identity).SerializeToString() for batch in _batches(metrics, now_ns)]


def resource(identity: Identity) -> Resource:
    """Return what all telemetry of this processor has in common."""
    return Resource(
        attributes=[
            key_value("service.name", SERVICE_NAME),
            key_value("service.instance.id", identity.instance_id),
            key_value("service.version", identity.version),
        ]
    )


def scope(identity: Identity) -> InstrumentationScope:
    """Return the instrumentation scope of all telemetry of this processor."""
    return InstrumentationScope(name=SCOPE_NAME, version=identity.version)


def key_value(key: str, value: str | float | list[str] | list[float]) -> KeyValue:
    """Return one attribute; a boolean, an integer and a double stay what they are."""
    return KeyValue(key=key, value=_any_value(value))


# Most attributes are those of a stream, the same on thousands of points: making them once saves 40 % of a push. Typed, because 1, 1.0
# and True are equal but not the same attribute.
_shared_key_value = lru_cache(maxsize=4096, typed=True)(key_value)


def _any_value(value: str | float | list[str] | list[float]) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def _request(
    batch: Iterable[metrics_pb2.Metric], identity: Identity
) -> ExportMetricsServiceRequest:
    scoped = metrics_pb2.ScopeMetrics(scope=scope(identity), metrics=batch, schema_url=SCHEMA_URL)
    return ExportMetricsServiceRequest(
        resource_metrics=[
            metrics_pb2.ResourceMetrics(resource=resource(identity), scope_metrics=[scoped])
        ]
    )


def _batches(metrics: Iterable[Metric], now_ns: int) -> Iterator[list[metrics_pb2.Metric]]:
    """Yield lists of metrics with at most `MAX_REQUEST_POINTS` points together; a large metric is cut."""
    batch: list[metrics_pb2.Metric] = []
    room = MAX_REQUEST_POINTS
    for metric in metrics:
        begin = 0
        while begin < len(metric.points):
            part = metric.points[begin : begin + room]
            batch.append(_metric(metric, part, now_ns))
            begin += len(part)
            room -= len(part)
            if not room:
                yield batch
                batch, room = [], MAX_REQUEST_POINTS
    if batch:
        yield batch


def _metric(metric: Metric, points: Iterable[Point], now_ns: int) -> metrics_pb2.Metric:
    definition = metric.definition
    is_int = definition.value_type == "int"
    message = metrics_pb2.Metric(
        name=definition.name, description=definition.description, unit=definition.unit
    )
    if definition.instrument == "histogram":
        boundaries = definition.boundaries
        message.histogram.data_points.extend(_histogram(p, boundaries, now_ns) for p in points)
        message.histogram.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
        return message
    written = [_number(point, now_ns, is_int=is_int) for point in points]
    if definition.instrument == "gauge":
        message.gauge.data_points.extend(written)
        return message
    message.sum.data_points.extend(written)
    message.sum.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    message.sum.is_monotonic = definition.instrument == "counter"
    return message


def _histogram(
    point: Point, boundaries: tuple[float, ...], now_ns: int
) -> metrics_pb2.HistogramDataPoint:
    buckets = point.buckets or ()
    return metrics_pb2.HistogramDataPoint(
        attributes=[_shared_key_value(key, value) for key, value in point.attributes],
        start_time_unix_nano=point.start_ns,
        time_unix_nano=now_ns,
        count=sum(buckets),
        sum=point.value,
        bucket_counts=buckets,
        explicit_bounds=boundaries,
        exemplars=[
            metrics_pb2.Exemplar(
                as_double=exemplar.value,
                time_unix_nano=exemplar.time_ns,
                trace_id=exemplar.trace_id,
                span_id=exemplar.span_id,
            )
            for exemplar in point.exemplars
        ],
    )


def _number(point: Point, now_ns: int, *, is_int: bool) -> metrics_pb2.NumberDataPoint:
    written = metrics_pb2.NumberDataPoint(
        attributes=[_shared_key_value(key, value) for key, value in point.attributes],
        start_time_unix_nano=point.start_ns,
        time_unix_nano=now_ns,
    )
    if is_int:
        written.as_int = int(point.value)
    else:
        written.as_double = float(point.value)
    return written
