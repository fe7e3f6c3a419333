"""The reference by the hour: what a window is compared with where traffic of the night differs from that of the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.profile import Season

__all__ = ["N_HOURS", "SeasonalReference", "hours_of"]

N_HOURS: Final[dict[Season, int]] = {"hour_of_day": 24, "hour_of_week": 168}
"""How many hours there are until the season begins again."""
_HOUR_NS: Final = 3_600_000_000_000
_MONDAY: Final = 72
"""1970 began on a Thursday; hours of the week are counted from Monday on."""


def hours_of(season: Season, times_ns: IntArray) -> IntArray:
    """Return the hour of the season of each time, in [0, `N_HOURS`), UTC; hour 0 begins at midnight, of the week's on Monday."""
    return (times_ns // _HOUR_NS + _MONDAY) % N_HOURS[season]


@dataclass(frozen=True, slots=True, eq=False)
class SeasonalReference:
    """
    How the reference was in each hour of the *season*, all targets side by side in one block.

    `shares` has shape (n_hours, n_counts): which part of a target's rows lay in which cell or slot. `inverse_rows` has shape (n_hours, n_targets):
    one over how many rows of a target there were. An hour in which the reference has no row of a target is taken to be as the whole.
    """

    season: Season
    shares: FloatArray
    inverse_rows: FloatArray

    @classmethod
    def of(
        cls, season: Season, by_hour: Sequence[IntArray], whole: Sequence[IntArray]
    ) -> SeasonalReference:
        """
        Return the reference of targets whose counts are *by_hour*, each of shape (n_hours, n_cells + N_SLOTS), and *whole* without regard to the hour.

        Raises:
            ValueError: If a target has other cells in an hour than on the whole, or not as many hours as there are.
        """
        for counts, total in zip(by_hour, whole, strict=True):
            if counts.shape != (N_HOURS[season], len(total)):
                raise ValueError(
                    f"expected counts of shape {(N_HOURS[season], len(total))}, got {counts.shape}"
                )
        filled = [
            np.where(rows_of(counts)[:, np.newaxis] > 0, counts, total)
            for counts, total in zip(by_hour, whole, strict=True)
        ]
        rows = np.stack([np.maximum(rows_of(counts), 1) for counts in filled], axis=1)
        shares = [counts / rows[:, [i]] for i, counts in enumerate(filled)]
        return cls(season, np.concatenate(shares, axis=1), 1.0 / rows)

    @property
    def n_hours(self) -> int:
        """Hours until the season begins again."""
        return len(self.shares)

    def mixed(self, rows: IntArray, places: Sequence[slice]) -> list[IntArray]:
        """
        Return for each target the counts that a window is compared with which has so many *rows* in each hour, shape (n_hours,), one at least.

        Shares are those of the hours, weighted by *rows*: p = sum(w_h p_h). Their number n is that of independent rows which would tell p as
        surely: 1 / n = sum(w_h^2 / n_h). A window within one hour is thus compared with just that hour, and one whose rows are spread as those of the reference
        with all of it. Between hours a window varies less than n independent rows would, so that what is promised of these holds.

        Args:
            rows: Rows of the window in each hour.
            places: Where in the block each target lies.
        """
        weights = rows / rows.sum()
        shares, n = weights @ self.shares, 1.0 / (weights**2 @ self.inverse_rows)
        return [
            np.rint(shares[place] * rows_told).astype(np.int64)
            for place, rows_told in zip(places, n.tolist(), strict=True)
        ]


def rows_of(counts: IntArray) -> IntArray:
    """Return how many rows *counts* are of, over the last axis: each row is in one cell or one of the exclusive slots."""
    rows: IntArray = counts[..., : counts.shape[-1] - N_SLOTS + N_EXCLUSIVE].sum(axis=-1)
    return rows
