"""Segments on streams with a known truth: silent on what always differed, loud on what differs since now."""

from dataclasses import replace

import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues, MlSegmentMeasureValues
from otel_ml_processor.assess.segments import (
    Gap,
    SegmentReading,
    adjusted_gaps,
    assess_segments,
    positive_class,
)
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.windows.reference import Reference
from tests.data.segmented import RATES, reference_profile, summary_of, table

REFERENCE = Reference.of(reference_profile())
POSITIVE = MlSegmentMeasureValues.POSITIVE_RATE
LOW = MlSegmentMeasureValues.LOW_CONFIDENCE_RATE
DRIFTING = MlDriftStateValues.DRIFTING


def readings(rows: dict[str, np.ndarray], alpha: float = 0.05) -> dict[str, SegmentReading]:
    """Return the reading of each region of a window of *rows*."""
    read = assess_segments(summary_of(rows, REFERENCE), alpha=alpha, min_rows=50)
    return {reading.segment.value: reading for reading in read}


def gap(reading: SegmentReading, measure: MlSegmentMeasureValues) -> Gap:
    """Return one rate of *reading*."""
    return next(gap for gap in reading.gaps if gap.measure is measure)


def test_a_static_disparity_is_told_and_never_alarmed() -> None:
    """Regions with shares of .2 to .4 show their ratio to the rest; in 300 windows like the reference hardly one alarms."""
    rows = table(20_000, seed=1)
    amer = gap(readings(rows)["amer"], POSITIVE)
    inside = rows["region"] == "amer"
    is_fraud = rows["said"] == "yes"
    assert amer.rate == is_fraud[inside].mean()
    assert amer.rest == is_fraud[~inside].mean()
    assert amer.ratio == pytest.approx(amer.rate / amer.rest)
    alarms = sum(
        any(g.state is DRIFTING for r in readings(table(1000, seed)).values() for g in r.gaps)
        for seed in range(2, 302)
    )
    assert alarms / 300 <= 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5


def test_a_changed_disparity_is_alarmed() -> None:
    """A region whose share of the positive class rises from .2 to .5 is found in at least nine of ten windows of 1000 rows."""
    changed = {**RATES, "apac": 0.5}
    found = sum(
        gap(readings(table(1000, seed, changed))["apac"], POSITIVE).state is DRIFTING
        for seed in range(50)
    )
    assert found >= 45


def called(rows: dict[str, np.ndarray], name: str, instead: str) -> dict[str, np.ndarray]:
    """Return *rows* with the region *name* called otherwise."""
    regions = np.where(rows["region"] == name, instead, rows["region"])
    return {**rows, "region": regions}


def test_a_value_that_is_called_other_is_one_of_the_others() -> None:
    """Compared with what the profile says of that value, be it built before or after: a static disparity of it is no alarm, and it is told once."""
    profile = build_profile_from_table(
        called(table(50_000), "apac", "other"),
        model="fraud",
        label="said",
        confidence="sure",
        segments=["region"],
    )
    reference = Reference.of(profile)
    rows = called(table(4_000, seed=3), "apac", "other")
    summary = summary_of(rows, reference)
    read = assess_segments(summary, alpha=0.05, min_rows=50)
    assert sorted(r.segment.value for r in read) == ["amer", "emea", "other"]
    told = next(r for r in read if r.segment.value == "other")
    inside = rows["region"] == "other"
    assert told.rows == inside.sum()
    assert gap(told, POSITIVE).rate == (rows["said"] == "yes")[inside].mean()
    assert gap(told, POSITIVE).is_compared
    assert gap(told, POSITIVE).state is not DRIFTING
    assert set(reference.segments["region"]) == {"amer", "emea", ""}


def test_more_values_than_are_told_apart_are_told_once_beside_one_called_other() -> None:
    """Where both the profile and the window have further values and one called `other`, there is one segment of that name, with the rows of all of them."""
    names = np.array([*(f"value {i:02}" for i in range(20)), "other"])
    rows = {**table(21_000), "region": names[np.arange(21_000) % 21]}
    profile = build_profile_from_table(
        rows, model="fraud", label="said", confidence="sure", segments=["region"]
    )
    reference = Reference.of(profile)
    read = assess_segments(summary_of(rows, reference), alpha=0.05, min_rows=50)
    told = [r for r in read if r.segment.value == "other"]
    assert [r.rows for r in told] == [21_000 - sum(r.rows for r in read if r not in told)]
    known = reference.segments["region"][""]
    assert sum(p.rows for p in reference.segments["region"].values()) == 21_000
    assert known.rows == sum(known.outputs[:3])


