"""Where a model fails, on streams in which that is known."""

import numpy as np
import pytest

from otel_ml_processor.assess.error_patterns import ErrorPatterns, describe_pattern, ranked
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference
from tests.data.segmented import STREAM, inferences, reference_profile, table

REFERENCE = Reference.of(reference_profile(5_000))


def found(rows: dict[str, np.ndarray], patterns: ErrorPatterns | None = None) -> ErrorPatterns:
    """Return the patterns after *rows* in requests of 500."""
    patterns = patterns or ErrorPatterns(10)
    columns = inferences(rows)
    for begin in range(0, len(columns), 500):
        patterns.add([place(columns[begin : begin + 500], REFERENCE)])
    return patterns


def test_the_value_where_it_is_unsure_leads() -> None:
    """Low confidence beyond an amount of 1.5, in nearly all of those rows: that bin comes first, with its true rate."""
    rows = table(6_000, seed=1)
    beyond = rows["amount"] > 1.7
    rows["sure"] = np.where(beyond, 0.5, rows["sure"])
    first = found(rows).of(STREAM)[0]
    edge = REFERENCE.features[0].cells.edges[-1]  # type: ignore[union-attr]  # numbers have bins
    inside = rows["amount"] > edge
    is_low = rows["sure"] < REFERENCE.low_confidence
    assert (first.failure, first.feature, first.where) == (
        "low_confidence",
        "amount",
        f"> {edge:.4g}",
    )
    assert first.rate == pytest.approx(is_low[inside].mean())
    assert first.overall == pytest.approx(is_low.mean())
    assert first.overall < first.least < first.rate


def test_failed_calls_are_told_by_value() -> None:
    """Calls with a missing amount raise: the slot for missing values is named, in words."""
    rows = table(4_000, seed=2)
    rows["amount"][::20] = np.nan
    is_failed = np.isnan(rows["amount"])
    columns = inferences(rows, is_failed)
    columns.features["amount"].kinds[is_failed] = 1  # Kind.MISSING
    patterns = ErrorPatterns(10)
    patterns.add([place(columns, REFERENCE)])
    (failed,) = [p for p in patterns.of(STREAM) if p.failure == "failed"]
    assert (failed.feature, failed.where, failed.rate) == ("amount", "missing", 1.0)
    assert failed.lift == pytest.approx(20)
    assert "failed calls 20 times as often" in describe_pattern(failed)


def test_chance_is_no_pattern() -> None:
    """Where low confidence is anywhere alike, at most one stream in twenty shows a value at all, give or take."""
    shown = sum(bool(found(table(3_000, seed)).of(STREAM)) for seed in range(10, 70))
    assert shown <= 60 * 0.05 + 3 * (60 * 0.05 * 0.95) ** 0.5


def test_a_tiny_bin_does_not_lead() -> None:
    """Two failures of two rows are less than five hundred of a thousand."""
    rows = np.zeros(REFERENCE.n_counts, dtype=np.int64)
    hits = rows.copy()
    rows[:3], hits[:3] = [2, 1_000, 10_000], [2, 500, 0]

    first, second = ranked("wrong", REFERENCE, rows, hits, 0.05)
    assert (first.rows, first.rate) == (1_000, 0.5)
    assert (second.rows, second.rate) == (2, 1.0)


def test_what_was_long_ago_is_forgotten() -> None:
    """A model that was unsure somewhere, and is not any more, has no such pattern after a hundred thousand rows."""
    rows = table(6_000, seed=3)
    rows["sure"] = np.where(rows["amount"] > 1.7, 0.5, 0.9)
    patterns = found(rows)
    assert patterns.of(STREAM)
    assert found(table(100_000, seed=4), patterns).of(STREAM) == ()


def test_streams_and_references_are_bounded() -> None:
    """Beyond the cap a stream is not looked at; without a reference there are no values to tell; an empty request says nothing."""
    patterns = ErrorPatterns(0)
    columns = inferences(table(100))
    patterns.add([place(columns, REFERENCE)])
    assert patterns.of(STREAM) == ()
    patterns = ErrorPatterns(1)
    patterns.add([place(columns, None), place(columns[:0], REFERENCE)])
    assert patterns.of(STREAM) == ()


def test_labels_of_another_reference_are_passed_over() -> None:
    """A label whose prediction was counted against an earlier profile moves nothing."""
    patterns = found(table(1_000))
    another = Reference.of(reference_profile(1_000))
    patterns.add_wrong(STREAM, another, np.zeros((1, 400), np.int64), np.ones(400, bool))
    assert [p for p in patterns.of(STREAM) if p.failure == "wrong"] == []
    patterns.add_wrong(
        STREAM, REFERENCE, np.arange(400).reshape(1, -1) % 20, np.arange(400) % 20 == 3
    )
    (wrong,) = [p for p in patterns.of(STREAM) if p.failure == "wrong"]
    assert (wrong.rate, wrong.rows, wrong.lift) == (1.0, 20, 20)
