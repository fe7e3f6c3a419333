"""
Is the promised false-alarm rate kept, and what does it leave of the power?

Simulates a model with twenty numeric features whose rows are independent (calibration mode `iid`, default settings) and counts
windows that alarm: without drift any alarm is false; with drift of one feature the alarm of that feature is wanted. Beside it, on
raw rows of the same distributions, what a tool's default does: scipy's two-sample Kolmogorov-Smirnov test of every column at 5 %.

Then the same where rows are alike, in every calibration mode: ten rows per user, correlated by .8, and windows whose means swing with the season.

Then a stream that swings over the day, its hours compared with the whole reference and with the reference of their own hour; and last the
promises beside that of single windows: slow drift, segments, what is out of distribution.

Behind every share stands between what the share of all such windows lies, at a confidence of 95 %.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np
from further_promises import out_of_distribution, segments, slow_drift
from numpy.typing import NDArray
from rich.console import Console
from scipy import stats
from simulated_tables import Line, Simulated, print_all, share

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)
from otel_ml_processor.assess.calibrate import rung_of
from otel_ml_processor.assess.calibration import IID, Calibrated, Rung
from otel_ml_processor.assess.drift import FEATURES, assess_drift, family_p_values
from otel_ml_processor.assess.self_test import TargetWindows, measured_false_alarm_rate, self_test
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.windows.seasons import SeasonalReference
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_FEATURES: Final = 20
N_CELLS: Final = 20
WIDTH: Final = N_CELLS + N_SLOTS
MIN_ROWS: Final = 200
WINDOW_ROWS: Final = (500, 1000, 5000)
EDGES: Final = stats.norm.ppf(np.arange(1, N_CELLS) / N_CELLS)
SETTINGS: Final = DriftConfig()
PROMISED: Final = (
    f"promised false alarms: {SETTINGS.false_alarm_rate:.0%} of windows; effect floor "
    f"{SETTINGS.effect_floor}"
)
TWIN_LEVEL: Final = 0.05
KEYS: Final = [(MlDriftTargetValues.FEATURE, str(i)) for i in range(N_FEATURES)]


@dataclass(frozen=True)
class Drift:
    """What happens to the first feature: N(0, 1) becomes N(shift, scale**2)."""

    name: str
    shift: float = 0.0
    scale: float = 1.0


NONE: Final = Drift("none: false alarms")
DRIFTS: Final = (
    NONE,
    Drift("shift of .1 sigma", shift=0.1),
    Drift("shift of .2 sigma", shift=0.2),
    Drift("spread times 1.2", scale=1.2),
)


@lru_cache
def cell_shares(shift: float, scale: float = 1.0) -> FloatArray:
    """Return the exact shares of the reference's cells among values of N(shift, scale**2)."""
    upto = stats.norm.cdf((EDGES - shift) / scale)
    return np.diff(np.concatenate([[0.0], upto, [1.0]]))


def drawn(
    rng: np.random.Generator, rows: int, mean: float = 0.0, shift: float = 0.0, scale: float = 1.0
) -> IntArray:
    """Return counts of *rows* independent values of every feature, the first of which drifts, shape (N_FEATURES, WIDTH)."""
    counts = rng.multinomial(rows, cell_shares(mean), size=N_FEATURES)
    if shift or scale != 1.0:
        counts[0] = rng.multinomial(rows, cell_shares(mean + shift, scale))
    return np.pad(counts, ((0, 0), (0, N_SLOTS)))


def compared(references: Sequence[IntArray], currents: Sequence[IntArray]) -> list[Comparison]:
    """Return every feature beside its reference."""
    return [
        Comparison(target, name, ordered=True, reference=reference, current=current)
        for (target, name), reference, current in zip(KEYS, references, currents, strict=True)
    ]


def is_alarm(
    references: Sequence[IntArray], currents: Sequence[IntArray], how: Calibrated = IID
) -> bool:
    """Return whether any feature of a window alarms."""
    window = compared(references, currents)
    p_value = family_p_values(window, SETTINGS.effect_floor, how)[FEATURES]
    return p_value <= SETTINGS.false_alarm_rate


def flags(rng: np.random.Generator, reference_rows: int, rows: int, drift: Drift) -> list[bool]:
    """Return for every feature of a window, beside a reference of its own, whether its state is `drifting`: three tests, Holm, effect floor."""
    current = drawn(rng, rows, shift=drift.shift, scale=drift.scale)
    readings = assess_drift(
        compared(list(drawn(rng, reference_rows)), list(current)),
        alpha=SETTINGS.false_alarm_rate,
        effect_floor=SETTINGS.effect_floor,
        scores=SETTINGS.scores,
        min_rows=MIN_ROWS,
    )
    return [reading.state is MlDriftStateValues.DRIFTING for reading in readings]


