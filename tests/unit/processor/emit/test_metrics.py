"""The book of all metrics."""

from __future__ import annotations

import json
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftStateValues,
    MlProcessorStateValues,
    MlSegmentMeasureValues,
)
from otel_ml_processor.assess.data_quality import QualityReading
from otel_ml_processor.assess.explanations import ExplanationReading
from otel_ml_processor.assess.run_length import RunLength
from otel_ml_processor.assess.segments import Gap, Segment, SegmentReading
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.emit.confidence_samples import ConfidenceSamples
from otel_ml_processor.emit.definitions import DEFINITIONS
from otel_ml_processor.emit.feature_bins import FeatureBins
from otel_ml_processor.emit.metrics import MAX_POINTS, SERIES_BUDGET, MetricBook
from otel_ml_processor.emit.points import Point
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.sketches.label_counts import MAX_LABELS
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.quality import Freshness
from tests.data.awaited import awaited_names
from tests.data.segmented import inferences, table
from tests.unit.processor.emit import sample_feedback as feedback
from tests.unit.processor.emit import sample_readings as samples
from tests.unit.processor.emit.counted_rows import reference, told

STREAM_ATTRIBUTES = {
    "service.name": "flights",
    "deployment.environment.name": "production",
    "ml.model.name": "late-arrival",
    "ml.model.version": "2013-02",
}

REGISTRY = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text("utf-8"))


class Clock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        """Stand a while after the windows of the samples have ended."""
        self.now_ns = samples.NOW_NS

    def __call__(self) -> int:
        """Return the time, in nanoseconds since 1970."""
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    """A clock that a test moves by hand."""
    return Clock()


@pytest.fixture
def self_metrics() -> SelfMetrics:
    """The processor's counters, with the cause that the book counts."""
    return SelfMetrics({"ml.processor.overflow": [SERIES_BUDGET]})


@pytest.fixture
def book(clock: Clock, self_metrics: SelfMetrics) -> MetricBook:
    """An empty book of two windows that exports the PSI."""
    return MetricBook(
        windows=["1h", "24h"], scores=["psi"], self_metrics=self_metrics, clock_ns=clock
    )


def points(book: MetricBook, metric: str) -> list[Point]:
    """Return the points of *metric*, none if there are none."""
    return [
        point
        for found in book.collect()
        if found.definition.name == metric
        for point in found.points
    ]


def values(book: MetricBook, metric: str, *keys: str) -> dict[Any, float]:
    """Return the values of *metric* by the values of *keys* (of one key, by that)."""
    found: dict[Any, float] = {}
    for point in points(book, metric):
        said = dict(point.attributes)
        key = tuple(said.get(key) for key in keys)
        assert key not in found, f"two points of {metric} for {key}"
        found[key if len(keys) != 1 else key[0]] = point.value
    return found


def test_an_empty_book_has_only_what_the_processor_says_of_itself(book: MetricBook) -> None:
    """Before the first span there is no stream, but counters of the processor stand at 0."""
    found = {metric.definition.name: metric for metric in book.collect()}

    assert "otelcol_receiver_accepted_spans" in found
    assert not [name for name in found if not name.startswith(("otelcol_", "ml.processor."))]
    assert {point.value for metric in found.values() for point in metric.points} == {0}


