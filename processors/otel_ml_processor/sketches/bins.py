"""Numbers counted in bins whose edges were fixed on the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.columns import Kind
from otel_ml_processor.sketches.kinds import slots_by_kind
from otel_ml_processor.sketches.slots import N_SLOTS, Slot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import FloatArray, IntArray, ValueColumn

__all__ = ["Bins"]

_INFINITIES: Final = frozenset({"Infinity", "-Infinity"})
"""How JSON writers spell what JSON has no number for."""


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """
    Bins of a numeric column, closed on the right: bin i holds `edges[i - 1] < value <= edges[i]`.

    `edges` are the inner ones, strictly ascending, shape (n_cells - 1,); the two outer bins are open-ended, so that every finite
    number has a bin. `minimum` and `maximum` are the range of the reference.
    """

    edges: FloatArray
    minimum: float
    maximum: float

    @property
    def n_cells(self) -> int:
        """Number of bins, at least 1."""
        return len(self.edges) + 1

    def assign(self, column: ValueColumn) -> IntArray:
        """
        Return where each row is counted, shape (n_rows,).

        A bin in [0, n_cells); or n_cells plus a `Slot`: MISSING for null and NaN, NON_FINITE for an infinity (also as JSON text),
        TYPE_ERROR for every other text, a list or a map; or -1 where nothing was captured. A boolean is 0 or 1. Never raises.
        """
        # `left` makes a bin closed on the right: a value equal to an edge stays below it. Rows that are no number are NaN, so the
        # common case, all finite, is done here.
        bins = self.edges.searchsorted(column.numbers, side="left")
        if all(map(math.isfinite, _range(column.numbers))):
            return bins
        is_finite = np.isfinite(column.numbers)
        cells = np.where(is_finite, bins, slots_by_kind(self.n_cells)[column.kinds])
        cells[(column.kinds == Kind.NUMBER) & np.isnan(column.numbers)] = (
            self.n_cells + Slot.MISSING
        )
        infinite = [i for i, text in enumerate(column.dictionary) if text in _INFINITIES]
        if infinite:
            is_infinite = (column.kinds == Kind.TEXT) & np.isin(column.texts, infinite)
            cells[is_infinite] = self.n_cells + Slot.NON_FINITE
        return cells

    def outside(self, column: ValueColumn) -> IntArray:
        """Return -1 for finite numbers below the reference's range, +1 above it, 0 for all else, shape (n_rows,)."""
        lowest, highest = _range(column.numbers)
        if self.minimum <= lowest and highest <= self.maximum:
            return np.zeros(len(column), dtype=np.int64)  # the common case
        return self._above(column).astype(np.int64) - self._below(column)

    def count(self, column: ValueColumn) -> IntArray:
        """Return the rows per bin and slot, shape (n_cells + N_SLOTS,); zeros for an empty column."""
        counts = np.bincount(self.assign(column) + 1, minlength=self.n_cells + N_SLOTS + 1)[1:]
        counts[self.n_cells + Slot.BELOW_RANGE] = np.count_nonzero(self._below(column))
        counts[self.n_cells + Slot.ABOVE_RANGE] = np.count_nonzero(self._above(column))
        return counts

    def _below(self, column: ValueColumn) -> NDArray[np.bool_]:
        below: NDArray[np.bool_] = (column.numbers < self.minimum) & (column.numbers != -np.inf)
        return below

    def _above(self, column: ValueColumn) -> NDArray[np.bool_]:
        above: NDArray[np.bool_] = (column.numbers > self.maximum) & (column.numbers != np.inf)
        return above


def _range(numbers: FloatArray) -> tuple[float, float]:
    """Return the smallest and the largest number; NaN if one is NaN, zeros where there is none."""
    # Two passes over memory that is in the cache cost less than one temporary array.
    return (numbers.min(), numbers.max()) if len(numbers) else (0.0, 0.0)
