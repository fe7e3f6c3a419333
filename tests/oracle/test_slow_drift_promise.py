"""The promise of slow drift over many features, simulated: silence without drift, and small shifts found in the same mode."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pytest
from scipy import stats

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.assess.evidence import GatheredEvidence, Observed
from otel_ml_processor.columns import IntArray
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.windows.summary import Comparison

PROMISED: Final = 100
"""Windows between alarms: short, so that a broken promise shows in seconds."""
N_FEATURES, ROWS, REFERENCE_ROWS = 10, 1000, 50_000
EDGES: Final = stats.norm.ppf(np.arange(1, 20) / 20)


def counts(rng: np.random.Generator, rows: int, shift: float = 0.0) -> IntArray:
    """Return the counts of a standard normal feature, moved by *shift*, on twenty cells that are equally likely without."""
    shares = np.diff(np.concatenate([[0.0], stats.norm.cdf(EDGES - shift), [1.0]]))
    return np.pad(rng.multinomial(rows, shares), (0, N_SLOTS))


def windows_to_alarm(rng: np.random.Generator, most: int, shift: float = 0.0) -> int:
    """Return how many windows go by until any feature's evidence is an alarm, at most *most*; the first feature is shifted."""
    gathered = GatheredEvidence(PROMISED)
    references = [counts(rng, REFERENCE_ROWS) for _ in range(N_FEATURES)]
    for window in range(1, most + 1):
        found = gathered.add(
            [
                Observed(
                    Comparison(
                        MlDriftTargetValues.FEATURE,
                        str(i),
                        ordered=True,
                        reference=reference,
                        current=counts(rng, ROWS, shift if i == 0 else 0.0),
                    ),
                    is_sufficient=True,
                )
                for i, reference in enumerate(references)
            ]
        )
        if max(evidence.log for evidence in found.values()) >= math.log(PROMISED):
            return window
    return most


def test_slow_drift_is_silent_for_as_long_as_promised() -> None:
    """Ten features, a finite reference: of sixteen streams without drift, cut off at the promise of 100 windows, the mean is at least 80."""
    rng = np.random.default_rng(41)

    lengths = [windows_to_alarm(rng, most=PROMISED) for _ in range(16)]

    # Runs whose mean is the promise, ending by chance in any window, would have 63 when they are cut off; evidence has to grow first.
    assert np.mean(lengths) >= 80


@pytest.mark.parametrize(("shift", "within"), [(0.15, 40), (0.3, 8)])
def test_a_shift_too_small_for_one_window_is_found_over_some(shift: float, within: int) -> None:
    """The same promise: .15 sigma of one of ten features is told within forty windows, .3 within eight, in nine streams of ten."""
    rng = np.random.default_rng(42)

    found = [windows_to_alarm(rng, most=2 * within, shift=shift) <= within for _ in range(20)]

    assert np.mean(found) >= 0.9
