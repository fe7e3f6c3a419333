"""Windows are compared with the reference of their own hours."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.windows.seasons import N_HOURS, SeasonalReference, hours_of

HOUR = 3_600_000_000_000
MONDAY = 1_699_833_600_000_000_000  # 2023-11-13, a Monday, 00:00 UTC
PLACES = [slice(0, 2 + N_SLOTS)]


def seasonal(by_hour: dict[int, list[int]], whole: list[int]) -> SeasonalReference:
    """Return the reference of one target with two cells: the counts of some hours of the day, all others being empty."""
    counts = np.zeros((24, 2 + N_SLOTS), dtype=np.int64)
    for hour, cells in by_hour.items():
        counts[hour, : len(cells)] = cells
    total = np.array([*whole, *[0] * N_SLOTS], dtype=np.int64)
    return SeasonalReference.of("hour_of_day", [counts], [total])


def mixed(season: SeasonalReference, rows: dict[int, int]) -> list[int]:
    """Return what a window with so many rows in some hours is compared with."""
    of_hours = np.zeros(24, dtype=np.int64)
    for hour, n in rows.items():
        of_hours[hour] = n
    (counts,) = season.mixed(of_hours, PLACES)
    return [int(count) for count in counts[:3]]


@pytest.mark.parametrize(
    ("season", "hours_later", "expected"),
    [
        ("hour_of_day", 0, 0),
        ("hour_of_day", 23, 23),
        ("hour_of_day", 24 * 5 + 7, 7),
        ("hour_of_week", 0, 0),
        ("hour_of_week", 24 * 6 + 23, 167),
        ("hour_of_week", 168, 0),
        ("hour_of_week", -1, 167),
    ],
)
def test_an_hour_is_that_of_the_clock_in_utc(season: str, hours_later: int, expected: int) -> None:
    """Hour 0 of the day is midnight, hour 0 of the week midnight on Monday; the last nanosecond of an hour belongs to it."""
    times = np.array([MONDAY + hours_later * HOUR, MONDAY + (hours_later + 1) * HOUR - 1])
    assert hours_of(season, times).tolist() == [expected, expected]  # type: ignore[arg-type]  # a parameter is a text


def test_a_window_within_an_hour_is_compared_with_that_hour() -> None:
    """All the rows that the reference has of it, and none of any other."""
    season = seasonal({3: [30, 10], 15: [5, 995]}, [35, 1005])
    assert mixed(season, {3: 7}) == [30, 10, 0]


def test_a_window_spread_like_the_reference_is_compared_with_all_of_it() -> None:
    """A day of which each hour has its usual part of the rows needs no season."""
    season = seasonal({3: [30, 10], 15: [60, 20, 0]}, [90, 30])
    assert mixed(season, {3: 100, 15: 200}) == [90, 30, 0]


def test_hours_are_weighted_by_the_rows_of_the_window() -> None:
    """By hand: shares (1, 0) and (0, 1), weights 3/4 and 1/4, 100 rows each: n = 1 / (9/1600 + 1/1600) = 160."""
    season = seasonal({3: [100, 0], 15: [0, 100]}, [100, 100])
    assert mixed(season, {3: 30, 15: 10}) == [120, 40, 0]


def test_an_hour_that_the_reference_does_not_know_is_taken_to_be_as_the_whole() -> None:
    """A shop that was closed at night when the profile was built is compared with its day."""
    season = seasonal({15: [60, 20]}, [60, 20])
    assert mixed(season, {4: 10}) == [60, 20, 0]


def test_missing_rows_have_their_hours_too() -> None:
    """A sensor that is off at night is missing then, and that is no drift; a slot is a part of the rows as a cell is."""
    season = seasonal({3: [0, 0, 50], 15: [50, 50, 0]}, [50, 50])
    assert mixed(season, {3: 5}) == [0, 0, 50]


def test_other_cells_than_those_of_the_whole_are_refused() -> None:
    """An hour with fewer cells would be compared with the wrong ones."""
    whole = np.zeros(2 + N_SLOTS, dtype=np.int64)
    for shape in [(24, 1 + N_SLOTS), (N_HOURS["hour_of_week"], 2 + N_SLOTS)]:
        with pytest.raises(ValueError, match="expected counts of shape"):
            SeasonalReference.of("hour_of_day", [np.zeros(shape, dtype=np.int64)], [whole])


def test_the_effective_rows_tell_the_mixture_as_surely_as_the_hours_do() -> None:
    """
    Drawn 4000 times: the variance of the mixed share of a cell is that of so many independent rows, or less.

    The expected variance is sum(w^2 p (1 - p) / n) over the hours, in closed form; p (1 - p) / n of the mixture is never below it.
    """
    rng = np.random.default_rng(3)
    p, n, w = np.array([0.1, 0.6]), np.array([400, 100]), np.array([0.5, 0.5])
    exact = float((w**2 * p * (1 - p) / n).sum())
    found, claimed = [], []
    for _ in range(4000):
        hits = rng.binomial(n, p)
        season = seasonal({0: [hits[0], 400 - hits[0]], 1: [hits[1], 100 - hits[1]]}, [1, 1])
        first, second, _ = mixed(season, {0: 10, 1: 10})
        share, rows = first / (first + second), first + second
        found.append(share)
        claimed.append(share * (1 - share) / rows)
    assert np.var(found) == pytest.approx(exact, rel=0.1)
    assert np.mean(claimed) >= exact
