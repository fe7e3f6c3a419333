"""
Is the promised false-alarm rate kept, and what does it leave of the power?

Simulates a model with twenty numeric features whose rows are independent (calibration mode `iid`, default settings) and counts
windows that alarm: without drift any alarm is false; with drift of one feature the alarm of that feature is wanted. Beside it, on
raw rows of the same distributions, what a tool's default does: scipy's two-sample Kolmogorov-Smirnov test of every column at 5 %.

Then the same where rows are alike, in every calibration mode: ten rows per user, correlated by .8, and windows whose means swing with the season.

Then a stream that swings over the day, its hours compared with the whole reference and with the reference of their own hour; and last the
promises beside that of single windows: slow drift, segments, what is out of distribution.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from further_promises import (
    Streams,
    print_out_of_distribution,
    print_segments,
    print_slow_drift,
)
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from scipy import stats

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)
from otel_ml_processor.assess.calibrate import rung_of
from otel_ml_processor.assess.calibration import Calibrated, Rung
from otel_ml_processor.assess.drift import FEATURES, assess_drift, family_p_values
from otel_ml_processor.assess.self_test import TargetWindows, measured_false_alarm_rate, self_test
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.windows.seasons import SeasonalReference
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_FEATURES: Final = 20
N_CELLS: Final = 20
MIN_ROWS: Final = 200
WINDOW_ROWS: Final = (500, 1000, 5000)
EDGES: Final = stats.norm.ppf(np.arange(1, N_CELLS) / N_CELLS)
SETTINGS: Final = DriftConfig()
TWIN_LEVEL: Final = 0.05


@dataclass(frozen=True)
class Drift:
    """What happens to the first feature: N(0, 1) becomes N(shift, scale**2)."""

    name: str
    shift: float = 0.0
    scale: float = 1.0

    def cell_shares(self) -> FloatArray:
        """Return the exact shares of the reference's cells."""
        upto = stats.norm.cdf((EDGES - self.shift) / self.scale)
        return np.diff(np.concatenate([[0.0], upto, [1.0]]))


NONE: Final = Drift("none: false alarms")
DRIFTS: Final = (
    NONE,
    Drift("shift of .1 sigma", shift=0.1),
    Drift("shift of .2 sigma", shift=0.2),
    Drift("spread times 1.2", scale=1.2),
)


class Detector(Protocol):
    """Something that looks at windows of one size and says which columns drift."""

    def flags(self, rows: int, drift: Drift) -> Sequence[bool]:
        """Return for every column of a freshly drawn window whether it is flagged."""


@dataclass
class Ours:
    """Counts on twenty cells, three tests, Holm, effect floor."""

    rng: np.random.Generator
    reference_rows: int

    def flags(self, rows: int, drift: Drift) -> list[bool]:
        """Return whether the state of each column is `drifting`."""
        readings = assess_drift(
            [self._column(i, rows, drift if i == 0 else NONE) for i in range(N_FEATURES)],
            alpha=SETTINGS.false_alarm_rate,
            effect_floor=SETTINGS.effect_floor,
            scores=SETTINGS.scores,
            min_rows=MIN_ROWS,
        )
        return [reading.state is MlDriftStateValues.DRIFTING for reading in readings]

    def _column(self, i: int, rows: int, drift: Drift) -> Comparison:
        return Comparison(
            MlDriftTargetValues.FEATURE,
            f"feature {i}",
            ordered=True,
            reference=self.counts(self.reference_rows, NONE),
            current=self.counts(rows, drift),
        )

    def counts(self, rows: int, drift: Drift) -> IntArray:
        """Return the counts of *rows* independent values."""
        cells = self.rng.multinomial(rows, drift.cell_shares())
        return np.concatenate([cells, np.zeros(N_SLOTS, dtype=np.int64)])


