"""How many items a request has, told by its framing alone: what they say is not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from otel_ml_processor.decode.wire import Framing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["n_log_records", "n_metric_points", "n_spans"]

_Level: TypeAlias = "Mapping[int, str]"
"""Which fields of a message lead to its items, and what they are called."""

_SPANS: Final[Sequence[_Level]] = ({1: "resource_spans"}, {2: "scope_spans"}, {2: "spans"})
_LOG_RECORDS: Final[Sequence[_Level]] = (
    {1: "resource_logs"},
    {2: "scope_logs"},
    {2: "log_records"},
)
_METRIC_POINTS: Final[Sequence[_Level]] = (
    {1: "resource_metrics"},
    {2: "scope_metrics"},
    {2: "metrics"},
    {5: "gauge", 7: "sum", 9: "histogram", 10: "exponential_histogram", 11: "summary"},
    {1: "data_points"},
)


def n_spans(request: bytes) -> int:
    """Return how many spans an `ExportTraceServiceRequest` has; MalformedRequest if it is none."""
    framing = Framing(request, "ExportTraceServiceRequest")
    return _count(framing, 0, len(request), "request", _SPANS)


def n_log_records(request: bytes) -> int:
    """Return how many records an `ExportLogsServiceRequest` has; MalformedRequest if it is none."""
    framing = Framing(request, "ExportLogsServiceRequest")
    return _count(framing, 0, len(request), "request", _LOG_RECORDS)


def n_metric_points(request: bytes) -> int:
    """Return how many data points an `ExportMetricsServiceRequest` has; MalformedRequest if it is none."""
    framing = Framing(request, "ExportMetricsServiceRequest")
    return _count(framing, 0, len(request), "request", _METRIC_POINTS)


def _count(framing: Framing, start: int, end: int, path: str, levels: Sequence[_Level]) -> int:
    level, *below = levels
    children = _children(framing, start, end, path, level)
    if not below:
        return sum(1 for _ in children)
    return sum(_count(framing, *child, below) for child in children)


def _children(
    framing: Framing, start: int, end: int, path: str, level: _Level
) -> Iterator[tuple[int, int, str]]:
    """Yield begin, end and path of the messages in `[start, end)` that *level* names."""
    position = 0
    for number, place in framing.messages(start, end, None, path):
        if number in level:
            yield place.start, place.end, f"{path}.{level[number]}[{position}]"
            position += 1
