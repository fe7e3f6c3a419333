"""
What the processor says of itself: counters that exist, at 0, before anything is counted.

What is received and sent has the names that a collector gives it, so that existing dashboards work; everything else is `ml.processor.*` of
the registry.
"""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_conventions.attributes import ML_PROCESSOR_CAUSE
from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_CLAMPED,
    METRIC_ML_PROCESSOR_DUPLICATES,
    METRIC_ML_PROCESSOR_EXPORT_FAILED,
    METRIC_ML_PROCESSOR_FAILURES,
    METRIC_ML_PROCESSOR_LATE,
    METRIC_ML_PROCESSOR_OVERFLOW,
    METRIC_ML_PROCESSOR_REFUSED,
    METRIC_ML_PROCESSOR_STRIPPED,
    METRIC_ML_PROCESSOR_UNANNOTATED,
    METRIC_ML_PROCESSOR_UNDECODED,
    METRIC_ML_PROCESSOR_VERDICTS_DROPPED,
    METRIC_ML_PROCESSOR_WEBHOOKS_DROPPED,
)
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "ACCEPTED_SPANS",
    "BEST_EFFORT",
    "ITEMS",
    "OTHER_CAUSE",
    "REFUSED_SPANS",
    "SEND_FAILED_SPANS",
    "SENT_SPANS",
    "ItemCounters",
    "SelfMetrics",
]


class ItemCounters(NamedTuple):
    """The names under which a collector counts the items of a signal on their way."""

    accepted: str
    refused: str
    sent: str
    send_failed: str
    enqueue_failed: str

    @classmethod
    def of(cls, items: str) -> ItemCounters:
        """Return the names for *items*, such as `spans`."""
        return cls(
            accepted=f"otelcol_receiver_accepted_{items}",
            refused=f"otelcol_receiver_refused_{items}",
            sent=f"otelcol_exporter_sent_{items}",
            send_failed=f"otelcol_exporter_send_failed_{items}",
            enqueue_failed=f"otelcol_exporter_enqueue_failed_{items}",
        )


ITEMS: Final[Mapping[Signal, ItemCounters]] = MappingProxyType(
    {
        Signal.TRACES: ItemCounters.of("spans"),
        Signal.METRICS: ItemCounters.of("metric_points"),
        Signal.LOGS: ItemCounters.of("log_records"),
    }
)

ACCEPTED_SPANS: Final = ITEMS[Signal.TRACES].accepted
REFUSED_SPANS: Final = ITEMS[Signal.TRACES].refused
SENT_SPANS: Final = ITEMS[Signal.TRACES].sent
SEND_FAILED_SPANS: Final = ITEMS[Signal.TRACES].send_failed

BEST_EFFORT: Final = "best_effort"
"""The cause under which is counted what goes to destinations that are not waited for: `exporter` is then `otlp/best_effort`."""
OTHER_CAUSE: Final = "other"
"""Where a cause is counted that was not declared: the number of series is fixed at start."""

_RECEIVER: Final[Mapping[str, str]] = MappingProxyType({"receiver": "otlp"})
_EXPORTER: Final[Mapping[str, str]] = MappingProxyType({"exporter": "otlp"})
_EXPORTER_BEST_EFFORT: Final[Mapping[str, str]] = MappingProxyType(
    {"exporter": f"otlp/{BEST_EFFORT}"}
)


def _of_collector() -> Iterator[tuple[tuple[str, str], Mapping[str, str]]]:
    """Yield name and cause of every series that has a collector's name, with its attributes."""
    for items in ITEMS.values():
        yield (items.accepted, ""), _RECEIVER
        yield (items.refused, ""), _RECEIVER
        yield (items.sent, ""), _EXPORTER
        yield (items.send_failed, ""), _EXPORTER
        for name in (items.sent, items.send_failed, items.enqueue_failed):
            yield (name, BEST_EFFORT), _EXPORTER_BEST_EFFORT


_COLLECTOR_SERIES: Final[Mapping[tuple[str, str], Mapping[str, str]]] = dict(_of_collector())
_PROCESSOR_COUNTERS: Final = (
    METRIC_ML_PROCESSOR_UNDECODED,
    METRIC_ML_PROCESSOR_DUPLICATES,
    METRIC_ML_PROCESSOR_LATE,
    METRIC_ML_PROCESSOR_CLAMPED,
    METRIC_ML_PROCESSOR_OVERFLOW,
    METRIC_ML_PROCESSOR_UNANNOTATED,
    METRIC_ML_PROCESSOR_VERDICTS_DROPPED,
    METRIC_ML_PROCESSOR_WEBHOOKS_DROPPED,
    METRIC_ML_PROCESSOR_STRIPPED,
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
        self._counts: dict[tuple[str, str], int] = dict.fromkeys(_COLLECTOR_SERIES, 0)
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
        key = (name, cause if cause.__class__ is str else str.__str__(cause))
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
    return _COLLECTOR_SERIES.get((name, cause)) or ({ML_PROCESSOR_CAUSE: cause} if cause else {})
