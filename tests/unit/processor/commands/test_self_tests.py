"""The reference's own windows."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.assess.self_test import measured_false_alarm_rate
from otel_ml_processor.columns import FloatArray, IntArray
from otel_ml_processor.commands.self_tests import (
    AssignedTarget,
    Division,
    divided_by_time,
    self_tests,
)
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import SelfTest, Source
from otel_ml_processor.windows.reference import Reference, build_profile
from tests.data.value_columns import value_column

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE


def assigned(values: FloatArray) -> AssignedTarget:
    """Return one feature with *values*, counted against itself."""
    source = Source(kind="test", uri="none", rows=len(values))
    profile = build_profile({"x": values}, model="m", source=source, created="2026-01-01")
    target = Reference.of(profile).targets[0]
    cells = target.cells.assign(value_column(values.tolist()))
    return AssignedTarget(target, cells.astype(np.int16))


def measured(
    values: FloatArray, times: IntArray | None = None, window: int | None = None
) -> list[SelfTest]:
    """Return the self-tests of one feature with the default floor."""
    return self_tests(
        [assigned(values)],
        None if times is None else (times, np.full(len(times), fill_value=True)),
        window=window,
        seed=1,
        effect_floor=0.01,
        on_step=lambda _step: None,
    )


def divided(times: IntArray, window: object = None) -> Division:
    """Return the windows of rows that all have a time."""
    division = divided_by_time(times, np.full(len(times), fill_value=True), window)  # type: ignore[arg-type]  # any window
    assert division is not None
    return division


def test_rows_are_divided_by_calendar_day() -> None:
    """Thirty days of 300 rows in any order are thirty windows, each the rows of its day."""
    times = np.repeat(np.arange(30) * DAY, 300) + np.tile(np.arange(300) * MINUTE, 30)
    order = np.random.default_rng(5).permutation(len(times))

    division = divided(times[order])

    assert (division.name, division.n_windows, division.mean_rows) == ("1 day", 30, 300)
    assert division.windows.tolist() == (times[order] // DAY).tolist()


def test_where_there_are_few_days_rows_are_divided_by_hour() -> None:
    """Three days with 250 rows an hour: 72 windows."""
    times = np.repeat(np.arange(72) * 60 * MINUTE, 250)

    division = divided(times)

    assert (division.name, division.n_windows) == ("1 hour", 72)


def test_where_periods_are_short_of_rows_they_are_consecutive_thousands() -> None:
    """A hundred days of fifty rows: five windows of a thousand rows, in the order of time; equal times keep the table's order."""
    times = np.repeat(np.arange(100)[::-1] * DAY, 50)

    division = divided(times)

    assert (division.name, division.n_windows) == ("1000 rows", 5)
    assert division.windows[:1000].tolist() == [4] * 1000
    assert division.windows[-1000:].tolist() == [0] * 1000


def test_a_short_day_is_carried_into_the_next() -> None:
    """As the processor does with windows of fewer than 200 rows; what is left at the end is in no window."""
    sizes = [300, 150, 120, 250, 199]
    times = np.repeat(np.arange(5) * DAY, sizes)

    division = divided(times, "day")

    assert division.n_windows == 3
    assert division.windows.tolist() == [0] * 300 + [1] * 270 + [2] * 250 + [-1] * 199


def test_an_incomplete_last_window_is_left_out() -> None:
    """Windows of so many rows are all of that size."""
    division = divided(np.arange(1050), 500)

    assert (division.n_windows, division.mean_rows) == (2, 500)
    assert division.windows[1000:].tolist() == [-1] * 50


def test_rows_without_a_time_are_in_no_window() -> None:
    """They cannot be put in order; the others are divided without them."""
    has_time = np.arange(1000) % 2 == 0

    division = divided_by_time(np.arange(1000), has_time, 250)

    assert division is not None
    assert division.n_windows == 2
    assert (division.windows[~has_time] == -1).all()
    assert division.windows[has_time].tolist() == [0] * 250 + [1] * 250


@pytest.mark.parametrize("window", ["day", "hour", 600])
def test_a_window_that_does_not_divide_the_table_is_refused(window: object) -> None:
    """One window cannot be compared with the others; the message says what was found and what to do."""
    with pytest.raises(TableError, match="expected at least two, found 1; choose a shorter"):
        divided(np.arange(1000), window)


def test_counts_per_window_are_those_of_the_windows_rows() -> None:
    """Against the sketch itself, window by window, with missing rows and rows in no window."""
    random = np.random.default_rng(11)
    values = np.where(random.random(2000) < 0.1, np.nan, random.normal(size=2000))
    target = assigned(values)
    division = Division(random.integers(-1, 4, 2000), 4, "test")

    counts = target.in_windows(division).counts

    for window in range(4):
        rows = values[division.windows == window]
        expected = target.target.cells.count(value_column(rows.tolist()))
        assert counts[window].tolist() == expected.tolist()


def test_independent_rows_keep_the_promise_in_both_orders() -> None:
    """40 000 independent rows: of 40 windows in time order and 200 in random order no more alarm than a promised 1 % allows."""
    values = np.random.default_rng(3).normal(size=40_000)

    in_time, at_random = measured(values, np.arange(40_000), window=1000)

    assert (in_time.order, at_random.order) == ("time", "random")
    assert len(in_time.p_values["features"]) == 40
    assert len(at_random.p_values["features"]) == 200
    # Were the promise just kept, more than 4 of 40 or more than 9 of 200 would alarm once in 20 000 times.
    assert measured_false_alarm_rate(in_time, 0.01) <= 4 / 40
    assert measured_false_alarm_rate(at_random, 0.01) <= 9 / 200


def test_rows_that_change_with_the_day_break_it_in_time_order_alone() -> None:
    """Each day has a level of its own, half a standard deviation of wobble: nearly every day alarms, no more than promised at random."""
    random = np.random.default_rng(4)
    levels = np.repeat(random.normal(0, 0.5, 40), 500)
    times = np.repeat(np.arange(40) * DAY, 500)

    in_time, at_random = measured(levels + random.normal(size=20_000), times)

    assert in_time.window == "1 day"
    assert at_random.window == "500 rows"
    assert measured_false_alarm_rate(in_time, 0.01) > 0.5
    assert measured_false_alarm_rate(at_random, 0.01) <= 9 / 200


def test_random_order_depends_on_the_seed_alone() -> None:
    """The same data give the same test, whoever builds the profile; without a time there is only this one."""
    values = np.random.default_rng(6).normal(size=3000)

    first, again = measured(values), measured(values)

    assert [test.order for test in first] == ["random"]
    assert first[0].window == "1000 rows"
    assert first == again
    assert len(first[0].p_values["features"]) >= 200


def test_a_small_table_gets_no_test_and_a_middling_one_two_halves() -> None:
    """399 rows have no two windows that would be tested live; 400 are compared half by half."""
    values = np.arange(400.0)

    assert measured(values[:-1], np.arange(399)) == []
    assert [test.window for test in measured(values)] == ["200 rows"]
