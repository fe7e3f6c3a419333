"""Every metric of the processor by its name: those of the conventions, and what a collector says of itself, by the collector's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_ml_conventions import metrics as names
from otel_ml_conventions.metrics import MetricDefinition
from otel_ml_processor.self_metrics import ITEMS
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_ml_processor.emit.points import Point
    from otel_ml_processor.self_metrics import ItemCounters

__all__ = ["DEFINITIONS", "Metric"]

# The collector's names for what it says of itself, so that dashboards made for a collector work for this hop; no convention of ours.
_ITEM_UNITS: Final = {
    Signal.TRACES: "{span}",
    Signal.METRICS: "{datapoint}",
    Signal.LOGS: "{record}",
}


def _like_collector(counters: ItemCounters, unit: str) -> Iterator[MetricDefinition]:
    items = unit.strip("{}") + "s"
    for name, description in (
        (counters.accepted, f"Number of {items} taken into the pipeline."),
        (counters.refused, f"Number of {items} that were refused."),
        (counters.sent, f"Number of {items} that the next hop acknowledged."),
        (counters.send_failed, f"Number of {items} that the next hop did not acknowledge."),
        (
            counters.enqueue_failed,
            f"Number of {items} for which a best-effort destination had no room.",
        ),
    ):
        yield MetricDefinition(name, "counter", unit, description, "int", ())


DEFINITIONS: Final[Mapping[str, MetricDefinition]] = {
    **names.DEFINITIONS,
    **{
        definition.name: definition
        for signal, counters in ITEMS.items()
        for definition in _like_collector(counters, _ITEM_UNITS[signal])
    },
}


@dataclass(frozen=True, slots=True)
class Metric:
    """All points of one metric."""

    definition: MetricDefinition
    points: tuple[Point, ...]
