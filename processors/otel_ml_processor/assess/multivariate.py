"""Whether features depend on each other as they did: the pair of a window that changed most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.assess.reading import PairReading

if TYPE_CHECKING:
    from otel_ml_processor.windows.pairs import PairReference
    from otel_ml_processor.windows.summary import Comparison

__all__ = ["most_changed_pair"]


def most_changed_pair(comparison: Comparison, pairs: PairReference) -> PairReading | None:
    """Return the pair whose correlation changed most; None where neither side has one that varies."""
    change = pairs.sums.change(comparison.reference, comparison.current, pairs.spreads)
    if change is None:
        return None
    first, second = pairs.named(change.pair)
    return PairReading(first, second, change.before, change.after, change.p_value, change.effect)
