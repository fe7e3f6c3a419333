"""The rows of a table by the hour they are of: the seasonal part of a profile, and what its own windows are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.profile import HourlyCounts
from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS
from otel_ml_processor.windows.seasons import N_HOURS, hours_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.profile import Season

__all__ = ["TableHours"]


@dataclass(frozen=True, slots=True, eq=False)
class TableHours:
    """The hour of the *season* of every row of a table, -1 for those without a time, shape (n_rows,)."""

    season: Season
    hours: IntArray

    @classmethod
    def of(cls, season: Season, times_ns: IntArray, has_time: NDArray[np.bool_]) -> TableHours:
        """Return the hours of rows with these times."""
        return cls(season, np.where(has_time, hours_of(season, times_ns), -1))

    def part(self, columns: Sequence[tuple[NDArray[np.int16], int]]) -> HourlyCounts:
        """Return the rows of each of *columns* (the place of every row, -1 nowhere; how many places there are) by hour and place."""
        counts = [
            self._counts(cells, width)[:, : N_EXCLUSIVE - N_SLOTS] for cells, width in columns
        ]
        return HourlyCounts(season=self.season, counts=[of_column.tolist() for of_column in counts])

    def rest(self, cells: NDArray[np.int16], windows: IntArray, counts: IntArray) -> IntArray:
        """
        Return what each window of the table is compared with: the rest of the table, in the hours of the window's rows.

        It is what `SeasonalReference.mixed` says of a window, with the window's own rows left out. An hour that is all the window's own
        counts as the rest of the whole table does.

        Args:
            cells: The place of every row, -1 nowhere.
            windows: The window of every row, -1 for none.
            counts: Rows by window and place, shape (n_windows, width).
        """
        n_windows, width = counts.shape
        whole = self._counts(cells, width).sum(axis=0) - counts
        shares, spread = np.zeros(counts.shape), np.zeros(n_windows)
        in_windows = np.maximum(rows_of(counts), 1)
        for hour in range(N_HOURS[self.season]):
            rows = np.flatnonzero((self.hours == hour) & (cells >= 0))
            total = np.bincount(cells[rows], minlength=width)
            rows = rows[windows[rows] >= 0]
            places = windows[rows] * width + cells[rows]
            own = np.bincount(places, minlength=counts.size).reshape(counts.shape)
            rest = np.where((rows_of(total) > rows_of(own))[:, np.newaxis], total - own, whole)
            weights, n_rest = rows_of(own) / in_windows, np.maximum(rows_of(rest), 1)
            shares += weights[:, np.newaxis] * rest / n_rest[:, np.newaxis]
            spread += weights**2 / n_rest
        n = np.divide(1.0, spread, out=np.zeros(n_windows), where=spread > 0)
        return np.rint(shares * n[:, np.newaxis]).astype(np.int64)

    def _counts(self, cells: NDArray[np.int16], width: int) -> IntArray:
        counted = (self.hours >= 0) & (cells >= 0)
        n_hours = N_HOURS[self.season]
        places = self.hours[counted] * width + cells[counted]
        return np.bincount(places, minlength=n_hours * width).reshape(n_hours, width)
