"""How many flights fit the time, and into how many windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from play import thinned
from train import SEED, rest_of_the_year, training_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONTROL_WINDOWS", "Pace", "control_flights", "pace_for", "year_flights"]

CONTROL_WINDOWS = 2
"""Windows of winter flights in random order, before the year: they show that silence is possible."""
_YEAR_WINDOWS = (10, 24)
"""At least one a month; more than the other number nobody reads."""
_MIN_ROWS, _MAX_ROWS = 200, 900
_WINDOW_S = 2.5
"""The processor decides once a second: a window that lasts longer is seen on its page before the next one is complete, and nothing waits for that."""
_EXPECTED_PER_SECOND = 60
_EXPECTED_WINDOWS = 12


@dataclass(frozen=True, slots=True)
class Pace:
    """Flights per window, and the most that are sent in a second."""

    rows: int
    per_second: float


def pace_for(seconds: float) -> Pace:
    """Return the pace for *seconds* of playing: 200 rows per window, the fewest that are tested, up to 900."""
    fitting = int(seconds * _EXPECTED_PER_SECOND / _EXPECTED_WINDOWS)
    rows = max(_MIN_ROWS, min(fitting, _MAX_ROWS))
    return Pace(rows, rows / _WINDOW_S)


def control_flights(rows: pd.DataFrame, pace: Pace) -> pd.DataFrame:
    """Return flights of January and February in random order, always the same ones."""
    return training_rows(rows).sample(CONTROL_WINDOWS * pace.rows, random_state=SEED)


def year_flights(rows: pd.DataFrame, pace: Pace, measured: float, seconds: float) -> pd.DataFrame:
    """
    Return flights of March to December in order, evenly thinned to whole windows.

    As many as *measured* flights per second give in *seconds*, but no less than ten windows: on a slow machine that takes longer.
    """
    fewest, most = _YEAR_WINDOWS
    windows = max(fewest, min(int(measured * seconds / pace.rows), most))
    return thinned(rest_of_the_year(rows), windows * pace.rows)