def test_every_metric_of_the_processor_is_written(clock: Clock, self_metrics: SelfMetrics) -> None:
    """Whatever the registry promises of the processor, a stream with a reference has, and nothing that it does not know."""
    confidences = ConfidenceSamples(1)
    confidences.add([place(inferences(table(9)), None)], np.zeros((9, 3), dtype=np.uint64))
    bins = FeatureBins()
    told(bins, reference(), [{"f0": 1.0}])
    book = MetricBook(
        windows=["1h", "24h"],
        scores=["psi"],
        self_metrics=self_metrics,
        bins=bins,
        confidences=confidences,
        clock_ns=clock,
    )
    book.register(samples.STREAM, samples.profile(), {"1h": 0.2}, budget=0.1)
    gap = Gap(MlSegmentMeasureValues.POSITIVE_RATE, 0.2, 0.4)
    segment = SegmentReading(Segment("region", "emea"), 9, None, {}, (gap,))
    with_margin = replace(samples.CONFIDENCE_READING, margin=0.4)
    reading = samples.with_evidence(samples.drifting_reading())
    explanations = ExplanationReading(50, {"fare": 0.5}, {"fare": 0.4}, 0.9, is_provisional=False)
    said = replace(
        reading,
        confidence=with_margin,
        segments=(segment,),
        explanations=explanations,
        received=0.9,
    )
    quality = QualityReading(0.25, 0.5, {"empty": 1}, {"9f2c1a7be0d4c355": 900})
    said = replace(said, run_length=RunLength(200, 1), quality=quality, received=0.5)
    book.update(said, None)
    book.set_performance(replace(feedback.PERFORMANCE, temperature=1.5))
    book.set_feedback(feedback.TOTALS)
    book.set_totals(samples.STREAM, {"late": 1}, 1, ood=1)
    book.set_quality(samples.STREAM, {"empty": 1}, Freshness(0, 0, {"fare": 0}))
    book.set_window_lag(1.0)
    book.set_dedupe_horizon(600.0)
    book.set_state(MlProcessorStateValues.FRESH)
    book.set_snapshot(0)

    found = {metric.definition.name for metric in book.collect()}

    of_the_sdk = {name for name, item in REGISTRY["metrics"].items() if item["emitted_by"] == "sdk"}
    assert found == DEFINITIONS.keys() - of_the_sdk - awaited_names("metric")


def test_evidence_is_told_of_every_target_that_has_some(book: MetricBook) -> None:
    """The logarithm, with target and feature; a category has none, and no point."""
    book.update(samples.with_evidence(samples.drifting_reading()), None)

    assert values(book, "ml.drift.evidence", "ml.drift.target", "ml.feature.name") == {
        ("feature", "temp"): 7.25,
        ("confidence", None): -1.5,
    }


def test_the_rate_that_was_measured_is_told_per_mode(book: MetricBook) -> None:
    """Of mode `iid` by the reference, of another one by its windows; never two points of one mode."""
    book.register(samples.STREAM, samples.profile(), {"1h": 0.2})
    measured = replace(samples.drifting_reading(), measured=0.05)
    book.update(measured, None)
    key = "ml.drift.calibration.mode"
    assert values(book, "ml.drift.false_alarm.measured", key) == {"iid": 0.2}

    book.update(replace(measured, mode=MlDriftCalibrationModeValues.SCALED), None)

    assert values(book, "ml.drift.false_alarm.measured", key) == {"iid": 0.2, "scaled": 0.05}


def test_every_point_says_whose_it_is(book: MetricBook) -> None:
    """Service, environment, model and version are on every point of a stream; what is empty is left out, not written empty."""
    book.update(samples.drifting_reading(), None)
    book.update(samples.reading(samples.CARRIER, stream=samples.NAMELESS), None)

    for metric in book.collect():
        for point in metric.points:
            said = dict(point.attributes)
            if "service.name" in said:
                full = {key: said.get(key) for key in STREAM_ATTRIBUTES}
                short = {"service.name": "flights", "ml.model.name": "late-arrival"}
                assert full == STREAM_ATTRIBUTES or short.items() <= said.items()
                assert "" not in said.values()
                assert said["ml.window.name"] == "1h"


def test_scores_are_those_that_were_asked_for(book: MetricBook) -> None:
    """Of the statistics that were computed only the configured ones are exported, with target, method and feature."""
    book.update(samples.reading(samples.TEMP, samples.PREDICTION), None)

    keys = ("ml.drift.target", "ml.drift.method", "ml.feature.name")
    assert values(book, "ml.drift.score", *keys) == {
        ("feature", "psi", "temp"): 0.412,
        ("prediction", "psi", None): 0.002,
    }
    assert values(book, "ml.drift.p_value", "ml.feature.name") == {"temp": 3.2e-9, None: 0.41}


