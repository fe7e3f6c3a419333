"""What is kept of one window."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.profile import Source
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import DEFAULT_LOW_CONFIDENCE, Comparison, Summary
from tests.data.value_columns import ABSENT, inferences, value_column

REFERENCE = Reference.of(
    build_profile(
        {"age": np.array([10.0, 20.0, 30.0]), "carrier": value_column(["UA", "B6", "UA"])},
        model="m",
        source=Source(kind="test", uri="none", rows=3),
        created="2026-01-01",
        prediction=value_column(["late", "punctual", "late"]),
        confidence=np.array([0.6, 0.8, 0.9]),
    )
)

ROWS = inferences(
    4,
    labels=["late", "punctual", "late", None],
    confidences=[0.55, 0.875, 0.95, np.nan],
    entropies=[0.5, np.nan, np.nan, np.nan],
    margins=[0.25, 0.75, np.nan, np.nan],
    features={"age": [12, None, 99, ABSENT], "carrier": ["B6", "ZZ", "UA", None]},
)


def current(summary: Summary) -> dict[str, list[int]]:
    """Return the window's counts by target and name."""
    return {f"{c.target.value} {c.name}".strip(): c.current.tolist() for c in summary.comparisons()}


def test_a_window_is_counted_target_by_target() -> None:
    """Four rows: cells and slots of each feature, of the prediction and of the confidence, as counted by hand."""
    summary = Summary(REFERENCE)

    summary.add(place(ROWS, summary.reference))

    # Slots: missing, non-finite, unseen, type error, below range, above range.
    assert current(summary) == {
        "feature age": [1, 0, 1, 1, 0, 0, 0, 0, 1],
        "feature carrier": [1, 1, 0, 1, 0, 1, 0, 0, 0],
        "prediction": [2, 1, 0] + [0] * N_SLOTS,
        "confidence": [1, 0, 2, 0, 0, 0, 0, 1, 1],
    }
    assert summary.rows == 4


def test_confidence_and_classes_are_kept_beside_the_counts() -> None:
    """The low count uses the reference's 5 % quantile; means are over the rows that said something."""
    summary = Summary(REFERENCE)

    summary.add(place(ROWS, summary.reference))

    assert summary.scores.threshold == 0.6
    assert summary.scores.low == 1
    assert summary.scores.confidence.mean == pytest.approx((0.55 + 0.875 + 0.95) / 3)
    assert summary.scores.margin.mean == 0.5
    assert summary.labels.counts() == {"late": 2, "punctual": 1}


def test_without_a_reference_rows_classes_and_confidence_are_kept() -> None:
    """A model that has no profile is still watched for what needs none; confidence below .7 is low."""
    summary = Summary()

    summary.add(place(ROWS, summary.reference))

    assert summary.comparisons() == []
    assert summary.rows == 4
    assert summary.scores.threshold == DEFAULT_LOW_CONFIDENCE == 0.7
    assert summary.scores.low == 1
    assert summary.labels.counts() == {"late": 2, "punctual": 1}


def test_the_operator_overrules_what_low_confidence_is() -> None:
    """A threshold that was given wins over the reference's."""
    assert Summary(REFERENCE, 0.9).scores.threshold == 0.9


def test_a_feature_that_rows_do_not_have_is_counted_nowhere() -> None:
    """Capture was off: no feature counts, and rows are not missing."""
    summary = Summary(REFERENCE)

    summary.add(place(inferences(2, labels=["late", "late"]), REFERENCE))

    assert sum(current(summary)["feature age"]) == 0
    assert sum(current(summary)["prediction"]) == 2


def test_a_comparison_holds_the_reference_beside_the_window() -> None:
    """Names, order and reference counts are those of the reference, and both sides have one shape."""
    comparisons = Summary(REFERENCE).comparisons()

    assert [(c.target, c.name, c.ordered) for c in comparisons] == [
        (MlDriftTargetValues.FEATURE, "age", True),
        (MlDriftTargetValues.FEATURE, "carrier", False),
        (MlDriftTargetValues.PREDICTION, "", False),
        (MlDriftTargetValues.CONFIDENCE, "", True),
    ]
    assert comparisons[0].reference.tolist() == [1, 1, 1] + [0] * N_SLOTS
    assert all(c.reference.shape == c.current.shape for c in comparisons)


def test_a_comparison_of_different_cells_is_refused() -> None:
    """Both sides must be binned on the same edges; the message says whose counts differ."""
    with pytest.raises(ValueError, match=r"feature 'age': .* got 8 and 9"):
        Comparison(
            MlDriftTargetValues.FEATURE,
            "age",
            ordered=True,
            reference=np.zeros(9, dtype=np.int64),
            current=np.zeros(8, dtype=np.int64),
        )


def test_a_window_fed_in_parts_equals_one_fed_at_once() -> None:
    """Two processors that each saw half of the rows, merged, hold the same integers as one that saw all."""
    whole, first, second = Summary(REFERENCE), Summary(REFERENCE), Summary(REFERENCE)

    whole.add(place(ROWS, whole.reference))
    first.add(place(ROWS[:1], first.reference))
    second.add(place(ROWS[1:], second.reference))
    second.merge(first)

    assert second.counts.tolist() == whole.counts.tolist()
    assert second.rows == whole.rows
    assert second.scores.confidence.quanta == whole.scores.confidence.quanta
    assert second.labels.counts() == whole.labels.counts()


def test_windows_of_different_references_do_not_merge() -> None:
    """The same positions mean different cells; the message names both references, and nothing was added."""
    bare, summary = Summary(low_confidence=0.6), Summary(REFERENCE)
    bare.add(place(ROWS, bare.reference))

    with pytest.raises(ValueError, match=f"against reference {REFERENCE.id}, the other .* none"):
        summary.merge(bare)
    assert summary.rows == 0


@pytest.mark.parametrize(
    ("value", "slot"),
    [
        (float("nan"), Slot.MISSING),
        (float("inf"), Slot.NON_FINITE),
        ("twelve", Slot.TYPE_ERROR),
        ([12], Slot.TYPE_ERROR),
    ],
)
def test_one_bad_value_moves_one_count(value: object, slot: Slot) -> None:
    """Compared with a window without it, a bad age changes its own slot and no other number of the window."""
    without, with_it = Summary(REFERENCE), Summary(REFERENCE)
    row = inferences(1, features={"age": [12], "carrier": ["UA"]})
    both = inferences(2, features={"age": [12, value], "carrier": ["UA", ABSENT]})
    without.add(place(row, REFERENCE))
    with_it.add(place(both, REFERENCE))

    moved = np.flatnonzero(with_it.counts - without.counts)

    assert moved.tolist() == [3 + slot]
