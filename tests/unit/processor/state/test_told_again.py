"""What a processor that starts again still says, and does not say twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otel_ml_conventions.metrics import (
    METRIC_ML_CONFIDENCE_MEAN,
    METRIC_ML_DRIFT_DETECTIONS,
    METRIC_ML_DRIFT_SCORE,
    METRIC_ML_DRIFT_STATUS,
)
from otel_ml_processor.config import WindowConfig
from otel_ml_processor.sketches.outcomes import Outcomes
from tests.data.state_house import House, profile, request

WINDOWS = [WindowConfig(name="rows", rows=200)]
DRIFTED = profile(mean=5.0)
TOLD = (METRIC_ML_DRIFT_SCORE, METRIC_ML_DRIFT_STATUS, METRIC_ML_CONFIDENCE_MEAN)


def house(path: Path, **more: bool) -> House:
    """Return a processor whose model drifts from its first window on."""
    return House(path, windows=WINDOWS, reference=DRIFTED, **more)


def batch(number: int) -> bytes:
    """Return the inferences of one whole window."""
    return request(range(1000 * number, 1000 * number + 200))


def gauges(of: House) -> list[list[tuple[float, int]]]:
    """Return what is exported of the last window."""
    return [of.counted(metric) for metric in TOLD]


@pytest.mark.parametrize("is_killed", [True, False])
def test_gauges_and_readings_are_there_from_the_start_as_they_were(
    tmp_path: Path, is_killed: bool
) -> None:
    """A scrape right after a restart finds every series of the last window with the same number: no gap, and no alert that resolves itself."""
    first = house(tmp_path).take(batch(0))
    first.tick()
    before, (reading, _) = gauges(first), first.readings[-1]
    assert all(before)
    first.save()
    first.vanish() if is_killed else first.stop()

    second = house(tmp_path)

    assert gauges(second) == before
    (view,) = second.book.views()
    assert repr(view.readings[0]) == repr(reading)  # where there is a NaN, they never equal
    assert second.readings == []


def test_an_alarm_that_holds_is_not_raised_again_after_a_kill(tmp_path: Path) -> None:
    """Drifting before, drifting after: one event and one detection in all, and the evidence goes on."""
    first = house(tmp_path, journal=True).take(batch(0))
    first.tick()
    assert first.readings[-1][1] is not None
    first.save()
    detections = first.counted(METRIC_ML_DRIFT_DETECTIONS)
    first.vanish()

    second = house(tmp_path, journal=True).take(batch(1))
    second.tick()

    assert [change for _, change in second.readings] == [None]
    assert second.counted(METRIC_ML_DRIFT_DETECTIONS) == detections
    undisturbed = house(tmp_path / "other").take(batch(0))
    undisturbed.tick()
    undisturbed.take(batch(1)).tick()
    evidence = [t.evidence for t in undisturbed.readings[-1][0].targets]
    assert [t.evidence for t in second.readings[-1][0].targets] == evidence


def test_what_was_told_of_another_profile_is_not_told_again(tmp_path: Path) -> None:
    """Numbers against a profile that is no longer in force would be wrong beside its name."""
    first = house(tmp_path).take(batch(0))
    first.tick()
    first.stop()

    second = House(tmp_path, windows=WINDOWS, reference=profile(8))

    assert [second.counted(metric) for metric in TOLD] == [[], [], []]


def test_a_snapshot_of_an_insufficient_window_has_the_last_numbers_too(tmp_path: Path) -> None:
    """The state says `insufficient`, and the numbers are those of the last window that had enough rows, as before the restart."""
    timed = [WindowConfig(name="10m", length=600.0, pane=600.0)]  # type: ignore[arg-type] # seconds, read from a file
    clock = [1_700_000_000_000_000_000]
    first = House(tmp_path, windows=timed, reference=DRIFTED, clock_ns=lambda: clock[0])
    first.take(request(range(300), at_ns=clock[0])).tick()
    clock[0] += 1800 * 10**9
    first.tick()
    first.take(request(range(900, 903), at_ns=clock[0])).tick()
    clock[0] += 1800 * 10**9
    first.tick()
    assert [reading.rows for reading, _ in first.readings] == [300, 3]
    before = gauges(first)
    assert before[0]
    first.stop()

    second = House(tmp_path, windows=timed, reference=DRIFTED, clock_ns=lambda: clock[0])

    assert gauges(second) == before


def test_outcomes_come_back_whole() -> None:
    """What labels have said is the same after it was written: every sum, and every score."""
    random = np.random.default_rng(3)
    outcomes = Outcomes(5)
    right, sure = random.random(100) < 0.8, random.uniform(0.5, 1.0, 100)
    outcomes.add_right(right, sure)
    outcomes.add_pairs(["a", "b"], ["a", "a"], weight=2)
    outcomes.add_cells(right, right, random.integers(0, 5, 100))
    outcomes.add_numbers(sure, sure + random.normal(size=100))

    again = Outcomes.of_parts(outcomes.parts(), 5)

    assert again.parts() == outcomes.parts()
    assert again.matrix().tolist() == outcomes.matrix().tolist()
    assert (again.brier, again.log_loss, again.roc_auc, again.errors) == (
        outcomes.brier,
        outcomes.log_loss,
        outcomes.roc_auc,
        outcomes.errors,
    )


def test_outcomes_of_other_bins_are_refused() -> None:
    """Counts in the bins of another reference mean nothing here."""
    outcomes = Outcomes(5)
    outcomes.add_cells(np.array([True]), np.array([True]), np.array([4]))
    with pytest.raises(ValueError, match="expected 3 score bins"):
        Outcomes.of_parts(outcomes.parts(), 3)
    with pytest.raises(ValueError, match="expected 10 bins of confidence"):
        Outcomes.of_parts(outcomes.parts()._replace(confidences=(0.0,)), 5)
    with pytest.raises(ValueError, match="sums of errors"):
        Outcomes.of_parts(outcomes.parts()._replace(errors=(0.0,)), 5)