def test_several_scores_stand_side_by_side(clock: Clock, self_metrics: SelfMetrics) -> None:
    """Each configured statistic is a series of its own; one that was not computed is none."""
    scores = ["jensen_shannon", "psi", "chi_squared"]
    book = MetricBook(windows=["1h"], scores=scores, self_metrics=self_metrics, clock_ns=clock)
    book.update(samples.reading(samples.TEMP), None)

    found = values(book, "ml.drift.score", "ml.drift.method")

    assert found == {"psi": 0.412, "jensen_shannon": 0.0515}


@pytest.mark.parametrize(
    ("state", "has_p_value"),
    [
        (MlDriftStateValues.NO_REFERENCE, False),
        (MlDriftStateValues.INSUFFICIENT, False),
        (MlDriftStateValues.STEADY, True),
        (MlDriftStateValues.DRIFTING, True),
    ],
)
def test_a_segment_that_was_not_compared_is_not_steady(
    book: MetricBook, state: MlDriftStateValues, has_p_value: bool
) -> None:
    """All five states are there and one holds; a p-value is there only of what was compared, the difference in any case."""
    gap = Gap(MlSegmentMeasureValues.LOW_CONFIDENCE_RATE, 0.2, 0.4, p_value=0.5, state=state)
    part = SegmentReading(Segment("region", "emea"), 9, None, {}, (gap,))
    book.update(replace(samples.reading(), segments=(part,)), None)

    found = values(book, "ml.drift.status", "ml.segment.value", "ml.drift.target", "ml.drift.state")
    told = {key: int(key[2] == state.value) for key in found}
    assert found == told
    assert len(found) == 5
    assert {key[:2] for key in found} == {("emea", "confidence")}
    assert bool(values(book, "ml.drift.p_value", "ml.segment.value")) is has_p_value
    assert values(book, "ml.segment.disparity", "ml.segment.value") == {"emea": 0.5}


def test_every_state_is_exported_and_one_holds(book: MetricBook) -> None:
    """An alert can compare with 0 before the first alarm: all four states that a feature can have are there, one of them is 1."""
    book.update(samples.reading(samples.TEMP, samples.CARRIER), None)

    found = values(book, "ml.drift.status", "ml.feature.name", "ml.drift.state")

    possible = set(MlDriftStateValues) - {MlDriftStateValues.NO_REFERENCE}
    expected = {("temp", state.value): 0 for state in possible}
    expected |= {("carrier", state.value): 0 for state in possible}
    assert found == expected | {("temp", "drifting"): 1, ("carrier", "steady"): 1}


def test_shares_of_a_feature_carry_its_name_only(book: MetricBook) -> None:
    """Data quality is per feature and knows no drift target."""
    book.update(samples.reading(samples.DEWP), None)

    shares = {
        name: values(book, f"ml.feature.{name}", "ml.feature.name", "ml.drift.target")
        for name in ("missing", "unseen", "out_of_range", "non_finite", "type_error")
    }

    assert {name: found["dewp", None] for name, found in shares.items()} == {
        "missing": 0.0022,
        "unseen": 0.0125,
        "out_of_range": 0.031,
        "non_finite": 0.0005,
        "type_error": 0.0,
    }


def test_the_window_says_how_many_features_drift(book: MetricBook) -> None:
    """Features in alarm are counted, not warnings, and neither the prediction nor the confidence."""
    prediction = replace(samples.PREDICTION, state=samples.DRIFTING)
    book.update(samples.reading(samples.TEMP, samples.DEWP, samples.WIND, prediction), None)

    assert values(book, "ml.drift.features", "ml.window.name") == {"1h": 2}
    assert values(book, "ml.drift.window.samples", "ml.window.name") == {"1h": 900}


