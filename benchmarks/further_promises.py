"""
The promises beside that of single windows: slow drift, segments, what is out of distribution.

Without drift it is counted how often each alarms, with drift how often it is found; `drift_promise.py` prints these tables with its own.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats
from simulated_tables import Line, Simulated, share

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
    from numpy.typing import NDArray

__all__ = ["out_of_distribution", "segments", "slow_drift"]

EDGES: Final = stats.norm.ppf(np.arange(1, 20) / 20)
ROWS: Final = 1000
REFERENCE_ROWS: Final = 50_000
N_FEATURES: Final = 20
LEVELS: Final = (50, 100, 200)
"""Promised windows between alarms: the default of 1000 would take an hour to break or to keep."""
CUT_OFF: Final = 4
"""Times the promise: a stream that has been silent for so long is not followed any further."""
SHIFTS: Final = (0.0, 0.1, 0.2)


@lru_cache
def _shares(shift: float) -> NDArray[np.float64]:
    return np.diff(np.concatenate([[0.0], stats.norm.cdf(EDGES - shift), [1.0]]))


def _counts(rng: np.random.Generator, rows: int, shift: float) -> NDArray[np.int64]:
    """Return counts of *rows* values of every feature, the first of them shifted."""
    counts = rng.multinomial(rows, _shares(0.0), size=N_FEATURES)
    if shift:
        counts[0] = rng.multinomial(rows, _shares(shift))
    return np.pad(counts, ((0, 0), (0, N_SLOTS)))


def slow_drift(streams: int) -> Simulated:
    """Return the table of how many windows go by until slow drift is told, without drift and with small ones."""
    return Simulated(
        title=f"slow drift: windows of {ROWS} rows until an alarm, {N_FEATURES} features, mean of {streams} streams and twice its error",
        columns=("promised", "drift", "windows", "silent to the end"),
        parts=[
            partial(_run_lengths, promised=promised, shift=shift, streams=streams)
            for promised in LEVELS
            for shift in SHIFTS
        ],
        caption=f"without drift it is to be at least the promise; a stream is followed for {CUT_OFF} times that, which counts for it",
    )


def _run_lengths(
    rng: np.random.Generator, *, promised: float, shift: float, streams: int
) -> list[Line]:
    lengths = [_run_length(rng, promised, shift) for _ in range(streams)]
    silent = sum(length == CUT_OFF * promised for length in lengths)
    error = 2 * float(np.std(lengths, ddof=1)) / math.sqrt(streams)
    drift = f"{shift} sigma of one" if shift else "none"
    return [
        (f"{promised}", drift, f"{np.mean(lengths):.0f} ± {error:.0f}", f"{silent} of {streams}")
    ]


def _run_length(rng: np.random.Generator, promised: float, shift: float) -> int:
    """Return how many windows a stream, beside a finite reference of its own, goes on without an alarm; what lasts longer counts as the cut-off."""
    gathered = GatheredEvidence(promised)
    references = _counts(rng, REFERENCE_ROWS, 0.0)
    most = int(CUT_OFF * promised)
    for window in range(1, most + 1):
        found = gathered.add(_observed(references, _counts(rng, ROWS, shift))).values()
        if max(evidence.log for evidence in found) >= math.log(promised):
            return window
    return most


def _observed(references: NDArray[np.int64], currents: NDArray[np.int64]) -> list[Observed]:
    feature = MlDriftTargetValues.FEATURE
    return [
        Observed(
            Comparison(feature, str(i), ordered=True, reference=reference, current=current),
            is_sufficient=True,
        )
        for i, (reference, current) in enumerate(zip(references, currents, strict=True))
    ]


N_SEGMENTS: Final = 8
SEGMENT_ROWS: Final = 500
SEGMENT_ALPHA: Final = 0.01


def segments(windows: int) -> Simulated:
    """Return the table of how often a segment's rate alarms where all differ and nothing changes, and where one changes."""
    changes = (("as ever (.31)", 0.31), ("from .31 to .38", 0.38), ("from .31 to .45", 0.45))
    return Simulated(
        title=f"{N_SEGMENTS} segments of {SEGMENT_ROWS} rows, rates of .10 to .31, alpha {SEGMENT_ALPHA:.0%}",
        columns=("the last segment's rate", f"of {windows} windows alarm"),
        parts=[partial(_segments, name=name, last=last, windows=windows) for name, last in changes],
    )


def _segments(rng: np.random.Generator, *, name: str, last: float, windows: int) -> list[Line]:
    return [(name, share(sum(_segments_alarm(rng, last) for _ in range(windows)), windows))]


def _segments_alarm(rng: np.random.Generator, last: float) -> bool:
    rates = 0.10 + 0.03 * np.arange(N_SEGMENTS)
    rows = np.full(N_SEGMENTS, SEGMENT_ROWS)
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


def out_of_distribution(windows: int) -> Simulated:
    """Return the table of how often the share out of distribution alarms, by how large it is."""
    return Simulated(
        title=f"rows out of distribution, .1 % in the reference, windows of {ROWS} rows, promised 1 %",
        columns=("share", f"of {windows} windows alarm"),
        parts=[
            partial(_out_of_distribution, beyond=beyond, windows=windows)
            for beyond in (OOD_SHARE, 0.005, 0.01)
        ],
    )


def _out_of_distribution(rng: np.random.Generator, *, beyond: float, windows: int) -> list[Line]:
    alarms = sum(_ood_alarms(rng, beyond) for _ in range(windows))
    return [(f"{beyond:.1%}", share(alarms, windows))]


def _ood_alarms(rng: np.random.Generator, beyond: float) -> bool:
    window = Comparison(
        MlDriftTargetValues.MULTIVARIATE,
        "",
        ordered=True,
        reference=_errors(rng, REFERENCE_ROWS, OOD_SHARE),
        current=_errors(rng, ROWS, beyond),
    )
    (read,) = assess_drift([window], alpha=0.01, effect_floor=0.01, scores=(), min_rows=200)
    return read.state is MlDriftStateValues.DRIFTING


def _errors(rng: np.random.Generator, rows: int, beyond: float) -> NDArray[np.int64]:
    """Return counts of reconstruction errors on twenty bins, of which the last is out of distribution."""
    cells = [(1 - beyond) / 20] * 20 + [beyond]
    return np.pad(rng.multinomial(rows, cells), (0, len(Slot)))
