"""Numbers counted in bins whose edges were fixed on the reference."""

from __future__ import annotations

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
        cells = slots_by_kind(column, self.n_cells)
        numeric = _is_numeric(column)
        cells[numeric] = self._bin_of(column.numbers[numeric])
        is_infinite = np.array([text in _INFINITIES for text in column.dictionary], dtype=bool)
        if is_infinite.any():
            texts = np.flatnonzero(column.kinds == Kind.TEXT)
            cells[texts[is_infinite[column.texts[texts]]]] = self.n_cells + Slot.NON_FINITE
        return cells

    def outside(self, column: ValueColumn) -> IntArray:
        """Return -1 for finite numbers below the reference's range, +1 above it, 0 for all else, shape (n_rows,)."""
        finite = _is_numeric(column) & np.isfinite(column.numbers)
        below = finite & (column.numbers < self.minimum)
        above = finite & (column.numbers > self.maximum)
        return above.astype(np.int64) - below.astype(np.int64)

    def count(self, column: ValueColumn) -> IntArray:
        """Return the rows per bin and slot, shape (n_cells + N_SLOTS,); zeros for an empty column."""
        counts = np.bincount(self.assign(column) + 1, minlength=self.n_cells + N_SLOTS + 1)[1:]
        outside = self.outside(column)
        counts[self.n_cells + Slot.BELOW_RANGE] = np.count_nonzero(outside < 0)
        counts[self.n_cells + Slot.ABOVE_RANGE] = np.count_nonzero(outside > 0)
        return counts

    def _bin_of(self, numbers: FloatArray) -> IntArray:
        # `left` makes a bin closed on the right: a value equal to an edge stays below it.
        cells = np.searchsorted(self.edges, numbers, side="left")
        cells[np.isinf(numbers)] = self.n_cells + Slot.NON_FINITE
        cells[np.isnan(numbers)] = self.n_cells + Slot.MISSING
        return cells


def _is_numeric(column: ValueColumn) -> NDArray[np.bool_]:
    is_numeric: NDArray[np.bool_] = (column.kinds == Kind.NUMBER) | (column.kinds == Kind.BOOLEAN)
    return is_numeric
