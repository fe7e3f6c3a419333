"""How far the mean confidence has fallen, as a part of the reference's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.confidence import assess_confidence
from otel_ml_processor.assess.confidence_fall import confidence_fall
from otel_ml_processor.assess.reading import Change, Reading, TargetReading, WindowSpan
from otel_ml_processor.assess.states import DriftStates, describe
from otel_ml_processor.emit.events import drift_attributes
from otel_ml_processor.windows.reference import Reference
from tests.data.segmented import STREAM, reference_profile, summary_of, table

REFERENCE = Reference.of(reference_profile(20_000))
USUAL = table(20_000)["sure"].mean()
DRIFTS = TargetReading(
    MlDriftTargetValues.CONFIDENCE, "", 2000, {"psi": 1.0}, 1e-9, 1.0, MlDriftStateValues.DRIFTING
)


def read(part: float, target: TargetReading = DRIFTS, least: float | None = 0.9) -> Reading:
    """Return the reading of 2000 rows whose confidences are *part* of what they were."""
    rows = table(2_000, seed=7)
    rows["sure"] = rows["sure"] * part
    confidence = assess_confidence(summary_of(rows, REFERENCE).scores)
    return Reading(
        STREAM,
        WindowSpan("1h", 0, 3600 * 10**9),
        2_000,
        target.state,
        targets=(target,),
        confidence=confidence,
        reference_id=REFERENCE.id,
        confidence_fall=confidence_fall(confidence, (target,), REFERENCE, least),
    )


def test_a_fall_says_both_means_and_the_bound() -> None:
    """Confidences of four fifths: the mean of the window, that of the table, and nine tenths of that."""
    fall = read(0.8).confidence_fall
    assert fall is not None
    assert fall.mean == pytest.approx(0.8 * table(2_000, seed=7)["sure"].mean(), abs=1e-6)
    assert fall.before == pytest.approx(USUAL, abs=1e-6)
    assert fall.bound == pytest.approx(0.9 * USUAL, abs=1e-6)


@pytest.mark.parametrize(
    ("part", "state", "least"),
    [
        (0.95, MlDriftStateValues.DRIFTING, 0.9),
        (0.8, MlDriftStateValues.STEADY, 0.9),
        (0.8, MlDriftStateValues.INSUFFICIENT, 0.9),
        (0.8, MlDriftStateValues.DRIFTING, None),
    ],
)
def test_no_fall(part: float, state: MlDriftStateValues, least: float | None) -> None:
    """Too small a part, no drift of the confidence to be sure of it, or nobody who asks for it."""
    assert read(part, replace(DRIFTS, state=state), least).confidence_fall is None


def test_nothing_is_compared_with_nothing() -> None:
    """Without a reference, without confidences, or with a reference that does not know them, nothing has fallen."""
    silent = replace(REFERENCE, targets=tuple(t for t in REFERENCE.targets if t.name != ""))
    confidence = read(0.5).confidence
    for reference in (None, silent):
        assert confidence_fall(confidence, (DRIFTS,), reference, 0.9) is None
    assert confidence_fall(None, (DRIFTS,), REFERENCE, 0.9) is None


def told(states: DriftStates, reading: Reading) -> Change | None:
    """Return what *reading* changes."""
    return states.observe(reading)


def test_a_fall_of_what_drifts_already_is_told_once() -> None:
    """Drift first, then the fall, then silence while both last; after it was over it is told again."""
    states = DriftStates()
    changes = [told(states, read(part)) for part in (0.95, 0.8, 0.8, 0.95, 0.8)]
    assert [(c is not None, c is not None and c.fall is not None) for c in changes] == [
        (True, False),
        (True, True),
        (False, False),
        (False, False),
        (True, True),
    ]


def test_the_event_of_a_fall_says_what_fell() -> None:
    """Target, mean and bound are attributes, and the words name both means and what part that is."""
    states = DriftStates()
    told(states, read(0.95))
    change = told(states, read(0.8))
    assert change is not None
    words = describe(change)
    about = drift_attributes(change, words, effect_floor=0.01)
    assert about["ml.drift.target"] == "confidence"
    assert about["ml.drift.score"] == pytest.approx(0.8 * USUAL, rel=0.02)
    assert about["ml.drift.threshold"] == pytest.approx(0.9 * USUAL, abs=1e-6)
    assert f"of the reference's {USUAL:.3g} in window 1h" in words
    part = float(words.split("is ")[1].split(", ")[1].split(" %")[0])
    assert part == pytest.approx(100 * 0.8, abs=2)


def test_a_fall_that_was_told_is_remembered_over_a_restart() -> None:
    """Who was told before is not told again by the next processor."""
    before, after = DriftStates(), DriftStates()
    told(before, read(0.8))
    after.recall(before.memories())
    assert told(after, read(0.8)) is None


def test_all_confidences_missing_is_no_fall() -> None:
    """NaN is not low."""
    rows = table(500)
    rows["sure"] = np.full(500, np.nan)
    confidence = assess_confidence(summary_of(rows, REFERENCE).scores)
    assert confidence_fall(confidence, (DRIFTS,), REFERENCE, 0.9) is None
