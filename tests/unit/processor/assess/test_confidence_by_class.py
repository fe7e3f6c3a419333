"""Confidence by predicted class, the budget of unconfident predictions, and what every prediction's confidence was."""

import math

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from otel_ml_processor.assess.confidence import assess_by_class, confidence_budget
from otel_ml_processor.columns import TextColumn
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.emit.confidence_samples import ConfidenceSamples
from otel_ml_processor.emit.definitions import DEFINITIONS, Metric
from otel_ml_processor.emit.otlp import Identity, metrics_requests
from otel_ml_processor.emit.prometheus import exposition
from otel_ml_processor.sketches.by_value import ByValue
from otel_ml_processor.windows.divided import BY_CLASS
from otel_ml_processor.windows.placed import PlacedRows, place
from otel_ml_processor.windows.reference import Reference
from tests.data.segmented import STREAM, inferences, summary_of, table

NAME = "ml.confidence.samples"


def test_each_class_has_its_own_confidence() -> None:
    """Means, quantiles and shares are those of the rows of that class."""
    rows = table(3_000, seed=1)
    read = assess_by_class(summary_of(rows, None).divided.by_name[BY_CLASS])
    assert list(read) == ["no", "yes"]
    for label, reading in read.items():
        sure = rows["sure"][rows["said"] == label]
        assert reading.rows == len(sure)
        assert reading.mean == pytest.approx(sure.mean(), abs=1e-9)
        assert reading.low == (sure < 0.7).mean()
        exact = np.quantile(sure, 0.05, method="inverted_cdf")
        assert exact <= reading.quantiles[0.05] <= exact + 0.01
        assert math.isnan(reading.entropy)


def test_more_classes_than_are_told_apart_are_not_told() -> None:
    """Beyond the cap there is nothing by class, rather than some of them."""
    by_class = ByValue(0.7, 2)
    sure = np.full(3, 0.5)
    by_class.add(TextColumn(np.arange(3), ("a", "b", "c")), (sure, sure, sure))
    assert assess_by_class(by_class) == {}


def reference(confidence: np.ndarray) -> Reference:
    """Return a reference whose confidence is this."""
    columns = {"x": np.arange(len(confidence)) % 7.0, "sure": confidence}
    return Reference.of(build_profile_from_table(columns, model="m", confidence="sure"))


def test_the_budget_is_twice_what_the_reference_needs() -> None:
    """Of evenly spread confidence 5 % lie below the 5 % quantile: a budget of 10 %."""
    even = reference(np.linspace(0.5, 1, 10_000))
    assert confidence_budget(even, None) == pytest.approx(0.1, abs=0.001)


def test_the_budget_counts_what_lies_below_exactly() -> None:
    """Nine in ten are 1 and the rest .5: the 5 % quantile is .5, nothing lies below it, and the least budget holds; below .7 it is a tenth."""
    two = reference(np.where(np.arange(1000) % 10, 1.0, 0.5))
    assert confidence_budget(two, None) == 0.001
    assert confidence_budget(two, 0.7) == 0.2


def test_without_confidence_there_is_no_budget() -> None:
    """No reference, or one that never said how sure: nothing to promise."""
    bare = build_profile_from_table({"x": np.arange(50.0)}, model="m")
    assert confidence_budget(Reference.of(bare), None) is None
    assert confidence_budget(None, 0.7) is None


def placed(sure: list[float]) -> PlacedRows:
    """Return rows with this confidence."""
    rows = table(len(sure))
    rows["sure"] = np.array(sure)
    return place(inferences(rows), None)


IDS = np.array([[0x1111, 0x2222, 0x3333], [0, 0, 0], [0x44, 0x55, 0x66]], dtype=np.uint64)


def counted() -> Metric:
    """Return the histogram of a request of three predictions, one of them without ids, one without a confidence."""
    samples = ConfidenceSamples(1, clock_ns=lambda: 7)
    samples.add([placed([0.95, 0.7, math.nan])], IDS)
    samples.add([placed([0.951, 7.0, 0.1])], IDS)
    points = tuple(point for name, point in samples.points() if name == NAME)
    return Metric(DEFINITIONS[NAME], points)


def test_every_confidence_is_counted_once_in_its_bucket() -> None:
    """Buckets are closed on the right; what is no probability is not counted; the sum is that of what is."""
    (point,) = counted().points
    ends = [*DEFINITIONS[NAME].boundaries, math.inf]
    assert {ends[i]: n for i, n in enumerate(point.buckets or ()) if n} == {
        0.1: 1,
        0.7: 1,
        0.95: 1,
        0.975: 1,
    }
    assert point.value == pytest.approx(0.95 + 0.7 + 0.951 + 0.1)
    assert point.start_ns == 7


def test_exemplars_lead_to_traces_by_either_way_out() -> None:
    """The newest sample of a bucket that has a trace: with its ids in OTLP, and in OpenMetrics as Prometheus reads them."""
    metric = counted()
    trace_id = IDS[0, :2].astype("<u8").tobytes()
    (exemplar,) = [e for e in metric.points[0].exemplars if e.value == 0.951]
    assert (exemplar.trace_id, exemplar.span_id) == (trace_id, IDS[0, 2:].astype("<u8").tobytes())
    assert len(metric.points[0].exemplars) == 3  # none of the span without ids
    (request,) = metrics_requests([metric], Identity(), 1)
    assert trace_id in request
    page, kind = exposition(lambda: (metric,), "application/openmetrics-text; version=1.0.0")
    assert "openmetrics" in kind
    families = text_string_to_metric_families(page.decode())
    shown = [s.exemplar for f in families for s in f.samples if s.exemplar is not None]
    assert {e.labels["trace_id"] for e in shown} >= {trace_id.hex()}
    assert all(len(e.labels["span_id"]) == 16 for e in shown)


def test_the_text_format_has_no_exemplars() -> None:
    """A scrape that does not ask for OpenMetrics gets the same counts and nothing that it cannot read."""
    page, _ = exposition(lambda: (counted(),), "text/plain")
    assert b"trace_id" not in page
    assert b'le="0.95"' in page


def test_streams_are_bounded_and_can_be_forgotten() -> None:
    """Beyond the cap a stream is not counted; what is forgotten is counted anew, with a new start."""
    times = iter([1, 2])
    samples = ConfidenceSamples(1, clock_ns=lambda: next(times))
    samples.add([placed([0.5])], IDS)
    samples.forget(STREAM)
    assert samples.points() == []
    samples.add([placed([0.5])], IDS)
    assert samples.points()[0].point.start_ns == 2
    none = ConfidenceSamples(0)
    none.add([placed([0.5])], IDS)
    assert none.points() == []