def test_an_empty_value_says_nothing() -> None:
    """As in a profile: rows with an empty attribute are of no segment, and not compared with all other values."""
    rows = called(table(2_000, seed=3), "apac", "")
    assert sorted(readings(rows)) == ["amer", "emea"]


def test_what_changes_everywhere_alike_is_no_disparity() -> None:
    """Odds that double in every region move no segment against the rest."""
    doubled = {region: 2 * p / (1 + p) for region, p in RATES.items()}
    read = readings(table(5000, 9, doubled), alpha=0.001)
    assert all(g.state is not DRIFTING for r in read.values() for g in r.gaps)


def test_low_confidence_of_a_segment_is_found() -> None:
    """Where the model becomes unsure of one region only, that region is named, and how sure it is there."""
    rows = table(2000, seed=4)
    rows["sure"] = np.where(rows["region"] == "amer", 0.55, rows["sure"])
    read = readings(rows)
    assert gap(read["amer"], LOW).state is DRIFTING
    assert gap(read["amer"], LOW).rate == 1
    assert read["amer"].confidence is not None
    assert read["amer"].confidence.mean == pytest.approx(0.55, abs=1e-9)


def test_a_ratio_near_one_is_no_alarm_however_certain() -> None:
    """Rates of .30 and .33 are within four fifths, so a p-value of nearly 0 is not enough."""
    near = Gap(POSITIVE, 0.33, 0.30, p_value=1e-30, state=MlDriftStateValues.STEADY)
    assert [g.state for g in adjusted_gaps([near, replace(near, rate=0.39)], 0.01)] == [
        MlDriftStateValues.STEADY,
        DRIFTING,
    ]


def test_many_segments_share_one_promise() -> None:
    """A p-value that would do alone does not do among a hundred (Holm)."""
    alone = Gap(POSITIVE, 0.6, 0.3, p_value=0.005, state=MlDriftStateValues.STEADY)
    others = [Gap(POSITIVE, 0.3, 0.3, state=MlDriftStateValues.STEADY)] * 99
    untested = [Gap(POSITIVE, 0.3, 0.3)] * 99
    assert adjusted_gaps([alone], 0.01)[0].state is DRIFTING
    assert adjusted_gaps([alone, *others], 0.01)[0].state is not DRIFTING
    assert adjusted_gaps([alone, *untested], 0.01)[0].state is DRIFTING


def test_small_segments_are_told_and_not_tested() -> None:
    """A region with a handful of rows has its rates; of a change nothing is said, and nothing is called steady."""
    rows = table(300, seed=6)
    few = np.flatnonzero(rows["region"] == "amer")[5:]
    rows["region"][few] = "emea"
    amer = readings(rows)["amer"]
    assert amer.rows == 5
    assert {g.p_value for g in amer.gaps} == {1.0}
    assert {g.state for g in amer.gaps} == {MlDriftStateValues.INSUFFICIENT}
    assert amer.drift == {}


def test_without_a_reference_rates_are_told() -> None:
    """No profile: low confidence by region, no positive class, no test, and no state but that there is nothing to compare with."""
    read = assess_segments(summary_of(table(500), None), alpha=0.0, min_rows=50)
    assert [r.segment.value for r in read] == ["emea", "apac", "amer"]
    assert {g.measure for r in read for g in r.gaps} == {LOW}
    assert {g.p_value for r in read for g in r.gaps} == {1.0}
    assert {g.state for r in read for g in r.gaps} == {MlDriftStateValues.NO_REFERENCE}
    assert positive_class(None) is None


def test_an_empty_window_has_no_segments() -> None:
    """Nothing was said, so nothing is told, and nothing raises."""
    empty = {name: column[:0] for name, column in table(3).items()}
    assert assess_segments(summary_of(empty, REFERENCE), alpha=0.01, min_rows=2) == ()


def test_values_that_nobody_knows_are_together() -> None:
    """A value that is not in the profile has its own numbers and no test; the positive class is the second by name."""
    rows = table(500, seed=8)
    read = readings({**rows, "region": np.where(rows["region"] == "amer", "apac", rows["region"])})
    assert set(read) == {"emea", "apac"}
    assert positive_class(REFERENCE) == "yes"
