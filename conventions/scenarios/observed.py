"""What has been emitted, flat and plain: spans, metrics and events as a reader of the conventions thinks of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from otel_ml_conventions.otlp_messages import attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Event", "Metric", "Observed", "Point", "Span", "observe"]

_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUSES: Final = ("unset", "ok", "error")
_SEVERITY_STEP: Final = 4
_SEVERITIES: Final = ("trace", "debug", "info", "warn", "error", "fatal")


@dataclass(frozen=True, slots=True)
class Event:
    """A log record with a name, or an event of a span (its severity is then empty)."""

    name: str
    severity: str
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Span:
    """A span; `parent` is the name of the span above it, empty where that is not among those observed."""

    name: str
    kind: str
    status: str
    message: str
    parent: str
    attributes: Mapping[str, object]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a metric: `value` of a number, `count` and `sum` of a histogram."""

    attributes: Mapping[str, object]
    value: float | None = None
    count: int | None = None
    sum: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric with the points that it had at the end."""

    name: str
    unit: str
    instrument: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a scenario has emitted, in the order of arrival."""

    spans: tuple[Span, ...]
    metrics: tuple[Metric, ...]
    events: tuple[Event, ...]

    def attributes(self) -> Iterator[Mapping[str, object]]:
        """Give the attributes of every span, of every event, also of spans, and of every point."""
        yield from (span.attributes for span in self.spans)
        yield from (event.attributes for span in self.spans for event in span.events)
        yield from (event.attributes for event in self.events)
        yield from (point.attributes for metric in self.metrics for point in metric.points)


def observe(requests: Iterable[Any]) -> Observed:
    """Return what the export *requests* say; of a metric that came several times, the last."""
    requests = tuple(requests)
    return Observed(
        spans=tuple(_spans(requests)),
        metrics=tuple({metric.name: metric for metric in _metrics(requests)}.values()),
        events=tuple(
            _event(record)
            for request in requests
            for group in getattr(request, "resource_logs", ())
            for scoped in group.scope_logs
            for record in scoped.log_records
        ),
    )


def _spans(requests: Iterable[Any]) -> Iterator[Span]:
    spans = [
        span
        for request in requests
        for group in getattr(request, "resource_spans", ())
        for scoped in group.scope_spans
        for span in scoped.spans
    ]
    names = {span.span_id: span.name for span in spans}
    for span in spans:
        yield Span(
            name=span.name,
            kind=_KINDS[span.kind],
            status=_STATUSES[span.status.code],
            message=span.status.message,
            parent=names.get(span.parent_span_id, ""),
            attributes=attributes_of(span.attributes),
            events=tuple(
                Event(event.name, "", attributes_of(event.attributes)) for event in span.events
            ),
        )


def _event(record: Any) -> Event:
    step = max(0, record.severity_number - 1) // _SEVERITY_STEP
    severity = _SEVERITIES[step] if record.severity_number else ""
    return Event(record.event_name, severity, attributes_of(record.attributes))


def _metrics(requests: Iterable[Any]) -> Iterator[Metric]:
    for request in requests:
        for group in getattr(request, "resource_metrics", ()):
            for scoped in group.scope_metrics:
                for metric in scoped.metrics:
                    yield _metric(metric)


def _metric(metric: Any) -> Metric:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    is_sum = kind == "sum"
    instrument = ("counter" if data.is_monotonic else "updowncounter") if is_sum else kind
    return Metric(metric.name, metric.unit, instrument, tuple(map(_point, data.data_points)))


def _point(point: Any) -> Point:
    attributes = attributes_of(point.attributes)
    if hasattr(point, "bucket_counts"):
        return Point(attributes, count=point.count, sum=point.sum)
    return Point(attributes, value=getattr(point, point.WhichOneof("value")))
