"""
What the processor says of itself: counters that exist, at 0, before anything is counted.

Spans received and sent have the names and attributes that a collector gives them, so that existing dashboards work; everything else is
`ml.processor.*` of the registry.
"""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import ML_PROCESSOR_CAUSE
from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_CLAMPED,
    METRIC_ML_PROCESSOR_DUPLICATES,
    METRIC_ML_PROCESSOR_EXPORT_FAILED,
    METRIC_ML_PROCESSOR_FAILURES,
    METRIC_ML_PROCESSOR_LATE,
    METRIC_ML_PROCESSOR_OVERFLOW,
    METRIC_ML_PROCESSOR_REFUSED,
    METRIC_ML_PROCESSOR_UNANNOTATED,
    METRIC_ML_PROCESSOR_UNDECODED,
    METRIC_ML_PROCESSOR_VERDICTS_DROPPED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ACCEPTED_SPANS",
    "OTHER_CAUSE",
    "REFUSED_SPANS",
    "SEND_FAILED_SPANS",
    "SENT_SPANS",
    "SelfMetrics",
]

ACCEPTED_SPANS: Final = "otelcol_receiver_accepted_spans"
REFUSED_SPANS: Final = "otelcol_receiver_refused_spans"
SENT_SPANS: Final = "otelcol_exporter_sent_spans"
SEND_FAILED_SPANS: Final = "otelcol_exporter_send_failed_spans"

OTHER_CAUSE: Final = "other"
"""Where a cause is counted that was not declared: the number of series is fixed at start."""

_RECEIVER: Final[Mapping[str, str]] = MappingProxyType({"receiver": "otlp", "transport": "grpc"})
_EXPORTER: Final[Mapping[str, str]] = MappingProxyType({"exporter": "otlp"})
_COLLECTOR_COUNTERS: Final[Mapping[str, Mapping[str, str]]] = {
    ACCEPTED_SPANS: _RECEIVER,
    REFUSED_SPANS: _RECEIVER,
    SENT_SPANS: _EXPORTER,
    SEND_FAILED_SPANS: _EXPORTER,
}
_PROCESSOR_COUNTERS: Final = (
    METRIC_ML_PROCESSOR_UNDECODED,
    METRIC_ML_PROCESSOR_DUPLICATES,
    METRIC_ML_PROCESSOR_LATE,
    METRIC_ML_PROCESSOR_CLAMPED,
    METRIC_ML_PROCESSOR_OVERFLOW,
    METRIC_ML_PROCESSOR_UNANNOTATED,
    METRIC_ML_PROCESSOR_VERDICTS_DROPPED,
    METRIC_ML_PROCESSOR_REFUSED,
    METRIC_ML_PROCESSOR_EXPORT_FAILED,
    METRIC_ML_PROCESSOR_FAILURES,
)


class SelfMetrics:
    """
    Counters of the processor's own doings; safe to use from any thread.

    *causes* maps the name of a counter to the values that `ml.processor.cause` may take there (any `(str, Enum)` class will do); a
    counter that is not in it has one series without a cause.
    """

    __slots__ = ("_counts", "_lock")

    def __init__(self, causes: Mapping[str, Iterable[str]] = MappingProxyType({})) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {(name, ""): 0 for name in _COLLECTOR_COUNTERS}
        for name in _PROCESSOR_COUNTERS:
            declared = [str.__str__(cause) for cause in causes.get(name, ())]
            series = [*declared, OTHER_CAUSE] if declared else [""]
            self._counts.update({(name, cause): 0 for cause in series})

    def add(self, name: str, amount: int = 1, cause: str = "") -> None:
        """
        Count *amount* >= 0 more under *name* and *cause*; an undeclared cause counts as `OTHER_CAUSE`.

        Raises:
            KeyError: If no counter has that name.
        """
        key = (name, str.__str__(cause))
        if key not in self._counts:
            key = (name, OTHER_CAUSE) if (name, OTHER_CAUSE) in self._counts else (name, "")
        with self._lock:
            self._counts[key] += amount

    def snapshot(self) -> list[tuple[str, Mapping[str, str], int]]:
        """Return every series as name, attributes and count, all of the same instant."""
        with self._lock:
            counts = list(self._counts.items())
        return [(name, _attributes(name, cause), count) for (name, cause), count in counts]


def _attributes(name: str, cause: str) -> Mapping[str, str]:
    return _COLLECTOR_COUNTERS.get(name) or ({ML_PROCESSOR_CAUSE: cause} if cause else {})