def twin_flags(
    rng: np.random.Generator, reference_rows: int, rows: int, drift: Drift
) -> list[bool]:
    """
    Return the same of the naive twin: every column by itself, raw rows, one level, no correction, no effect.

    Since no column depends on another, only the drifting one is looked at where one drifts.
    """
    found = []
    for _ in range(N_FEATURES if drift == NONE else 1):
        reference = rng.normal(size=reference_rows)
        current = rng.normal(drift.shift, drift.scale, size=rows)
        p_value = stats.ks_2samp(reference, current, method="asymp").pvalue
        found.append(bool(p_value <= TWIN_LEVEL))
    return found


def single_windows(
    rng: np.random.Generator,
    *,
    reference_rows: int,
    rows: int,
    drift: Drift,
    windows: int,
    twins: int,
) -> list[Line]:
    """Return how many windows alarm, ours and the twin's: without drift any feature, with drift the one that drifts."""
    told = any if drift == NONE else itemgetter(0)
    ours = sum(told(flags(rng, reference_rows, rows, drift)) for _ in range(windows))
    twin = sum(told(twin_flags(rng, reference_rows, rows, drift)) for _ in range(twins))
    return [(str(rows), drift.name, share(ours, windows), share(twin, twins))]


def single_windows_table(arguments: argparse.Namespace) -> Simulated:
    """Return the table of single windows, by size and drift."""
    parts = [
        partial(
            single_windows,
            reference_rows=arguments.reference_rows,
            rows=rows,
            drift=drift,
            windows=arguments.windows if drift is NONE else arguments.drifting_windows,
            twins=arguments.twin_windows if drift is NONE else arguments.drifting_windows,
        )
        for rows in WINDOW_ROWS
        for drift in DRIFTS
    ]
    return Simulated(
        title=f"{N_FEATURES} features, reference of {arguments.reference_rows} rows, one of them drifting",
        columns=(
            "rows",
            "drift of one feature",
            "ours",
            f"ks_2samp per column at {TWIN_LEVEL:.0%}",
        ),
        parts=parts,
        caption=f"of {arguments.windows} windows without drift and {arguments.drifting_windows} with; {PROMISED}; independent rows (mode iid)",
    )


ALIKE_ROWS: Final = 1000
ROWS_PER_USER: Final = 10
SEASON: Final = 24
"""Windows after which the season begins again."""


@dataclass(frozen=True)
class Traffic:
    """How rows of a window resemble each other: those of a user by *correlation*, all of them by the season's *swing*."""

    name: str
    correlation: float = 0.0
    swing: float = 0.0

    def counts(self, rng: np.random.Generator, windows: int, shift: float = 0.0) -> IntArray:
        """Return counts of one normal feature of variance 1 within the season, shape (windows, WIDTH)."""
        users = ALIKE_ROWS // ROWS_PER_USER
        of_user = rng.normal(size=(windows, users, 1)) * np.sqrt(self.correlation)
        of_row = rng.normal(size=(windows, users, ROWS_PER_USER)) * np.sqrt(1 - self.correlation)
        season = self.swing * np.sin(
            2 * np.pi * (np.arange(windows) + rng.integers(SEASON)) / SEASON
        )
        values = of_user + of_row + season[:, np.newaxis, np.newaxis] + shift
        cells = np.searchsorted(EDGES, values.reshape(windows, -1))
        places = cells + WIDTH * np.arange(windows)[:, np.newaxis]
        return np.bincount(places.ravel(), minlength=windows * WIDTH).reshape(windows, WIDTH)


TRAFFIC: Final = (
    Traffic("independent"),
    Traffic("ten rows per user, correlated by .8", correlation=0.8),
    Traffic("season that swings by .5 sigma", swing=0.5),
)


def modes(
    rng: np.random.Generator, *, traffic: Traffic, own_windows: int, live_windows: int
) -> list[Line]:
    """Return what each calibration mode keeps and finds on that *traffic*."""
    of_features = [traffic.counts(rng, own_windows) for _ in KEYS]
    totals = [counts.sum(axis=0) for counts in of_features]
    windows = [
        TargetWindows(target, name, ordered=True, counts=counts)
        for (target, name), counts in zip(KEYS, of_features, strict=True)
    ]
    told = rung_of(windows, totals, rows=ALIKE_ROWS, effect_floor=SETTINGS.effect_floor)
    live = [
        [traffic.counts(rng, live_windows, shift * (i == 0)) for i in range(N_FEATURES)]
        for shift in (0.0, 0.5)
    ]
    lines = []
    for mode in MlDriftCalibrationModeValues:
        how = Calibrated(mode, Rung.of(told, KEYS))
        alarms = [
            sum(is_alarm(totals, now, how) for now in zip(*each, strict=True)) for each in live
        ]
        lines.append((traffic.name, mode.value, *(share(n, live_windows) for n in alarms)))
    return lines


def modes_table(arguments: argparse.Namespace) -> Simulated:
    """Return the table of calibration modes, by kind of traffic."""
    sizes = {"own_windows": arguments.own_windows, "live_windows": arguments.live_windows}
    return Simulated(
        title=f"{N_FEATURES} features, windows of {ALIKE_ROWS} rows, reference of {arguments.own_windows} such windows",
        columns=("rows", "mode", "alarms without drift", "found: .5 sigma of one feature"),
        parts=[partial(modes, traffic=traffic, **sizes) for traffic in TRAFFIC],
        caption=f"of {arguments.live_windows} windows; {PROMISED}",
    )


