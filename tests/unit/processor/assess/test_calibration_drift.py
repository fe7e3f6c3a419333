"""Whether scores still mean what they meant, on labels with a known truth."""

from dataclasses import replace

import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.calibration_drift import CalibrationDrift, calibration_drift
from otel_ml_processor.assess.label_alarms import LabelStates, describe_alarms
from otel_ml_processor.assess.labels import assess_labels
from otel_ml_processor.assess.performance import PerformanceReading, temperature_of
from otel_ml_processor.assess.reading import WindowSpan
from otel_ml_processor.assess.segments import Segment
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.config import PerformanceConfig
from otel_ml_processor.sketches.outcomes import Outcomes
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.score_reference import ScoreReference, calibration_of
from tests.data.segmented import reference_profile

RANDOM = np.random.default_rng(11)
SCORES = RANDOM.beta(2, 2, 20_000)
POSITIVE = ScoreReference.of(calibration_of(SCORES, RANDOM.random(20_000) < SCORES, "yes"))
PLAIN = Reference.of(reference_profile(2_000))
REFERENCE = replace(PLAIN, scores=POSITIVE, performance={})
READING = PerformanceReading(
    StreamKey("shop", "", "fraud", "1"), WindowSpan("1h", 0, 1), predictions=1000, coverage=0.9
)


def labelled(n: int, seed: int, power: float = 1.0, weight: int = 1) -> Outcomes:
    """Return *n* labels, each counted *weight* times; a score p comes true with probability p to the *power*."""
    random = np.random.default_rng(seed)
    scores = random.beta(2, 2, n)
    true = random.random(n) < scores**power
    said = scores >= 0.5
    sure = np.where(said, scores, 1 - scores)
    outcomes = Outcomes(POSITIVE.n_bins)
    outcomes.add_cells(said, true, POSITIVE.bins(said, sure), weight)
    outcomes.add_right(said == true, sure, weight)
    return outcomes


def drift(n: int, seed: int, power: float = 1.0) -> CalibrationDrift:
    """Return what such labels say beside the reference."""
    found = calibration_drift(labelled(n, seed, power), REFERENCE, alpha=0.01)
    assert found is not None
    return found


def test_scores_that_mean_the_same_are_no_alarm() -> None:
    """Of 400 windows without drift at most 1 % alarm, and 5 % have p <= .05, give or take three standard errors."""
    found = [drift(1000, seed) for seed in range(400)]
    small = sum(f.p_value <= 0.05 for f in found) / 400
    alarms = sum(f.state is MlDriftStateValues.DRIFTING for f in found) / 400
    assert small == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / 400) ** 0.5)
    assert alarms <= 0.01 + 3 * (0.01 * 0.99 / 400) ** 0.5


def test_scores_that_promise_too_much_are_found() -> None:
    """Where p comes true as often as p to the 1.5 did, nine of ten windows of 1000 labels alarm, and the size is about right."""
    found = [drift(1000, seed, 1.5) for seed in range(40)]
    assert sum(f.state is MlDriftStateValues.DRIFTING for f in found) >= 36
    grid = RANDOM.beta(2, 2, 100_000)
    exact = float(np.sqrt(((grid - grid**1.5) ** 2).mean()))
    assert np.mean([f.change for f in found]) == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_labels_that_stand_for_many_are_no_surer(seed: int) -> None:
    """Where half of all predictions had to go six times, 400 labels count as 25 600, and every test and alarm is that of 400."""
    reference = Reference.of(reference_profile(20_000))
    reference = replace(reference, scores=POSITIVE, performance={"accuracy": 0.72})

    def read(weight: int) -> PerformanceReading:
        whole, north, south = (labelled(n, seed, 1.2, weight) for n in (400, 150, 250))
        by_segment = {Segment("region", "emea"): north, Segment("region", "apac"): south}
        rules = PerformanceConfig()
        return assess_labels(READING, whole, by_segment, reference, alpha=0.01, rules=rules)

    once, many = read(1), read(64)
    assert many.drift == pytest.approx(once.drift)
    assert many.calibration_drift == once.calibration_drift
    assert [part.gap for part in many.segments] == [part.gap for part in once.segments]
    assert many.alarms == once.alarms
    rare = PerformanceConfig(min_labels=200)
    few = {Segment("region", "emea"): labelled(150, seed, weight=64)}
    told = assess_labels(READING, labelled(400, seed), few, reference, alpha=0.01, rules=rare)
    assert told.segments == ()


def test_what_cannot_be_compared_is_not() -> None:
    """No reference, one that does not say what scores meant, no label, or a handful: nothing is told, nothing raises."""
    assert calibration_drift(labelled(500, 1), None, alpha=0.01) is None
    assert calibration_drift(Outcomes(), PLAIN, alpha=0.01) is None
    assert calibration_drift(Outcomes(POSITIVE.n_bins), REFERENCE, alpha=0.01) is None
    assert calibration_drift(labelled(6, 1), REFERENCE, alpha=0.01) is None


def test_the_temperature_of_labels_is_that_of_their_scores() -> None:
    """Scores whose log-odds are twice what they should be have temperature 2, as far as ten bins can tell."""
    random = np.random.default_rng(3)
    odds = random.normal(1.0, 1.0, 40_000)
    is_right = random.random(40_000) < 1 / (1 + np.exp(-odds))
    outcomes = Outcomes()
    outcomes.add_right(is_right, 1 / (1 + np.exp(-2 * odds)))
    assert temperature_of(outcomes) == pytest.approx(2, abs=0.2)
    assert np.isnan(temperature_of(Outcomes()))


