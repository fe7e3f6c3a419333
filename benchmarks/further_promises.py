"""
The promises beside that of single windows: slow drift, segments, what is out of distribution.

Without drift it is counted how often each alarms, with drift how often it is found; `drift_promise.py` prints these tables with its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.table import Table
from scipy import stats

from otel_ml_conventions.attributes import (
    MlDriftStateValues,
    MlDriftTargetValues,
    MlSegmentMeasureValues,
)
from otel_ml_processor.assess.drift import assess_drift
from otel_ml_processor.assess.evidence import GatheredEvidence, Observed
from otel_ml_processor.assess.segments import adjusted_gaps, gap_of
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from otel_ml_processor.statistics.odds_ratios import TwoProportions
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["Streams", "print_out_of_distribution", "print_segments", "print_slow_drift"]

EDGES: Final = stats.norm.ppf(np.arange(1, 20) / 20)
ROWS: Final = 1000
REFERENCE_ROWS: Final = 50_000
N_FEATURES: Final = 20
LEVELS: Final = (50, 100, 200)
"""Promised windows between alarms: the default of 1000 would take an hour to break or to keep."""
CUT_OFF: Final = 4
"""Times the promise: a stream that has been silent for so long is not followed any further."""


@dataclass
class Streams:
    """Streams of windows of twenty normal features, beside a finite reference of their own each."""

    rng: np.random.Generator
    number: int

    def run_length(self, promised: float, shift: float) -> float:
        """Return the mean number of windows until an alarm, the first feature shifted; what lasts longer counts as the cut-off."""
        return float(np.mean([self._one(promised, shift) for _ in range(self.number)]))

    def _one(self, promised: float, shift: float) -> int:
        gathered = GatheredEvidence(promised)
        references = [self._counts(REFERENCE_ROWS, 0.0) for _ in range(N_FEATURES)]
        most = int(CUT_OFF * promised)
        for window in range(1, most + 1):
            found = gathered.add(self._window(references, shift)).values()
            if max(evidence.log for evidence in found) >= math.log(promised):
                return window
        return most

    def _window(self, references: Sequence[NDArray[np.int64]], shift: float) -> list[Observed]:
        return [
            Observed(
                Comparison(
                    MlDriftTargetValues.FEATURE,
                    str(i),
                    ordered=True,
                    reference=reference,
                    current=self._counts(ROWS, shift if i == 0 else 0.0),
                ),
                is_sufficient=True,
            )
            for i, reference in enumerate(references)
        ]

    def _counts(self, rows: int, shift: float) -> NDArray[np.int64]:
        shares = np.diff(np.concatenate([[0.0], stats.norm.cdf(EDGES - shift), [1.0]]))
        return np.pad(self.rng.multinomial(rows, shares), (0, N_SLOTS))


def print_slow_drift(console: Console, progress: Progress, streams: Streams) -> None:
    """Print how many windows go by until slow drift is told, without drift and with small ones."""
    shifts = (0.0, 0.1, 0.2)
    table = Table(
        title=f"slow drift: windows of {ROWS} rows until an alarm, {N_FEATURES} features, {streams.number} streams",
        caption=f"without drift it is to be at least the promise; streams are cut off at {CUT_OFF} times that",
    )
    for column in ("promised", "no drift", *(f"{shift} sigma of one" for shift in shifts[1:])):
        table.add_column(column, justify="right")
    for promised in progress.track(LEVELS, description="slow drift"):
        lengths = [streams.run_length(promised, shift) for shift in shifts]
        table.add_row(str(promised), *(f"{length:.0f}" for length in lengths))
    console.print(table)


N_SEGMENTS: Final = 8
RATE: Final = 0.2
SEGMENT_ALPHA: Final = 0.01


def print_segments(console: Console, rng: np.random.Generator, windows: int) -> None:
    """Print how often a segment's rate alarms where all differ and nothing changes, and where one changes."""
    table = Table(
        title=f"{N_SEGMENTS} segments of {ROWS // N_SEGMENTS * 4} rows, rates of .10 to .31, alpha {SEGMENT_ALPHA:.0%}"
    )
    table.add_column("the last segment's rate")
    table.add_column("windows that alarm", justify="right")
    for name, now in (
        ("as ever (.31)", 0.31),
        ("from .31 to .38", 0.38),
        ("from .31 to .45", 0.45),
    ):
        alarms = [_segments_alarm(rng, now) for _ in range(windows)]
        table.add_row(name, f"{np.mean(alarms):.1%} of {windows}")
    console.print(table)


def _segments_alarm(rng: np.random.Generator, last: float) -> bool:
    rates = 0.10 + 0.03 * np.arange(N_SEGMENTS)
    rows = np.full(N_SEGMENTS, ROWS // N_SEGMENTS * 4)
    before = rng.binomial(rows * 10, rates)
    rates[-1] = last
    now = rng.binomial(rows, rates)
    gaps = [
        gap_of(
            MlSegmentMeasureValues.POSITIVE_RATE,
            _table(now, rows, i),
            _table(before, rows * 10, i),
            min_rows=200,
        )
        for i in range(N_SEGMENTS)
    ]
    return any(
        gap.state is MlDriftStateValues.DRIFTING for gap in adjusted_gaps(gaps, SEGMENT_ALPHA)
    )


def _table(hits: NDArray[np.int64], rows: NDArray[np.int64], i: int) -> TwoProportions:
    mine, of = int(hits[i]), int(rows[i])
    return TwoProportions(mine, of, int(hits.sum()) - mine, int(rows.sum()) - of)


OOD_SHARE: Final = 0.001
"""Of the reference, by construction."""


def print_out_of_distribution(console: Console, rng: np.random.Generator, windows: int) -> None:
    """Print how often the share out of distribution alarms, by how large it is."""
    table = Table(
        title=f"rows out of distribution, .1 % in the reference, windows of {ROWS} rows, promised 1 %"
    )
    table.add_column("share")
    table.add_column("windows that alarm", justify="right")
    for share in (OOD_SHARE, 0.005, 0.01):
        alarms = [_ood_alarms(rng, share) for _ in range(windows)]
        table.add_row(f"{share:.1%}", f"{np.mean(alarms):.1%} of {windows}")
    console.print(table)


def _ood_alarms(rng: np.random.Generator, share: float) -> bool:
    window = Comparison(
        MlDriftTargetValues.MULTIVARIATE,
        "",
        ordered=True,
        reference=_errors(rng, REFERENCE_ROWS, OOD_SHARE),
        current=_errors(rng, ROWS, share),
    )
    (read,) = assess_drift([window], alpha=0.01, effect_floor=0.01, scores=(), min_rows=200)
    return read.state is MlDriftStateValues.DRIFTING


def _errors(rng: np.random.Generator, rows: int, share: float) -> NDArray[np.int64]:
    """Return counts of reconstruction errors on twenty bins, of which the last is out of distribution."""
    cells = [(1 - share) / 20] * 20 + [share]
    return np.pad(rng.multinomial(rows, cells), (0, len(Slot)))