def test_confidence_leaves_out_what_nobody_said(book: MetricBook) -> None:
    """Mean, entropy, quantiles and the share of low confidence are exported; a margin that no row said is no point."""
    book.update(samples.drifting_reading(), None)

    assert values(book, "ml.confidence.mean") == {(): 0.8125}
    assert values(book, "ml.confidence.entropy") == {(): 0.55}
    assert values(book, "ml.confidence.low") == {(): 0.081}
    quantiles = values(book, "ml.confidence.quantile", "ml.quantile")
    assert quantiles == {0.05: 0.531, 0.5: 0.84, 0.95: 0.972}
    assert points(book, "ml.confidence.margin") == []


def test_a_window_without_any_confidence_has_none(book: MetricBook) -> None:
    """The mean over no row is not 0."""
    silent = replace(samples.CONFIDENCE_READING, rows=0, mean=0.0)
    book.update(replace(samples.drifting_reading(), confidence=silent), None)

    assert points(book, "ml.confidence.mean") == []
    assert points(book, "ml.confidence.low") == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_never_leaves(book: MetricBook, bad: float) -> None:
    """NaN and infinities make no point, whichever number they come in as; the others are still exported."""
    target = replace(samples.TEMP, scores={"psi": bad}, p_value=bad, missing=bad)
    confidence = replace(samples.CONFIDENCE_READING, mean=bad, quantiles={0.5: bad})
    found = replace(samples.reading(target), confidence=confidence, alpha=bad)
    book.register(samples.STREAM, samples.profile(), {"1h": bad})
    book.update(found, None)
    book.set_window_lag(bad)
    book.set_dedupe_horizon(bad)

    metrics = {metric.definition.name: metric for metric in book.collect()}

    everything = [point.value for metric in metrics.values() for point in metric.points]
    assert all(math.isfinite(value) for value in everything)
    assert "ml.drift.score" not in metrics
    assert "ml.confidence.mean" not in metrics
    assert values(book, "ml.feature.unseen", "ml.feature.name") == {"temp": 0.0125}


def test_an_insufficient_window_only_says_so(book: MetricBook) -> None:
    """Too few rows say nothing of drift: the last scores stay, the state of every known target becomes insufficient."""
    before = samples.drifting_reading()
    book.update(before, None)
    scores = values(book, "ml.drift.score", "ml.drift.target", "ml.feature.name")
    confidence = values(book, "ml.confidence.mean")

    book.update(samples.insufficient(before), None)

    assert values(book, "ml.drift.score", "ml.drift.target", "ml.feature.name") == scores
    assert values(book, "ml.confidence.mean") == confidence
    assert values(book, "ml.drift.features", "ml.window.name") == {"1h": 2}
    assert values(book, "ml.drift.window.samples", "ml.window.name") == {"1h": 17}
    keys = ("ml.drift.target", "ml.feature.name", "ml.drift.state")
    holding = {key for key, value in values(book, "ml.drift.status", *keys).items() if value}
    assert holding == {
        (target.target.value, target.name or None, "insufficient") for target in before.targets
    }


def test_a_first_window_that_is_insufficient_has_no_scores(book: MetricBook) -> None:
    """Numbers out of too few rows are not exported, even if there are no better ones yet."""
    book.update(samples.reading(samples.TEMP, state=samples.INSUFFICIENT), None)

    assert points(book, "ml.drift.score") == []
    assert points(book, "ml.confidence.mean") == []
    status = values(book, "ml.drift.status", "ml.feature.name", "ml.drift.state")
    assert status["temp", "insufficient"] == 1
    assert status["temp", "drifting"] == 0


def test_a_stream_that_starves_from_the_start_is_insufficient(book: MetricBook) -> None:
    """What the profile says will be compared is insufficient, not absent, so that an alert on starved windows can fire."""
    book.register(samples.STREAM, samples.profile(features=2), {})

    book.update(samples.insufficient(samples.drifting_reading()), None)

    keys = ("ml.drift.target", "ml.feature.name", "ml.drift.state")
    status = values(book, "ml.drift.status", *keys)
    assert {key[:2] for key in status} == {
        ("feature", "f0"),
        ("feature", "f1"),
        ("prediction", None),
        ("confidence", None),
    }
    assert {state for (_, _, state), value in status.items() if value} == {"insufficient"}
    assert values(book, "ml.drift.window.samples") == {(): 17}
    assert points(book, "ml.drift.score") == []


