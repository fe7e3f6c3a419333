"""Counters of the bins of features: what adds up over processors, and what does not belong there."""

from __future__ import annotations

import math

import pytest

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.emit.feature_bins import POINTS_PER_FEATURE, FeatureBins
from otel_ml_processor.emit.metrics import MAX_POINTS, MetricBook
from otel_ml_processor.self_metrics import SelfMetrics
from tests.unit.processor.emit.counted_rows import reference, told

SHOP = StreamKey("shop", "", "fraud", "1")
SAMPLES, REFERENCE = "ml.feature.samples", "ml.feature.reference"
Points = dict[tuple[str, int], float]


def points(bins: FeatureBins, metric: str, max_features: int = 1000) -> Points:
    """Return the value by feature and bin."""
    found: Points = {}
    for name, point in bins.points(max_features):
        about = dict(point.attributes)
        if name == metric:
            found[str(about["ml.feature.name"]), int(about["ml.feature.bin"])] = point.value
    return found


def test_every_value_counts_in_its_bin() -> None:
    """Three 4s and one 9 are three and one; the other bins are there, at 0, so that a first rise can be seen."""
    bins = FeatureBins()
    told(bins, reference(), [{"f0": 4.0}] * 3 + [{"f0": 9.0}])
    assert points(bins, SAMPLES) == {("f0", i): {4: 3, 9: 1}.get(i, 0) for i in range(10)}


def test_what_is_no_value_is_in_no_bin() -> None:
    """Missing, not finite and mistyped values have shares of their own; a value beyond the range is in the outer bin."""
    bins = FeatureBins()
    odd = [None, math.nan, "Infinity", "seven", [1], {"a": 1}]
    told(bins, reference(), [*({"f0": value} for value in odd), {}, {"f0": 1e12}, {"f0": -1e12}])
    found = points(bins, SAMPLES)
    assert sum(found.values()) == 2
    assert (found["f0", 0], found["f0", 9]) == (1, 1)


def test_the_share_of_the_reference_has_half_a_sample_more() -> None:
    """A hundred of a thousand in each of ten bins are (100 + .5) / (1000 + 5); they sum to 1."""
    bins = FeatureBins()
    told(bins, reference(), [{"f0": 1.0}])
    shares = points(bins, REFERENCE)
    assert list(shares.values()) == pytest.approx([100.5 / 1005] * 10)
    assert sum(shares.values()) == pytest.approx(1)


def test_two_processors_add_up() -> None:
    """Each has half of the rows; their sum is what one would have had."""
    rows = [{"f0": float(i % 7)} for i in range(100)]
    one, other, both = FeatureBins(), FeatureBins(), FeatureBins()
    told(one, reference(), rows[:31])
    told(other, reference(), rows[31:], first=31)
    told(both, reference(), rows)
    mine, theirs = points(one, SAMPLES), points(other, SAMPLES)
    assert {key: mine[key] + theirs[key] for key in mine} == points(both, SAMPLES)


def test_another_reference_begins_at_0_and_later() -> None:
    """Bins of another profile are other bins: an old count under a new meaning would be a lie."""
    time_ns = [1]
    bins = FeatureBins(lambda: time_ns[0])
    told(bins, reference(), [{"f0": 4.0}])
    time_ns[0] = 2
    told(bins, reference(seed=1), [{"f0": 4.0}])
    assert sum(points(bins, SAMPLES).values()) == 1
    assert {point.start_ns for name, point in bins.points(9) if name == SAMPLES} == {2}


def test_a_stream_that_is_forgotten_is_told_no_more() -> None:
    """And a stream without a reference never was."""
    bins = FeatureBins()
    told(bins, reference(), [{"f0": 4.0}])
    bins.forget(SHOP)
    bins.forget(SHOP)
    assert bins.points(9) == []


@pytest.mark.parametrize("windows", [["1h"], ["1h", "24h"]])
def test_the_budget_of_a_stream_holds_with_bins(windows: list[str]) -> None:
    """Features beyond the budget are left out, and the bins count towards it."""
    n_features = 200
    of = reference(n_features)
    bins = FeatureBins()
    told(bins, of, [{f"f{i}": 1.0 for i in range(n_features)}])
    book = MetricBook(windows=windows, scores=["psi"], self_metrics=SelfMetrics(), bins=bins)
    found = {metric.definition.name: metric.points for metric in book.collect()}
    features = {dict(point.attributes)["ml.feature.name"] for point in found[SAMPLES]}
    assert 0 < len(features) < n_features
    assert features == {f"f{i}" for i in range(len(features))}, "the first of the profile"
    assert len(features) * POINTS_PER_FEATURE <= MAX_POINTS
