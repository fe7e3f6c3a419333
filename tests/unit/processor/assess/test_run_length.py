"""How often slow drift would be told on the reference's own windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftCalibrationModeValues, MlDriftTargetValues
from otel_ml_processor.assess.calibrate import rung_of
from otel_ml_processor.assess.calibration import Calibrated, Calibration, Rung
from otel_ml_processor.assess.evidence import Observed
from otel_ml_processor.assess.promise import told_of_evidence
from otel_ml_processor.assess.run_length import RunLength, evidence_peaks
from otel_ml_processor.assess.self_test import TargetWindows
from otel_ml_processor.profile import CellReference, Profile, RungReference, Source
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

FEATURE = MlDriftTargetValues.FEATURE
IID_MODE = MlDriftCalibrationModeValues.IID
EVEN = [100] * 10
RISING = [82, 86, 90, 94, 98, 102, 106, 110, 114, 118]
"""A thousand rows whose location score is z = sum(c * rank) / sqrt(1000 * .0825), as `test_evidence` has it."""
FALLING = RISING[::-1]
TOLERANCE = 2 * math.sqrt(1000 / 100_000)


def column(cells: Sequence[int], *, ordered: bool = True) -> list[Observed]:
    """Return a window of one column with *cells*, beside ten cells of 10 000 rows."""
    slots = [0] * N_SLOTS
    reference, current = np.array([10_000] * 10 + slots), np.array([*cells, *slots])
    comparison = Comparison(FEATURE, "x", ordered, reference, current)
    return [Observed(comparison, is_sufficient=True)]


def twin(sequence: Sequence[Sequence[int]]) -> list[float]:
    """Return the evidence after each window, written out as the definition says: the mean of six e-processes."""
    values = [1.0] * 6
    found = []
    for cells in sequence:
        z = sum(c * (i - 4.5) / 10 for i, c in enumerate(cells)) / math.sqrt(sum(cells) * 0.0825)
        sides = [(sign, step) for sign in (1, -1) for step in (0.5, 1.0, 2.0)]
        values = [
            max(1.0, m) * math.exp(step * (sign * z - TOLERANCE) - step**2 / 2)
            for m, (sign, step) in zip(values, sides, strict=True)
        ]
        found.append(math.log(sum(values) / 6))
    return found


def test_each_excursion_leaves_its_highest_evidence() -> None:
    """Up for two windows, gone, down for one: two excursions, the higher one first."""
    sequence = [EVEN, RISING, RISING, *[EVEN] * 30, FALLING, *[EVEN] * 30]
    expected = twin(sequence)
    starts = [i for i, log in enumerate(expected) if log > 0 >= expected[i - 1]]
    ends = [
        next((j for j in range(i, len(expected)) if expected[j] <= 0), len(expected))
        for i in starts
    ]
    peaks = [max(expected[i:j]) for i, j in zip(starts, ends, strict=True)]

    found = evidence_peaks(map(column, sequence))

    assert len(peaks) >= 2
    assert found == pytest.approx(sorted(peaks, reverse=True))


def test_an_excursion_that_has_not_ended_counts() -> None:
    """What still rises when the reference ends has its peak there."""
    assert evidence_peaks(map(column, [EVEN, RISING])) == pytest.approx([twin([EVEN, RISING])[-1]])


@pytest.mark.parametrize(
    "windows",
    [[], [[]], [column(EVEN)] * 5, [column(RISING, ordered=False)] * 9, [column([0] * 10)] * 3],
    ids=["no window", "no column", "all alike", "categories", "no rows"],
)
def test_without_evidence_there_is_no_excursion(windows: list[list[Observed]]) -> None:
    """Nothing, nothing ordered, nothing unusual and nothing counted have none, and raise nothing."""
    assert evidence_peaks(windows) == []


def test_the_run_length_is_windows_per_alarm() -> None:
    """Of excursions to e^8, e^7 and e^5 two reach a promise of one in 1000 (e^6.9), and all three one in 100 (e^4.6)."""
    peaks = [8.0, 7.0, 5.0]

    assert RunLength.of(peaks, 300, 1000).mean == 150
    assert RunLength.of(peaks, 300, 100).mean == 100


def test_without_an_alarm_it_is_at_least_all_windows() -> None:
    """Nobody saw the end of the silence; its length so far is the least that it is."""
    assert RunLength.of([5.0], 300, 1000).mean == 300


@pytest.mark.parametrize(
    ("alarms", "is_broken"),
    [(0, False), (1, False), (2, True)],
)
def test_one_alarm_may_be_chance(alarms: int, *, is_broken: bool) -> None:
    """In 60 windows one alarm, where a thousand are promised, proves nothing; two are far too many."""
    assert RunLength(60, alarms).breaks(1000) is is_broken


def test_a_promise_within_a_factor_of_three_is_kept() -> None:
    """Three in a thousand windows are not told as broken, four are."""
    assert not RunLength(1000, 3).breaks(1000)
    assert RunLength(1000, 4).breaks(1000)


def seasons() -> RungReference:
    """Return what a reference says whose first thirty windows lie above its middle hundred, and whose last thirty below."""
    cells = [RISING] * 30 + [EVEN] * 100 + [FALLING] * 30
    counts = np.pad(np.array(cells), ((0, 0), (0, N_SLOTS)))
    windows = TargetWindows(FEATURE, "x", ordered=True, counts=counts)
    return rung_of([windows], [counts.sum(axis=0)], rows=1000, effect_floor=0.01)


def profile(rung: RungReference) -> Profile:
    """Return a profile with the windows of its reference."""
    feature = CellReference(name="x", type="numeric", counts=[6000] * 10, edges=list(range(9)))
    return Profile(
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=60_000),
        features=[feature],
        own_windows=[rung],
    )


def test_a_reference_with_seasons_says_that_its_windows_are_not_independent() -> None:
    """Part of a reference up and part of it down: even scaled by its variance, evidence alarms in both, and the operator is warned."""
    how = Calibration.of(profile(seasons())).calibrated(1000, {"features": 0.01}, "scaled")

    found = how.run_length(10)
    ((is_broken, text),) = told_of_evidence(profile(seasons()), 10)

    assert found == RunLength(windows=160, alarms=2)
    assert (is_broken, "2 in the 160 windows of 1000 rows" in text) == (False, True)


def test_too_many_alarms_are_a_warning_at_load() -> None:
    """Promised one in 1000, and five in 160 were seen."""
    rung = msgspec.structs.replace(seasons(), evidence=[9.0] * 5 + [2.0])

    ((is_broken, text),) = told_of_evidence(profile(rung), 1000)

    assert is_broken
    assert "promised one alarm in 1000 windows; 5 in the 160 windows of 1000 rows" in text
    assert "the promise does not hold there" in text


def test_a_profile_that_does_not_say_it_claims_nothing() -> None:
    """One from before this was measured: no length, no line."""
    rung = msgspec.structs.replace(seasons(), evidence=None)

    assert list(told_of_evidence(profile(rung), 1000)) == []
    assert Calibrated(IID_MODE, Rung.of(rung, [(FEATURE, "x")])).run_length(1000) is None
    assert Calibrated(IID_MODE).run_length(1000) is None
