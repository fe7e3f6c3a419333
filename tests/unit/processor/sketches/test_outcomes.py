"""Sums over labelled predictions, beside what scikit-learn says of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from otel_ml_processor.sketches.outcomes import OutcomeParts, Outcomes

N = 400
BINS = 20


def filled(rows: slice, weight: int = 1) -> Outcomes:
    """Return the outcomes of some of four hundred rows, each counted *weight* times."""
    random = np.random.default_rng(1)
    scores = random.random(N)
    true = random.random(N) < scores
    said = scores > 0.4
    scores, true, said = scores[rows], true[rows], said[rows]
    right = said == true
    outcomes = Outcomes(BINS)
    outcomes.add_pairs(names(true), names(said), weight)
    outcomes.add_right(right, np.where(said, scores, 1 - scores), weight)
    outcomes.add_cells(said, true, (scores * BINS).astype(np.int64), weight)
    outcomes.add_numbers(scores, true.astype(float), weight)
    return outcomes


def names(is_true: np.ndarray) -> list[str]:
    """Return classes as texts."""
    return ["yes" if each else "no" for each in is_true.tolist()]


def told(outcomes: Outcomes) -> list[float]:
    """Return every measure."""
    confusion = outcomes.confusion
    return [
        *(confusion.accuracy, confusion.precision, confusion.recall, outcomes.roc_auc),
        *(outcomes.brier, outcomes.log_loss, outcomes.expected_calibration_error),
        *(outcomes.errors.mae, outcomes.errors.r2, outcomes.right / outcomes.rows),
    ]


def test_parts_in_any_order_are_the_whole() -> None:
    """Labels come in bits, of which no one is special."""
    whole, parts = filled(slice(0, N)), [filled(slice(i, i + 100)) for i in (300, 0, 200, 100)]
    for part in parts[1:]:
        parts[0].merge(part)
    assert told(parts[0]) == pytest.approx(told(whole))
    assert parts[0].pairs == whole.pairs
    assert parts[0].cells.tolist() == whole.cells.tolist()
    assert parts[0].labelled == whole.labelled


def test_a_weight_is_as_many_rows() -> None:
    """Counted four times, everything that is a mean stays, and everything that is a count is four times as large."""
    once, four = filled(slice(0, N)), filled(slice(0, N), weight=4)
    assert told(four) == pytest.approx(told(once))
    assert four.rows == 4 * once.rows
    assert four.pairs["yes", "no"] == 4 * once.pairs["yes", "no"]


def test_a_row_with_a_weight_is_no_surer_than_one_without() -> None:
    """Of rows that count four times a quarter is evidence; of some that count once and as many that count thrice, four fifths of those and these."""
    right, sure = np.ones(100, dtype=bool), np.full(100, np.nan)
    four, mixed = Outcomes(), Outcomes()
    four.add_right(right, sure, 4)
    mixed.add_right(right, sure, 1)
    mixed.add_right(right, sure, 3)
    assert four.evidence * four.labelled == 100
    # Kish: the square of the sum of weights over the sum of their squares.
    assert mixed.evidence * mixed.labelled == pytest.approx(400**2 / (100 + 900))
    assert Outcomes().evidence == filled(slice(0, N)).evidence == 1.0
    four.merge(mixed)
    assert four.evidence * four.labelled == pytest.approx(800**2 / (1600 + 1000))
    kept = Outcomes.of_parts(four.parts(), 0)
    assert kept.evidence == four.evidence


def test_what_an_earlier_version_kept_goes_on() -> None:
    """It knew no weights and said sums of squares: r2 is that of the rows, and each label is worth one."""
    said, true = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    outcomes = Outcomes()
    outcomes.add_numbers(said, true)
    sums = outcomes.parts().errors
    old = outcomes.parts()._replace(
        errors=(*sums[:-1], float((true**2).sum())), weights_squared=None
    )
    kept = Outcomes.of_parts(OutcomeParts(*old[:-1]), 0)
    assert kept.errors.r2 == pytest.approx(metrics.r2_score(true, said))
    assert kept.evidence == 1.0


def test_the_matrix_is_scikit_learns() -> None:
    """True class by predicted class, in the order of the names."""
    random = np.random.default_rng(2)
    true, said = (random.choice(["a", "b", "c"], N).tolist() for _ in range(2))
    outcomes = Outcomes()
    outcomes.add_pairs(true, said)
    assert outcomes.matrix().tolist() == metrics.confusion_matrix(true, said).tolist()


def test_without_rows_there_is_no_number() -> None:
    """Nothing is NaN, never a division by zero; adding nothing changes nothing."""
    outcomes = Outcomes(BINS)
    nothing = np.zeros(0)
    outcomes.add_pairs([], [])
    outcomes.add_right(nothing.astype(bool), nothing)
    outcomes.add_numbers(nothing, nothing)
    assert outcomes.labelled == 0
    assert np.isnan(
        [outcomes.brier, outcomes.log_loss, outcomes.roc_auc, outcomes.expected_calibration_error]
    ).all()


def test_rows_without_a_confidence_count_for_accuracy_only() -> None:
    """NaN is not said: it is no probability of anything."""
    outcomes = Outcomes()
    outcomes.add_right(np.array([True, False]), np.array([np.nan, 0.75]))
    assert (outcomes.rows, outcomes.right) == (2, 1)
    assert outcomes.brier == 0.75**2


def test_a_flood_of_classes_takes_no_memory() -> None:
    """Beyond 2500 different pairs nothing is told of single classes; what is right is still counted."""
    outcomes = Outcomes()
    classes = [str(i) for i in range(3_000)]
    outcomes.add_pairs(classes, classes)
    outcomes.add_right(np.ones(3_000, dtype=bool), np.full(3_000, np.nan))
    assert not outcomes.pairs
    assert not outcomes.is_complete
    assert outcomes.right == 3_000


def test_outcomes_of_other_bins_cannot_be_merged() -> None:
    """Both numbers are named."""
    with pytest.raises(ValueError, match="one has 20 score bins, the other 3"):
        Outcomes(20).merge(Outcomes(3))