def test_windows_do_not_overwrite_each_other(book: MetricBook) -> None:
    """The hour and the day of one stream have numbers of their own; the next hour replaces the hour alone."""
    book.update(samples.reading(samples.TEMP), None)
    book.update(samples.reading(replace(samples.TEMP, scores={"psi": 0.2}), window="24h"), None)
    book.update(samples.reading(replace(samples.TEMP, scores={"psi": 0.1})), None)

    assert values(book, "ml.drift.score", "ml.window.name") == {"1h": 0.1, "24h": 0.2}


def test_detections_count_changes_from_zero(book: MetricBook, clock: Clock) -> None:
    """A stream's detections exist at 0 as soon as its reference is known, so that the first alarm is an increase."""
    started_ns = clock.now_ns
    book.register(samples.STREAM, samples.profile(), {})
    before = values(book, "ml.drift.detections", "ml.window.name", "ml.drift.target")
    found = samples.drifting_reading()
    clock.now_ns += 60_000_000_000

    book.update(found, samples.change_of(found, samples.TEMP, samples.DEWP))
    book.update(found, None)
    book.update(
        found, samples.change_of(found, replace(samples.PREDICTION, state=samples.DRIFTING))
    )

    targets = ("feature", "prediction", "confidence")
    zero = {(window, target): 0 for window in ("1h", "24h") for target in targets}
    after = values(book, "ml.drift.detections", "ml.window.name", "ml.drift.target")
    assert before == zero
    assert after == zero | {("1h", "feature"): 2, ("1h", "prediction"): 1}
    assert {point.start_ns for point in points(book, "ml.drift.detections")} == {started_ns}


def test_an_unregistered_stream_has_detections_of_what_it_reads(book: MetricBook) -> None:
    """Targets that only a reading names start at 0 too."""
    book.update(samples.reading(samples.CARRIER), None)

    found = values(book, "ml.drift.detections", "ml.window.name", "ml.drift.target")

    assert found == {("1h", "feature"): 0}


def test_the_promise_is_exported_with_its_mode(book: MetricBook) -> None:
    """Promise and mode of the window, and what the reference's own windows measured, stand side by side."""
    book.register(samples.STREAM, samples.profile(), {"1h": 0.46})
    book.update(samples.drifting_reading(), None)

    keys = ("ml.window.name", "ml.drift.calibration.mode")
    assert values(book, "ml.drift.false_alarm.promised", *keys) == {("1h", "iid"): 0.01}
    assert values(book, "ml.drift.false_alarm.measured", *keys) == {("1h", "iid"): 0.46}
    modes = values(book, "ml.drift.calibration", "ml.drift.calibration.mode")
    assert modes == {"iid": 1, "scaled": 0, "empirical": 0}


def test_the_mode_of_the_calibration_is_the_readings(book: MetricBook) -> None:
    """When the mode changes, the old one falls to 0."""
    book.update(samples.drifting_reading(), None)
    scaled = MlDriftCalibrationModeValues.SCALED
    book.update(replace(samples.drifting_reading(), mode=scaled), None)

    modes = values(book, "ml.drift.calibration", "ml.drift.calibration.mode")

    assert modes == {"iid": 0, "scaled": 1, "empirical": 0}


def test_without_a_reference_nothing_is_promised(book: MetricBook) -> None:
    """A model without a profile has confidence, but no promise, no count of drifting features and no reference."""
    book.update(replace(samples.reading(), reference_id=""), None)

    found = {metric.definition.name for metric in book.collect()}

    assert "ml.confidence.mean" in found
    assert not found & {
        "ml.drift.false_alarm.promised",
        "ml.drift.calibration",
        "ml.drift.features",
        "ml.reference.age",
        "ml.drift.score",
    }