@dataclass
class KsOfEveryColumn:
    """
    The naive twin: every column by itself, raw rows, one level, no correction, no effect.

    Since no column depends on another, only the drifting one is looked at where one drifts.
    """

    rng: np.random.Generator
    reference_rows: int

    def flags(self, rows: int, drift: Drift) -> list[bool]:
        """Return whether the p-value of each column is at most the level."""
        return [self._flag(rows, drift) for _ in range(N_FEATURES if drift is NONE else 1)]

    def _flag(self, rows: int, drift: Drift) -> bool:
        reference = self.rng.normal(size=self.reference_rows)
        current = self.rng.normal(drift.shift, drift.scale, size=rows)
        return bool(stats.ks_2samp(reference, current, method="asymp").pvalue <= TWIN_LEVEL)


@dataclass
class Tally:
    """Windows seen, windows that alarmed as asked for, seconds spent."""

    windows: int = 0
    alarms: int = 0
    seconds: float = 0.0

    def add(self, detector: Detector, rows: int, drift: Drift) -> None:
        """Look at one more window: without drift any flag counts, with drift that of the drifted column."""
        started = time.perf_counter()
        flags = detector.flags(rows, drift)
        self.seconds += time.perf_counter() - started
        self.windows += 1
        self.alarms += any(flags) if drift is NONE else flags[0]

    def __str__(self) -> str:
        return f"{self.alarms / self.windows:.1%} of {self.windows}"


@dataclass
class Results:
    """What was counted, per detector, window size and drift."""

    ours: dict[tuple[int, Drift], Tally] = field(default_factory=dict)
    twin: dict[tuple[int, Drift], Tally] = field(default_factory=dict)

    def cost_ratio(self) -> float:
        """Return our seconds per window without drift divided by those of the twin, drawing included on both sides."""
        undrifted = [(rows, NONE) for rows in WINDOW_ROWS]
        ours, twin = (
            sum(tallies[key].seconds for key in undrifted)
            / sum(tallies[key].windows for key in undrifted)
            for tallies in (self.ours, self.twin)
        )
        return ours / twin


def plan(
    results: Results, ours: Detector, twin: Detector, arguments: argparse.Namespace
) -> Iterator[tuple[Tally, Detector, int, Drift]]:
    """Yield every window to look at, with the tally it belongs to."""
    for rows in WINDOW_ROWS:
        for drift in DRIFTS:
            n_ours, n_twin = (
                (arguments.windows, arguments.twin_windows)
                if drift is NONE
                else (arguments.drifting_windows, arguments.drifting_windows)
            )
            yield from [
                (results.ours.setdefault((rows, drift), Tally()), ours, rows, drift)
            ] * n_ours
            yield from [
                (results.twin.setdefault((rows, drift), Tally()), twin, rows, drift)
            ] * n_twin


def print_table(console: Console, results: Results, reference_rows: int) -> None:
    """Print one line per window size and drift."""
    table = Table(
        title=f"{N_FEATURES} features, reference of {reference_rows} rows, one of them drifting",
        caption=f"promised false alarms: {SETTINGS.false_alarm_rate:.0%} of windows; effect floor "
        f"{SETTINGS.effect_floor}; independent rows (mode iid)",
    )
    table.add_column("rows", justify="right")
    table.add_column("drift of one feature")
    table.add_column("ours: windows that alarm", justify="right")
    table.add_column(f"ks_2samp per column at {TWIN_LEVEL:.0%}", justify="right")
    for rows in WINDOW_ROWS:
        for drift in DRIFTS:
            key = (rows, drift)
            table.add_row(str(rows), drift.name, str(results.ours[key]), str(results.twin[key]))
        table.add_section()
    console.print(table)
    console.print(
        f"seconds per window, ours / ks_2samp of raw rows: {results.cost_ratio():.3f} (drawing included)"
    )


def print_self_test(console: Console, ours: Ours) -> None:
    """Print what the reference says about itself: 60 windows of 900 independent rows."""
    targets = [
        TargetWindows(
            MlDriftTargetValues.FEATURE,
            f"feature {i}",
            ordered=True,
            counts=np.stack([ours.counts(900, NONE) for _ in range(60)]),
        )
        for i in range(N_FEATURES)
    ]
    started = time.perf_counter()
    test = self_test(targets, order="random", window="900 rows", effect_floor=SETTINGS.effect_floor)
    seconds = time.perf_counter() - started
    rate = measured_false_alarm_rate(test, SETTINGS.false_alarm_rate)
    console.print(
        f"self-test of 60 windows x {N_FEATURES} features: {rate:.1%} alarm, {seconds:.2f} s"
    )


