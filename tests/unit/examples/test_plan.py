"""How many flights fit the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plan
import pytest

if TYPE_CHECKING:
    import pandas as pd


@pytest.mark.parametrize(
    ("seconds", "rows"), [(1, 200), (40, 200), (100, 500), (180, 900), (3600, 900)]
)
def test_a_window_has_as_many_rows_as_the_time_allows(seconds: float, rows: int) -> None:
    """At sixty flights a second twelve windows fit the time; never fewer rows than are tested, never more than 900."""
    pace = plan.pace_for(seconds)
    assert pace.rows == rows
    assert pace.per_second == pace.rows / 2.5


@pytest.mark.parametrize(
    ("measured", "seconds", "windows"), [(80, 30, 12), (20, 10, 10), (1000, 60, 24)]
)
def test_the_year_fills_the_time_in_whole_windows(
    year: pd.DataFrame, measured: float, seconds: float, windows: int
) -> None:
    """As many as were measured to fit; at least one a month, however slow the machine, and no more than one can read."""
    rows = plan.year_flights(year, plan.Pace(200, 80), measured, seconds)
    assert len(rows) == windows * 200
    assert rows["departed"].is_monotonic_increasing
    assert set(rows["date"].dt.month) == set(range(3, 13))


def test_the_control_is_winter_in_random_order(year: pd.DataFrame) -> None:
    """Two windows of January and February, not in the order of time, each flight once, and the same ones in every demo."""
    rows = plan.control_flights(year, plan.Pace(300, 80))
    assert len(rows) == plan.CONTROL_WINDOWS * 300
    assert set(rows["date"].dt.month) == {1, 2}
    assert not rows["departed"].is_monotonic_increasing
    assert rows.index.is_unique
    assert list(plan.control_flights(year, plan.Pace(300, 80)).index) == list(rows.index)