@pytest.mark.parametrize(
    ("created", "age_s"),
    [
        ("2013-03-20T12:00:00Z", 2 * 3600 + 120.0),
        ("2013-03-20T12:00:00", 2 * 3600 + 120.0),
        ("2013-03-20T13:00:00+01:00", 2 * 3600 + 120.0),
        ("2013-03-21T00:00:00Z", 0.0),
    ],
)
def test_the_age_of_the_reference_grows_with_the_clock(
    book: MetricBook, clock: Clock, created: str, age_s: float
) -> None:
    """Age is the time since the profile was built, in seconds, in whatever way its time is written; never below 0."""
    profile = samples.profile(created=created)
    book.register(samples.STREAM, profile, {})
    first = values(book, "ml.reference.age", "ml.drift.reference.id")
    clock.now_ns += 86_400_000_000_000

    assert first == {profile.id: age_s}
    (later,) = values(book, "ml.reference.age", "ml.drift.reference.id").values()
    assert later >= 86_400 - 12 * 3600
    assert values(book, "ml.reference.samples", "ml.drift.reference.id") == {profile.id: 54_321}


def test_a_profile_of_unknown_age_has_none(book: MetricBook) -> None:
    """A time that cannot be read is not taken for 1970."""
    book.register(samples.STREAM, samples.profile(created="last winter"), {})

    assert points(book, "ml.reference.age") == []
    assert points(book, "ml.reference.samples") != []


def test_no_count_begins_after_its_own_time(book: MetricBook, clock: Clock) -> None:
    """A clock that is put back finds a beginning ahead of it: it is then and stays, for one that moved on would be a restart."""
    opened_ns = clock.now_ns
    book.set_totals(samples.STREAM, {"late": 3}, 1)

    def starts() -> dict[str, set[int]]:
        return {m.definition.name: {p.start_ns for p in m.points} for m in book.collect()}

    cumulative = {name for name, each in starts().items() if each != {0}}
    clock.now_ns = put_back_ns = opened_ns - 3_600_000_000_000
    begun = starts()
    assert [begun[name] for name in cumulative] == [{put_back_ns}] * len(cumulative)
    clock.now_ns += 60_000_000_000
    counted_anew_ns = clock.now_ns
    book.set_totals(samples.STREAM, {"late": 1}, 1)
    for passed_ns in (0, 7_200_000_000_000):
        clock.now_ns += passed_ns
        assert starts()["ml.confidence.violations"] == {put_back_ns}
        assert starts()["ml.prediction.samples"] == {counted_anew_ns}


def test_predictions_are_counted_per_class(book: MetricBook, clock: Clock) -> None:
    """Totals are cumulative since the book was opened, whenever a class first appears."""
    opened_ns = clock.now_ns
    book.set_totals(samples.STREAM, {"late": 3}, 1)
    clock.now_ns += 1
    book.set_totals(samples.STREAM, {"late": 5, "on_time": 2}, 4)

    assert values(book, "ml.prediction.samples", "ml.prediction.label") == {"late": 5, "on_time": 2}
    assert values(book, "ml.confidence.violations") == {(): 4}
    starts = {point.start_ns for point in points(book, "ml.prediction.samples")}
    assert starts == {opened_ns}


def test_a_count_that_fell_starts_anew(book: MetricBook, clock: Clock) -> None:
    """A cumulative count never runs backwards under the same start: a receiver would take the fall for an overflow."""
    book.set_totals(samples.STREAM, {"late": 10}, 10)
    clock.now_ns += 1_000
    book.set_totals(samples.STREAM, {"late": 2}, 10)

    (late,) = points(book, "ml.prediction.samples")
    (violations,) = points(book, "ml.confidence.violations")
    assert (late.value, late.start_ns) == (2, samples.NOW_NS + 1_000)
    assert (violations.value, violations.start_ns) == (10, samples.NOW_NS)


