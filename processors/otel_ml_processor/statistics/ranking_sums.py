"""How well lists were ordered, summed up over lists whose items' relevance becomes known bit by bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_ml_processor.statistics.ranking import (
    average_precision,
    normalized_discounted_gain,
    reciprocal_rank,
)

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray

__all__ = ["RankingSums"]


@dataclass(slots=True)
class RankingSums:
    """
    Lists, those of them with a relevant item, and the sums of what they score.

    A list without a relevant item has a reciprocal rank of 0, and neither a gain nor a precision: it counts in `mrr` alone.
    """

    lists: int = 0
    relevant: int = 0
    gains: float = 0.0
    precisions: float = 0.0
    reciprocals: float = 0.0

    def add(self, relevance: FloatArray) -> None:
        """Count a list by the relevance of its items in their order, see `normalized_discounted_gain`."""
        self._add(relevance, 1)

    def take_back(self, relevance: FloatArray) -> None:
        """Count a list no more that was added with the same *relevance*."""
        self._add(relevance, -1)

    def merge(self, other: RankingSums) -> None:
        """Add what *other* counted."""
        self.lists += other.lists
        self.relevant += other.relevant
        self.gains += other.gains
        self.precisions += other.precisions
        self.reciprocals += other.reciprocals

    @property
    def scores(self) -> dict[str, float]:
        """The means by name, in [0, 1], NaN where there is none: `ndcg`, `map`, `mrr`."""
        return {
            "ndcg": self.gains / self.relevant if self.relevant else math.nan,
            "map": self.precisions / self.relevant if self.relevant else math.nan,
            "mrr": self.reciprocals / self.lists if self.lists else math.nan,
        }

    def _add(self, relevance: FloatArray, times: int) -> None:
        self.lists += times
        if not (relevance > 0).any():
            return
        self.relevant += times
        self.gains += times * normalized_discounted_gain(relevance)
        self.precisions += times * average_precision(relevance)
        self.reciprocals += times * reciprocal_rank(relevance)