ALIKE_ROWS: Final = 1000
ROWS_PER_USER: Final = 10
SEASON: Final = 24
"""Windows after which the season begins again."""
KEYS: Final = [(MlDriftTargetValues.FEATURE, str(i)) for i in range(N_FEATURES)]


@dataclass(frozen=True)
class Traffic:
    """How rows of a window resemble each other: those of a user by *correlation*, all of them by the season's *swing*."""

    name: str
    correlation: float = 0.0
    swing: float = 0.0

    def counts(self, rng: np.random.Generator, windows: int, shift: float = 0.0) -> IntArray:
        """Return counts of one normal feature of variance 1 within the season, shape (windows, N_CELLS + N_SLOTS)."""
        users = ALIKE_ROWS // ROWS_PER_USER
        of_user = rng.normal(size=(windows, users, 1)) * np.sqrt(self.correlation)
        of_row = rng.normal(size=(windows, users, ROWS_PER_USER)) * np.sqrt(1 - self.correlation)
        season = self.swing * np.sin(
            2 * np.pi * (np.arange(windows) + rng.integers(SEASON)) / SEASON
        )
        values = of_user + of_row + season[:, np.newaxis, np.newaxis] + shift
        cells = np.searchsorted(EDGES, values.reshape(windows, -1))
        width = N_CELLS + N_SLOTS
        places = cells + width * np.arange(windows)[:, np.newaxis]
        return np.bincount(places.ravel(), minlength=windows * width).reshape(windows, width)


TRAFFIC: Final = (
    Traffic("independent"),
    Traffic("ten rows per user, correlated by .8", correlation=0.8),
    Traffic("season that swings by .5 sigma", swing=0.5),
)


def print_modes(
    console: Console, progress: Progress, rng: np.random.Generator, arguments: argparse.Namespace
) -> None:
    """Print what each calibration mode promises and keeps, on each kind of traffic."""
    table = Table(
        title=f"{N_FEATURES} features, windows of {ALIKE_ROWS} rows, reference of {arguments.own_windows} such windows",
        caption=f"promised false alarms: {SETTINGS.false_alarm_rate:.0%} of windows; effect floor {SETTINGS.effect_floor}",
    )
    for column in (
        "rows",
        "mode",
        "windows without drift that alarm",
        "found: .5 sigma of one feature",
    ):
        table.add_column(column)
    for traffic in progress.track(TRAFFIC, description="calibration"):
        of_features = [traffic.counts(rng, arguments.own_windows) for _ in KEYS]
        totals = [counts.sum(axis=0) for counts in of_features]
        windows = [
            TargetWindows(target, name, ordered=True, counts=counts)
            for (target, name), counts in zip(KEYS, of_features, strict=True)
        ]
        told = rung_of(windows, totals, rows=ALIKE_ROWS, effect_floor=SETTINGS.effect_floor)
        live = {
            shift: [
                traffic.counts(rng, arguments.live_windows, shift if i == 0 else 0.0)
                for i in range(N_FEATURES)
            ]
            for shift in (0.0, 0.5)
        }
        for mode in MlDriftCalibrationModeValues:
            how = Calibrated(mode, Rung.of(told, KEYS))
            rates = [alarm_rate(totals, counts, how) for counts in live.values()]
            table.add_row(traffic.name, mode.value, *(f"{rate:.1%}" for rate in rates))
        table.add_section()
    console.print(table)


def alarm_rate(totals: Sequence[IntArray], live: Sequence[IntArray], how: Calibrated) -> float:
    """Return the share of the *live* windows that alarm."""
    alarms = 0
    for k in range(len(live[0])):
        window = [
            Comparison(target, name, ordered=True, reference=total, current=counts[k])
            for (target, name), total, counts in zip(KEYS, totals, live, strict=True)
        ]
        p_value = family_p_values(window, SETTINGS.effect_floor, how)[FEATURES]
        alarms += p_value <= SETTINGS.false_alarm_rate
    return alarms / len(live[0])


DAYS: Final = 14