def test_classes_beyond_the_cap_are_counted_together(book: MetricBook) -> None:
    """The first classes keep their series; however many follow, they are one series marked as overflow, and none is lost."""
    book.set_totals(samples.STREAM, {f"class {i}": 1 for i in range(MAX_LABELS)}, 0)
    assert len(points(book, "ml.prediction.samples")) == MAX_LABELS
    labels = {f"class {i}": 10 for i in reversed(range(MAX_LABELS + 70))}
    book.set_totals(samples.STREAM, labels, 0)

    found = values(book, "ml.prediction.samples", "ml.prediction.label", "otel.metric.overflow")

    assert found.pop((None, True)) == 700
    assert found == {(f"class {i}", None): 10 for i in range(MAX_LABELS)}


def test_a_class_that_was_folded_into_the_others_is_counted_once(book: MetricBook) -> None:
    """When the windows begin to count a class among the others, its own series ends; the sum stays right."""
    before = {f"class {i}": 10 for i in range(MAX_LABELS)}
    book.set_totals(samples.STREAM, before, 0)
    after = {"new": 1} | before
    del after["class 7"]
    book.set_totals(samples.STREAM, after | {"other": 10}, 0)

    found = values(book, "ml.prediction.samples", "ml.prediction.label", "otel.metric.overflow")

    assert sum(found.values()) == 10 * MAX_LABELS + 1
    assert found[None, True] == 10
    assert ("class 7", None) not in found
    assert found["new", None] == 1


def test_a_forgotten_stream_is_silent(book: MetricBook, clock: Clock) -> None:
    """Forgetting one stream leaves the others; if it comes back, its counts have a new start."""
    other = StreamKey("pricing", "", "quote", "")
    for stream in (samples.STREAM, other):
        book.set_totals(stream, {"a": 5}, 0)
    clock.now_ns += 1_000

    book.forget(samples.STREAM)
    book.forget(StreamKey("never", "seen", "", ""))

    assert values(book, "ml.prediction.samples", "service.name") == {"pricing": 5}
    book.set_totals(samples.STREAM, {"a": 1}, 0)
    starts = {
        dict(point.attributes)["service.name"]: point.start_ns
        for point in points(book, "ml.prediction.samples")
    }
    assert starts == {"pricing": samples.NOW_NS, "flights": samples.NOW_NS + 1_000}


@pytest.mark.parametrize(
    ("windows", "scores"),
    [
        (["1h"], ["psi"]),
        (["1h", "24h"], ["psi"]),
        (["rows", "1h", "6h", "24h"], ["psi", "jensen_shannon"]),
        ([f"w{i}" for i in range(90)], ["psi"]),
    ],
)
def test_a_stream_of_many_features_keeps_its_budget(
    self_metrics: SelfMetrics, windows: list[str], scores: list[str]
) -> None:
    """A thousand features fit into the budget: the first of the profile are exported in every window, the others are counted."""
    book = MetricBook(windows=windows, scores=scores, self_metrics=self_metrics)
    features = [samples.feature(f"f{i}") for i in range(1000)]
    book.register(samples.STREAM, samples.profile(), dict.fromkeys(windows, 0.01))
    book.set_totals(samples.STREAM, {f"class {i}": 1 for i in range(80)}, 1)
    for window in windows:
        found = samples.reading(*features, samples.PREDICTION, samples.CONFIDENCE, window=window)
        book.update(found, None)

    of_the_stream = [
        point
        for metric in book.collect()
        for point in metric.points
        if "service.name" in dict(point.attributes)
    ]
    exported = Counter(
        dict(point.attributes)["ml.feature.name"] for point in points(book, "ml.feature.missing")
    )
    assert len(of_the_stream) <= MAX_POINTS
    assert exported == {f"f{i}": len(windows) for i in range(len(exported))}
    overflow = values(book, "ml.processor.overflow", "ml.processor.cause")
    assert overflow[SERIES_BUDGET] == (1000 - len(exported)) * 900 * len(windows)


