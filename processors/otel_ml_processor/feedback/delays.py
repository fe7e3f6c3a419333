"""How long labels take."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.metrics import DEFINITIONS, METRIC_ML_FEEDBACK_DELAY

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BOUNDARIES_S", "Delays"]

BOUNDARIES_S: Final = DEFINITIONS[METRIC_ML_FEEDBACK_DELAY].boundaries
"""Upper ends of the buckets in seconds; a bucket is closed on the right, the last one is open."""


class Delays:
    """Labels by the time from their prediction, and the sum of these times in seconds."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDARIES_S) + 1)
        self.total_s = 0.0

    def add(self, delay_s: float) -> None:
        """Count a label that took *delay_s*, >= 0."""
        self.counts[bisect_left(BOUNDARIES_S, delay_s)] += 1
        self.total_s += delay_s

    def recall(self, counts: Sequence[int], total_s: float) -> None:
        """Go on from what was counted before; ValueError where the buckets are others."""
        if len(counts) != len(self.counts):
            raise ValueError(f"expected {len(self.counts)} buckets of delays, found {len(counts)}")
        self.counts, self.total_s = list(counts), total_s

    def longest_usual_s(self) -> float:
        """Return the upper end of the bucket with the 95 % quantile: never below it; infinite beyond the last boundary, 0 of nothing."""
        left = 0.95 * sum(self.counts)
        if not left:
            return 0.0
        for count, boundary in zip(self.counts, BOUNDARIES_S, strict=False):
            left -= count
            if left <= 0:
                return boundary
        return float("inf")