def print_hours(
    console: Console, progress: Progress, rng: np.random.Generator, windows: int
) -> None:
    """Print what hourly windows keep and find, against the whole reference and against that of their own hour."""
    table = Table(
        title=f"{N_FEATURES} features whose means swing by .5 sigma over the day, hours of {ALIKE_ROWS} rows, reference of {DAYS} days",
        caption=f"promised false alarms: {SETTINGS.false_alarm_rate:.0%} of windows; effect floor {SETTINGS.effect_floor}",
    )
    for column in ("compared with", "hours without drift that alarm", "found: .2 sigma of one"):
        table.add_column(column)
    reference = [
        np.stack([hour_counts(rng, DAYS * ALIKE_ROWS, hour) for hour in range(SEASON)])
        for _ in KEYS
    ]
    wholes = [counts.sum(axis=0) for counts in reference]
    seasonal = SeasonalReference.of("hour_of_day", reference, wholes)
    places = [slice(i * WIDTH, (i + 1) * WIDTH) for i in range(N_FEATURES)]
    rates: dict[tuple[str, float], list[bool]] = {}
    for k in progress.track(range(windows), description="hours"):
        hour = k % SEASON
        own = seasonal.mixed(ALIKE_ROWS * (np.arange(SEASON) == hour), places)
        for shift in (0.0, 0.2):
            live = [
                hour_counts(rng, ALIKE_ROWS, hour, shift if i == 0 else 0.0)
                for i in range(N_FEATURES)
            ]
            for name, totals in (("all of it", wholes), ("its own hour", own)):
                rates.setdefault((name, shift), []).append(alarms(totals, live))
    for name in ("all of it", "its own hour"):
        table.add_row(name, *(f"{np.mean(rates[name, shift]):.1%}" for shift in (0.0, 0.2)))
    console.print(table)


WIDTH: Final = N_CELLS + N_SLOTS


def hour_counts(rng: np.random.Generator, rows: int, hour: int, shift: float = 0.0) -> IntArray:
    """Return counts of so many *rows* of one normal feature in an hour of the day, shape (WIDTH,)."""
    mean = 0.5 * float(np.sin(2 * np.pi * hour / SEASON)) + shift
    return np.pad(rng.multinomial(rows, Drift("", shift=mean).cell_shares()), (0, N_SLOTS))


def alarms(totals: Sequence[IntArray], live: Sequence[IntArray]) -> bool:
    """Return whether a window alarms in mode `iid`."""
    window = [
        Comparison(target, name, ordered=True, reference=total, current=counts)
        for (target, name), total, counts in zip(KEYS, totals, live, strict=True)
    ]
    return family_p_values(window, SETTINGS.effect_floor)[FEATURES] <= SETTINGS.false_alarm_rate


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default, meaning in (
        ("--windows", 600, "windows without drift, per size"),
        ("--twin-windows", 30, "the same for the twin, which takes longer"),
        ("--drifting-windows", 100, "windows with drift, per size and drift"),
        ("--reference-rows", 50_000, "rows of the reference"),
        ("--own-windows", 1000, "windows of the reference that modes are calibrated on"),
        ("--live-windows", 500, "windows per kind of traffic and mode, with and without drift"),
        (
            "--streams",
            6,
            "streams that are followed until slow drift is told, per promise and drift",
        ),
        ("--seed", 1, "of the random numbers"),
    ):
        parser.add_argument(name, type=int, default=default, help=f"{meaning} (%(default)s)")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    ours = Ours(rng, arguments.reference_rows)
    twin = KsOfEveryColumn(rng, arguments.reference_rows)
    results = Results()
    console = Console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        windows = list(plan(results, ours, twin, arguments))
        for tally, detector, rows, drift in progress.track(windows, description="windows"):
            tally.add(detector, rows, drift)
        print_modes(console, progress, rng, arguments)
        print_hours(console, progress, rng, arguments.live_windows)
        print_slow_drift(console, progress, Streams(rng, arguments.streams))
        print_segments(console, rng, arguments.live_windows)
        print_out_of_distribution(console, rng, arguments.live_windows)
    print_table(console, results, arguments.reference_rows)
    print_self_test(console, ours)


if __name__ == "__main__":
    main()