def test_the_budget_is_used(self_metrics: SelfMetrics) -> None:
    """With the two default windows a model of 200 features is exported whole."""
    book = MetricBook(windows=["1h", "24h"], scores=["psi"], self_metrics=self_metrics)
    features = [samples.feature(f"f{i}") for i in range(200)]
    for window in ("1h", "24h"):
        book.update(samples.reading(*features, window=window), None)

    assert len(points(book, "ml.feature.missing")) == 400
    assert values(book, "ml.processor.overflow", "ml.processor.cause")[SERIES_BUDGET] == 0


def test_drift_beyond_the_budget_is_still_counted(book: MetricBook) -> None:
    """A feature that is not exported still counts among the features in alarm and the detections."""
    features = [samples.feature(f"f{i}") for i in range(999)]
    found = samples.reading(*features, samples.TEMP)

    book.update(found, samples.change_of(found, samples.TEMP))

    assert "temp" not in values(book, "ml.drift.p_value", "ml.feature.name")
    assert values(book, "ml.drift.features") == {(): 1}
    assert values(book, "ml.drift.detections", "ml.drift.target") == {"feature": 1}


def test_names_that_no_format_can_carry_are_mended(book: MetricBook) -> None:
    """A lone surrogate, which UTF-8 cannot say, becomes a question mark; every other character stays."""
    stream = StreamKey("a\ud800b", "", samples.HOSTILE.model, "")
    book.update(samples.reading(samples.feature("\udfff"), stream=stream), None)
    book.set_totals(stream, {"\ud83d": 1}, 0)

    said = {
        value
        for metric in book.collect()
        for point in metric.points
        for _, value in point.attributes
    }

    assert {"a?b", "?", samples.HOSTILE.model} <= said
    assert all(str(value).encode("utf-8") for value in said)


def test_views_show_the_last_reading_of_each_window(book: MetricBook) -> None:
    """People see what was read last, an insufficient window included, and the reference it was compared with."""
    profile = samples.profile()
    first, day = samples.drifting_reading(), samples.reading(samples.CARRIER, window="24h")
    last = samples.insufficient(first)
    book.register(samples.STREAM, profile, {"1h": 0.46})
    for found in (first, day, last):
        book.update(found, None)

    (view,) = book.views()

    assert view.stream == samples.STREAM
    assert view.readings == (last, day)
    assert view.reference is not None
    assert (view.reference.id, view.reference.measured) == (profile.id, {"1h": 0.46})


def test_the_book_can_be_read_while_it_is_written(book: MetricBook) -> None:
    """Windows close while a scrape and a push read: no error, and no count is lost."""
    found = samples.drifting_reading()
    change = samples.change_of(found, samples.TEMP)

    def write(_: int) -> None:
        book.update(found, change)

    with ThreadPoolExecutor(8) as pool:
        written = [pool.submit(write, i) for i in range(200)]
        read = [pool.submit(book.collect) for _ in range(50)]
        failures = [task.exception() for task in written] + [task.exception() for task in read]

    assert set(failures) == {None}
    assert values(book, "ml.drift.detections", "ml.drift.target")["feature"] == 200


def test_explanations_are_told_by_feature(book: MetricBook) -> None:
    """How much each feature counts; a consistency that nobody knows is no point."""
    explanations = ExplanationReading(
        50, {"fare": 0.5, "age": 0.1}, {"fare": 0.4, "age": 0.1}, None, is_provisional=True
    )
    book.update(replace(samples.drifting_reading(), explanations=explanations), None)

    assert values(book, "ml.explanation.importance", "ml.feature.name") == {"fare": 0.5, "age": 0.1}
    assert points(book, "ml.explanation.consistency") == []


def test_samples_out_of_distribution_are_a_count_that_goes_on(book: MetricBook) -> None:
    """Cumulative, as labels are; a stream of which nobody knows what is usual has no such count."""
    book.set_totals(samples.STREAM, {"late": 1}, 0)
    assert points(book, "ml.prediction.ood") == []

    book.set_totals(samples.STREAM, {"late": 9}, 0, ood=2)

    assert [point.value for point in points(book, "ml.prediction.ood")] == [2]
