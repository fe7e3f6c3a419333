"""Slow drift: the promise is kept without drift, and what a single window cannot show is found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from otel_ml_processor.statistics.evidence import (
    SlowDrift,
    alarm_level,
    location_score,
    tolerance,
)
from tests.data.distributions import CONTINUOUS, quantile_edges

IntArray = NDArray[np.int64]
FEATURES, CELLS, ROWS, REFERENCE = 20, 20, 1000, 50_000
LEVEL = alarm_level(1000)


def runs(rng: np.random.Generator, windows: int, shift: float = 0.0) -> NDArray[np.float64]:
    """Return the evidence after each window of one run: twenty normal features, one of them shifted by *shift* from the start."""
    normal = next(d for d in CONTINUOUS if str(d) == "normal")
    edges = quantile_edges(normal, CELLS)
    steady, moved = normal.cell_shares(edges), normal.shifted(shift).cell_shares(edges)
    references = rng.multinomial(REFERENCE, steady, size=FEATURES)
    counts = rng.multinomial(ROWS, steady, size=(windows, FEATURES))
    counts[:, 0] = rng.multinomial(ROWS, moved, size=windows)
    drift = SlowDrift(FEATURES, LEVEL)
    tolerated = np.full(FEATURES, tolerance(REFERENCE, ROWS))
    evidence = []
    for window in counts:
        drift.add(scores(references, window), tolerated)
        evidence.append(drift.evidence)
    return np.array(evidence)


def scores(references: IntArray, window: IntArray) -> NDArray[np.float64]:
    """Return the location score of every feature, all at once: what `location_score` gives one by one."""
    ranks = (np.cumsum(references, axis=1) - references / 2) / REFERENCE - 0.5
    variances = (references * ranks**2).sum(axis=1) / REFERENCE
    sums: NDArray[np.float64] = (window * ranks).sum(axis=1)
    return np.asarray(sums / np.sqrt(ROWS * variances))


def test_without_drift_an_alarm_is_as_rare_as_promised() -> None:
    """An average of 1000 windows to an alarm allows 63 % of runs to alarm within 1000; of 30 runs at most 4 do, on fresh references."""
    rng = np.random.default_rng(11)

    alarmed = sum(bool((runs(rng, 1000) >= LEVEL).any()) for _ in range(30))

    # With an average run length of 1000 or less, 4 or fewer of 30 have a probability below 1e-7.
    assert alarmed <= 4


@pytest.mark.parametrize(("shift", "most"), [(0.05, 24), (0.1, 7), (0.2, 3)])
def test_a_lasting_shift_of_one_feature_is_found(shift: float, most: int) -> None:
    """Half of the runs alarm within so many windows, where a test of each window by itself needs 97, 5 and 1 (published medians)."""
    rng = np.random.default_rng(12)

    times = [int(np.argmax(runs(rng, 200, shift) >= LEVEL)) + 1 for _ in range(15)]

    assert np.median(times) <= most


def test_when_the_shift_is_over_the_evidence_falls() -> None:
    """After two hundred windows of a large shift fewer than fifty steady ones end the alarm: the evidence has a ceiling."""
    drift, tolerated = SlowDrift(1, LEVEL), np.array([0.3])
    for _ in range(200):
        drift.add(np.array([30.0]), tolerated)
    assert drift.evidence >= LEVEL

    for _ in range(50):
        drift.add(np.array([0.0]), tolerated)

    assert drift.evidence < LEVEL


def test_the_score_of_a_shift_of_one_cell() -> None:
    """Two equal halves, all rows in the upper one: the standardised rank is 1, so the score is the root of the rows."""
    assert location_score(np.array([50, 50]), np.array([0, 9])) == pytest.approx(3.0)
    assert location_score(np.array([50, 50]), np.array([9, 0])) == pytest.approx(-3.0)
    assert location_score(np.array([50, 0]), np.array([3, 6])) == 0.0


def test_one_step_by_hand() -> None:
    """One feature, score 2, nothing tolerated: six processes of exp(step * (+-2) - step**2 / 2), and their mean."""
    drift = SlowDrift(1, LEVEL)

    drift.add(np.array([2.0]), np.array([0.0]))

    factors = [math.exp(s * z - s * s / 2) for z in (2.0, -2.0) for s in (0.5, 1.0, 2.0)]
    assert drift.evidence == pytest.approx(math.log(sum(factors) / 6))
    assert drift.directions.tolist() == [1.0]


def test_a_feature_with_too_few_rows_keeps_its_evidence() -> None:
    """NaN is no evidence for anything; the other feature goes on."""
    drift = SlowDrift(2, LEVEL)
    drift.add(np.array([3.0, 3.0]), np.zeros(2))
    before = drift.by_feature

    drift.add(np.array([np.nan, 3.0]), np.zeros(2))

    assert drift.by_feature[0] == before[0]
    assert drift.by_feature[1] > before[1]


def test_what_is_remembered_can_be_put_back() -> None:
    """State of one, taken over by another, gives the same evidence; a torn one is refused."""
    first, second = SlowDrift(2, LEVEL), SlowDrift(2, LEVEL)
    first.add(np.array([1.0, 4.0]), np.zeros(2))

    second.state = first.state

    assert second.evidence == first.evidence
    with pytest.raises(ValueError, match=r"expected finite numbers of shape \(2, 2, 3\)"):
        second.state = np.zeros((1, 2, 3))
    with pytest.raises(ValueError, match="at least one feature"):
        SlowDrift(0, LEVEL)


def test_the_tolerance_is_what_a_finite_reference_gives() -> None:
    """Twice the root of rows by reference rows, or what is configured; without rows there is none."""
    assert tolerance(50_000, 1000) == pytest.approx(0.2828, abs=1e-4)
    assert tolerance(50_000, 1000, tolerated_shift=0.1) == pytest.approx(3.1623, abs=1e-4)
    with pytest.raises(ValueError, match="rows on both sides"):
        tolerance(0, 10)