DAYS: Final = 14


def hours(rng: np.random.Generator, *, windows: int) -> list[Line]:
    """Return what hourly windows keep and find, against the whole reference and against that of their own hour."""
    means = 0.5 * np.sin(2 * np.pi * np.arange(SEASON) / SEASON)
    of_hours = np.stack([drawn(rng, DAYS * ALIKE_ROWS, mean) for mean in means], axis=1)
    wholes = list(of_hours.sum(axis=1))
    seasonal = SeasonalReference.of("hour_of_day", list(of_hours), wholes)
    places = [slice(i * WIDTH, (i + 1) * WIDTH) for i in range(N_FEATURES)]
    alarms = np.zeros((2, 2), dtype=np.int64)
    for k in range(windows):
        hour = k % SEASON
        own = seasonal.mixed(ALIKE_ROWS * (np.arange(SEASON) == hour), places)
        for column, shift in enumerate((0.0, 0.2)):
            live = list(drawn(rng, ALIKE_ROWS, means[hour], shift))
            alarms[:, column] += [is_alarm(wholes, live), is_alarm(own, live)]
    names = "all of it", "its own hour"
    return [
        (name, *(share(int(n), windows) for n in found))
        for name, found in zip(names, alarms, strict=True)
    ]


def hours_table(arguments: argparse.Namespace) -> Simulated:
    """Return the table of a stream that swings over the day."""
    return Simulated(
        title=f"{N_FEATURES} features whose means swing by .5 sigma over the day, hours of {ALIKE_ROWS} rows, reference of {DAYS} days",
        columns=("compared with", "hours without drift that alarm", "found: .2 sigma of one"),
        parts=[partial(hours, windows=arguments.live_windows)],
        caption=f"of {arguments.live_windows} windows; {PROMISED}",
    )


def self_tested(rng: np.random.Generator, *, windows: int, rows: int) -> list[Line]:
    """Return what a reference of independent rows says about itself."""
    targets = [
        TargetWindows(*key, ordered=True, counts=counts)
        for key, counts in zip(
            KEYS, np.stack([drawn(rng, rows) for _ in range(windows)], axis=1), strict=True
        )
    ]
    test = self_test(
        targets, order="random", window=f"{rows} rows", effect_floor=SETTINGS.effect_floor
    )
    rate = measured_false_alarm_rate(test, SETTINGS.false_alarm_rate)
    return [(f"{windows} windows of {rows} rows", f"{rate:.1%}")]


def timed(rng: np.random.Generator, *, reference_rows: int, windows: int) -> list[Line]:
    """Return our processor time per window without drift, as a share of the twin's."""
    seconds = []
    for flagged in (flags, twin_flags):
        started = time.process_time()
        for rows in WINDOW_ROWS:
            for _ in range(windows):
                flagged(rng, reference_rows, rows, NONE)
        seconds.append(time.process_time() - started)
    return [(f"{windows} windows of each size", f"{seconds[0] / seconds[1]:.3f}")]


def small_tables(arguments: argparse.Namespace) -> list[Simulated]:
    """Return the table of the self-test and that of the time taken."""
    rows = arguments.reference_rows
    return [
        Simulated(
            "self-test", ("reference", "alarm"), [partial(self_tested, windows=60, rows=900)]
        ),
        Simulated(
            "processor time, ours / ks_2samp of raw rows, drawing included",
            ("windows", "ratio"),
            [partial(timed, reference_rows=rows, windows=10)],
        ),
    ]


OPTIONS: Final = (
    ("--windows", 2000, "windows without drift, per size"),
    ("--twin-windows", 30, "the same for the twin, which takes longer"),
    ("--drifting-windows", 200, "windows with drift, per size and drift"),
    ("--reference-rows", 50_000, "rows of the reference"),
    ("--own-windows", 1000, "windows of the reference that modes are calibrated on"),
    ("--live-windows", 1000, "windows per kind of traffic and mode, with and without drift"),
    ("--streams", 16, "streams that are followed until slow drift is told, per promise and drift"),
    ("--processes", os.cpu_count() or 1, "processes at work"),
    ("--seed", 1, "of the random numbers"),
)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default, meaning in OPTIONS:
        parser.add_argument(name, type=int, default=default, help=f"{meaning} (%(default)s)")
    arguments = parser.parse_args()
    tables = [
        single_windows_table(arguments),
        modes_table(arguments),
        hours_table(arguments),
        slow_drift(arguments.streams),
        segments(arguments.live_windows),
        out_of_distribution(arguments.live_windows),
        *small_tables(arguments),
    ]
    started = time.perf_counter()
    console = Console()
    print_all(console, tables, seed=arguments.seed, processes=arguments.processes)
    console.print(f"{time.perf_counter() - started:.0f} s on {arguments.processes} processes")


if __name__ == "__main__":
    main()
