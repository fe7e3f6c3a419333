"""How sure a window's predictions were."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.sketches.fast_scores import count_scores
from otel_ml_processor.sketches.moments import Moments

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray

__all__ = ["N_GRID_CELLS", "ScoreHistogram"]

N_GRID_CELLS: Final = 1000
_GRID: Final[FloatArray] = np.arange(1, N_GRID_CELLS) / N_GRID_CELLS


class ScoreHistogram:
    """
    Confidence on a grid of 1000 equal cells over [0, 1], the number below `threshold`, and the means of confidence, entropy and margin.

    8 kB whatever it has seen; add in any parts, merge in any order: the same integers. Cells are closed on the right. NaN means "not
    said"; a value outside [0, 1] is counted as invalid by its `Moments` and nowhere else.
    """

    __slots__ = ("confidence", "counts", "entropy", "low", "margin", "threshold")

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.low = 0
        self.counts: IntArray = np.zeros(N_GRID_CELLS, dtype=np.int64)
        self.confidence = Moments()
        self.entropy = Moments()
        self.margin = Moments()

    def add(self, confidences: FloatArray, entropies: FloatArray, margins: FloatArray) -> None:
        """Add rows; all arrays have shape (n_rows,)."""
        if not IS_COMPILED:
            self._add_plain(confidences, entropies, margins)
            return
        scores = confidences, entropies, margins
        sums, low = count_scores(scores, self.threshold, _GRID, self.counts)
        self.low += low
        for moments, of_score in zip(
            (self.confidence, self.entropy, self.margin), sums, strict=True
        ):
            moments.add_sums(*of_score)

    def _add_plain(
        self, confidences: FloatArray, entropies: FloatArray, margins: FloatArray
    ) -> None:
        valid = self.confidence.add(confidences)
        if len(valid):
            self.low += int(np.count_nonzero(valid < self.threshold))
            cells = _GRID.searchsorted(valid, side="left")
            self.counts += np.bincount(cells, minlength=N_GRID_CELLS)
        self.entropy.add(entropies)
        self.margin.add(margins)

    def merge(self, other: ScoreHistogram) -> None:
        """
        Add what *other* counted.

        Raises:
            ValueError: If the two count `low` below different thresholds.
        """
        if other.threshold != self.threshold:
            raise ValueError(
                f"one histogram counts confidence below {self.threshold} as low, the other below "
                f"{other.threshold}; both must use the same threshold"
            )
        self.low += other.low
        self.counts += other.counts
        self.confidence.merge(other.confidence)
        self.entropy.merge(other.entropy)
        self.margin.merge(other.margin)

    def quantile(self, level: float) -> float:
        """
        Return the confidence that a share of *level* of the rows do not exceed, *level* in [0, 1].

        It is the upper end of the cell with the row of rank ceil(level * rows): never below the exact quantile, at most .001 above,
        and equal to it for multiples of .001. NaN of nothing.
        """
        rows = int(self.counts.sum())
        if rows == 0:
            return math.nan
        # Rounded, because .07 * 100 is 7.000000000000001 and would be the eighth row.
        rank = max(1, math.ceil(round(level * rows, 6)))
        cell = int(np.searchsorted(np.cumsum(self.counts), rank))
        return (cell + 1) / N_GRID_CELLS