def test_a_change_is_told_once_and_again_when_it_comes_back() -> None:
    """Alarms that hold on are not told again; after a window without them they are."""
    rules = PerformanceConfig(baseline=None)
    states = LabelStates()

    def began(power: float) -> list[MlDriftTargetValues]:
        outcomes = labelled(4000, 5, power)
        read = assess_labels(READING, outcomes, {}, REFERENCE, alpha=0.01, rules=rules)
        return [alarm.target for alarm in states.began(read)]

    calibration = MlDriftTargetValues.CALIBRATION
    assert began(1.0) == []
    assert calibration in began(1.6)
    assert calibration not in began(1.6)
    assert began(1.0) == []
    assert calibration in began(1.6)
    assert states.began(READING) == []


def alarmed(power: float = 1.6) -> PerformanceReading:
    """Return a reading whose scores mean something else than they did."""
    rules = PerformanceConfig(baseline=None)
    return assess_labels(READING, labelled(4000, 5, power), {}, REFERENCE, alpha=0.01, rules=rules)


def test_what_may_not_be_told_yet_is_told_when_it_may() -> None:
    """An alarm that begins while nothing may be told is not lost; one that was told before is not told again for that."""
    states = LabelStates()
    assert states.began(alarmed(), may_tell=False) == []
    first = states.began(alarmed())
    assert MlDriftTargetValues.CALIBRATION in {alarm.target for alarm in first}
    assert states.began(alarmed(), may_tell=False) == []
    assert states.began(alarmed()) == []


def test_a_stream_that_is_forgotten_is_told_anew_and_no_other_is() -> None:
    """Two versions of a model, of which one is retired."""
    states = LabelStates()
    other = replace(alarmed(), stream=replace(READING.stream, version="2"))
    told = states.began(alarmed())
    states.began(other)
    states.forget(READING.stream)
    assert states.began(other) == []
    assert states.began(alarmed()) == told != []


def test_what_scores_mean_has_a_third_of_the_false_alarms() -> None:
    """Labels are tested in three ways: a p-value is an alarm below a third of the promise, and none above it."""
    outcomes = labelled(4000, 5, 1.3)
    drifted = calibration_drift(outcomes, REFERENCE, alpha=0.01)
    assert drifted is not None

    def state(part: float) -> MlDriftStateValues:
        read = assess_labels(
            READING,
            outcomes,
            {},
            REFERENCE,
            alpha=3 * part * drifted.p_value,
            rules=PerformanceConfig(),
        )
        assert read.calibration_drift is not None
        return read.calibration_drift.state

    assert (state(0.9), state(1.1)) == (MlDriftStateValues.STEADY, MlDriftStateValues.DRIFTING)


def test_a_score_below_its_part_of_the_reference_is_an_alarm() -> None:
    """Half of the predictions right where nine of ten were: named with both numbers, behind that the errors rose; `null` leaves that alone."""
    outcomes = Outcomes()
    outcomes.add_right(np.arange(1000) % 2 == 0, np.full(1000, np.nan))
    reference = replace(PLAIN, performance={"accuracy": 0.9, "mae": 2.0})
    told = assess_labels(READING, outcomes, {}, reference, alpha=0.01, rules=PerformanceConfig())
    rise, alarm = told.alarms
    assert "mean error 0.5 against 0.1" in rise.words
    assert (alarm.target, alarm.score, alarm.threshold) == (
        MlDriftTargetValues.PERFORMANCE,
        0.5,
        pytest.approx(0.81),
    )
    assert "accuracy is 0.5, 55.6 % of the reference's 0.9" in describe_alarms(told, [alarm])
    silent = PerformanceConfig(baseline=None)
    off = assess_labels(READING, outcomes, {}, reference, alpha=0.01, rules=silent)
    assert off.alarms == (rise,)


def test_an_error_above_its_part_is_an_alarm() -> None:
    """Of errors more is worse: 2.5 where 2 was is beyond 2 / .9, 2.1 is not."""
    reference = replace(PLAIN, performance={"mae": 2.0})

    def alarms(error: float) -> list[str]:
        outcomes = Outcomes()
        outcomes.add_numbers(np.full(500, error), np.zeros(500))
        rules = PerformanceConfig()
        read = assess_labels(READING, outcomes, {}, reference, alpha=0.01, rules=rules)
        return [alarm.what for alarm in read.alarms]

    assert alarms(2.5) == ["mae"]
    assert alarms(2.1) == []


def test_a_segment_that_is_wrong_more_often_than_before_is_found() -> None:
    """All regions were right in nine of ten; one that now is in seven of ten is named with its rate and that of the rest."""
    reference = Reference.of(reference_profile(20_000))

    def outcomes(right: int) -> Outcomes:
        found = Outcomes()
        found.add_right(np.arange(500) < right, np.full(500, np.nan))
        return found

    by_segment = {
        Segment("region", "emea"): outcomes(450),
        Segment("region", "apac"): outcomes(350),
        Segment("region", "amer"): outcomes(450),
    }
    whole = outcomes(450)
    read = assess_labels(
        READING, whole, by_segment, reference, alpha=0.01, rules=PerformanceConfig(baseline=None)
    )
    gaps = {part.segment.value: part.gap for part in read.segments}
    assert gaps["apac"] is not None
    assert (gaps["apac"].rate, gaps["apac"].rest) == (0.3, 0.1)
    drifting = MlDriftStateValues.DRIFTING
    assert gaps["apac"].state is drifting
    assert "region=apac: error rate 30 % against 10 % elsewhere" in read.alarms[0].words
    assert {part.realized["accuracy"] for part in read.segments} == {0.9, 0.7}
