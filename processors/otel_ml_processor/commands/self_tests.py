"""The reference divided into windows, in the order of time and at random, and tested as live ones are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from otel_ml_processor.assess.self_test import TargetWindows, self_test
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import SelfTest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.commands.reference_hours import TableHours
    from otel_ml_processor.commands.table_together import AssignedPairs
    from otel_ml_processor.windows.reference import TargetReference

__all__ = ["AssignedTarget", "Division", "Window", "divided_by_time", "self_tests", "tested"]

Window = Literal["day", "hour"] | int
"""What one window is: a calendar day or hour (UTC), or so many consecutive rows."""

MIN_ROWS: Final = 200
"""A shorter period is carried into the next one, as the processor does."""
_MIN_PERIODS: Final = 20
_DEFAULT_ROWS: Final = 1000
_RANDOM_WINDOWS: Final = 200
_DIGITS: Final = 4
"""Significant digits of a stored p-value: enough to compare with any promise, and half the file."""
_LENGTHS_NS: Final[dict[Literal["day", "hour"], int]] = {
    "day": 86_400_000_000_000,
    "hour": 3_600_000_000_000,
}


@dataclass(frozen=True, slots=True, eq=False)
class AssignedTarget:
    """
    One target of the reference, and the cell or slot of every row of its table (-1: none), shape (n_rows,).

    With the *hours* of the rows each window is compared with the rest of the table in the window's own hours.
    """

    target: TargetReference
    cells: NDArray[np.int16]
    hours: TableHours | None = None

    def in_windows(self, division: Division) -> TargetWindows:
        """Return the counts per window; rows of the reference are never outside its range."""
        width = len(self.target.counts)
        counted = (division.windows >= 0) & (self.cells >= 0)
        places = division.windows[counted] * width + self.cells[counted]
        counts = np.bincount(places, minlength=division.n_windows * width)
        counts = counts.reshape(division.n_windows, width)
        return TargetWindows(
            target=self.target.target,
            name=self.target.name,
            ordered=self.target.ordered,
            counts=counts,
            rest=None
            if self.hours is None
            else self.hours.rest(self.cells, division.windows, counts),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """The window of every row (-1: none), shape (n_rows,), how many windows there are, and what one is, in words."""

    windows: IntArray
    n_windows: int
    name: str

    @property
    def mean_rows(self) -> int:
        """Rows of a window, on average."""
        return round(np.count_nonzero(self.windows >= 0) / self.n_windows)


def self_tests(
    targets: Sequence[AssignedTarget | AssignedPairs],
    times: tuple[IntArray, NDArray[np.bool_]] | None,
    *,
    window: Window | None,
    seed: int,
    effect_floor: float,
    on_step: Callable[[str], None],
) -> list[SelfTest]:
    """
    Return the tests of the reference's own windows, in time order where there are times, then in random order.

    Random windows are as long as those in time order, and rows are shuffled anew until there are at least 200 of them. A table of
    fewer than 400 rows has no two windows and gets no test.

    Args:
        targets: At least one, all of the same table.
        times: Nanoseconds since 1970, and which rows have a time.
        window: What one window is; by default days, hours or rows, as `divided_by_time` finds them.
        seed: Of the random order.
        effect_floor: Smallest debiased PSI that can alarm.
        on_step: Told what is being done.

    Raises:
        TableError: If the window that was asked for divides the table into fewer than two.
    """
    rows = len(targets[0].cells)
    tests = []
    size = window if isinstance(window, int) else _default_rows(rows)
    if times is not None and (division := divided_by_time(*times, window)) is not None:
        on_step("own windows in time order")
        tests.append(tested(targets, [division], "time", effect_floor))
        size = division.mean_rows
    if size is not None:
        divisions = _shuffled(rows, size, np.random.default_rng(seed))
        on_step(f"{sum(d.n_windows for d in divisions)} windows in random order")
        tests.append(tested(targets, divisions, "random", effect_floor))
    return tests


def tested(
    targets: Sequence[AssignedTarget | AssignedPairs],
    divisions: Sequence[Division],
    order: Literal["time", "random"],
    effect_floor: float,
) -> SelfTest:
    """Return the test of all windows; each is compared with the other windows of its own division."""
    p_values: dict[str, list[float]] = {}
    for division in divisions:
        part = self_test(
            [target.in_windows(division) for target in targets],
            order=order,
            window=division.name,
            effect_floor=effect_floor,
        )
        for family, values in part.p_values.items():
            p_values.setdefault(family, []).extend(float(f"{p:.{_DIGITS}g}") for p in values)
    name = divisions[0].name
    return SelfTest(order=order, window=name, effect_floor=effect_floor, p_values=p_values)


def divided_by_time(
    times_ns: IntArray, has_time: NDArray[np.bool_], window: Window | None
) -> Division | None:
    """
    Return the table's windows in the order of time; None if they are not asked for and there are not two.

    By default calendar days where there are at least 20 of them with 200 rows in the median, else hours by the same rule, else
    consecutive rows. Rows without a time are in none.

    Raises:
        TableError: If *window* divides the table into fewer than two.
    """
    timed = np.flatnonzero(has_time)
    if not isinstance(window, int):
        for length in ("day", "hour") if window is None else (window,):
            periods = times_ns[timed] // _LENGTHS_NS[length]
            _, sizes = np.unique(periods, return_counts=True)
            if window is not None or _are_enough(sizes):
                return _at_least_two(_by_period(timed, periods, len(times_ns), f"1 {length}"))
    size = window if isinstance(window, int) else _default_rows(len(timed))
    if size is None:
        return None
    in_order = timed[np.argsort(times_ns[timed], kind="stable")]
    return _at_least_two(_consecutive(in_order, len(times_ns), size))


def _are_enough(sizes: IntArray) -> bool:
    return len(sizes) >= _MIN_PERIODS and bool(np.median(sizes) >= MIN_ROWS)


def _default_rows(rows: int) -> int | None:
    return min(_DEFAULT_ROWS, rows // 2) if rows >= 2 * MIN_ROWS else None


def _by_period(timed: IntArray, periods: IntArray, rows: int, name: str) -> Division:
    _, inverse, sizes = np.unique(periods, return_inverse=True, return_counts=True)
    of_period = _carried(sizes)
    windows = np.full(rows, -1)
    windows[timed] = of_period[inverse]
    return Division(windows, int(of_period.max()) + 1, name)


def _carried(sizes: IntArray) -> IntArray:
    """Return the window of each period: one that is too short is the beginning of the next window, the last one's rest is in none."""
    window, rows, windows = 0, 0, []
    for size in sizes.tolist():
        windows.append(window)
        rows += size
        if rows >= MIN_ROWS:
            window, rows = window + 1, 0
    return np.array([number if number < window else -1 for number in windows])


def _consecutive(in_order: IntArray, rows: int, size: int) -> Division:
    n_windows = len(in_order) // size
    windows = np.full(rows, -1)
    windows[in_order[: n_windows * size]] = np.repeat(np.arange(n_windows), size)
    return Division(windows, n_windows, f"{size} rows")


def _shuffled(rows: int, size: int, random: np.random.Generator) -> list[Division]:
    first = _at_least_two(_consecutive(random.permutation(rows), rows, size))
    further = -(-_RANDOM_WINDOWS // first.n_windows) - 1
    return [first] + [_consecutive(random.permutation(rows), rows, size) for _ in range(further)]


def _at_least_two(division: Division) -> Division:
    if division.n_windows < 2:  # noqa: PLR2004  one window has nothing to be compared with
        raise TableError(
            f"windows of {division.name}: expected at least two, found {division.n_windows}; choose a "
            "shorter --window"
        )
    return division
