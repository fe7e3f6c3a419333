"""Performance with and without labels: scikit-learn's measures, and the published estimates on the car loan data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from otel_ml_processor.statistics.calibration import (
    brier_score,
    calibrated_probabilities,
    expected_calibration_error,
    log_loss,
    temperature,
)
from otel_ml_processor.statistics.classification import (
    Confusion,
    macro_scores,
    roc_auc,
)
from otel_ml_processor.statistics.estimated_performance import (
    expected_confusion,
    expected_roc_auc,
)
from otel_ml_processor.statistics.ranking import (
    average_precision,
    normalized_discounted_gain,
    reciprocal_rank,
)
from otel_ml_processor.statistics.regression import RegressionErrors

if TYPE_CHECKING:
    import pandas as pd

    from tests.oracle.conftest import CarLoan

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Rows = tuple[IntArray, FloatArray]

CHUNK = 5000
BINS = np.arange(101) / 100
"""The scores of the data have two decimals: a bin each."""

PUBLISHED = {
    "roc_auc": ".97074 .97101 .97141 .97109 .97112 .96109 .96182 .96107 .96253 .96132",
    "accuracy": ".94179 .94332 .94549 .94482 .94464 .91071 .91115 .91119 .91439 .91173",
    "f1": ".94303 .94132 .94357 .94316 .9442 .91175 .91177 .91166 .91376 .91475",
}


def per_bin(rows: pd.DataFrame) -> IntArray:
    """Return the rows per score."""
    return np.bincount((rows["y_pred_proba"] * 100).round().astype(int), minlength=len(BINS))


def calibration(reference: pd.DataFrame) -> FloatArray:
    """Return the calibrated probability of every bin."""
    positives = per_bin(reference[reference["repaid"] == 1])
    return calibrated_probabilities(positives, per_bin(reference), BINS)


def estimated(chunk: pd.DataFrame, probabilities: FloatArray) -> Confusion:
    """Return the confusion matrix that the chunk's scores let expect."""
    positive = chunk["y_pred"] == 1
    return expected_confusion(per_bin(chunk[positive]), per_bin(chunk[~positive]), probabilities)


@pytest.mark.parametrize("measure", PUBLISHED)
def test_performance_without_labels_is_as_published(car_loan: CarLoan, measure: str) -> None:
    """In all ten chunks the estimate agrees with NannyML's to the digits that were published."""
    probabilities = calibration(car_loan.reference)
    ours = []
    for start in range(0, len(car_loan.analysis), CHUNK):
        chunk = car_loan.analysis[start : start + CHUNK]
        confusion = estimated(chunk, probabilities)
        auc = expected_roc_auc(per_bin(chunk), probabilities)
        ours.append(auc if measure == "roc_auc" else getattr(confusion, measure))

    assert ours == pytest.approx([float(x) for x in PUBLISHED[measure].split()], abs=1.1e-5)


def test_precision_recall_and_specificity_are_as_published(car_loan: CarLoan) -> None:
    """Of the first chunk and the sixth, the first one after the drift began."""
    probabilities = calibration(car_loan.reference)
    published = {0: (0.95779, 0.92872, 0.95588), 5: (0.94132, 0.88399, 0.93987)}
    for chunk, figures in published.items():
        rows = car_loan.analysis[chunk * CHUNK : (chunk + 1) * CHUNK]
        found = estimated(rows, probabilities)
        ours = found.precision, found.recall, found.specificity
        assert ours == pytest.approx(figures, abs=1.1e-5)


def test_isotonic_calibration_is_scikit_learns(car_loan: CarLoan) -> None:
    """Fitted on bins it is what scikit-learn fits on the fifty thousand rows."""
    reference = car_loan.reference
    theirs = IsotonicRegression(out_of_bounds="clip").fit(
        reference["y_pred_proba"], reference["repaid"]
    )

    filled = per_bin(reference) > 0
    assert calibration(reference)[filled] == pytest.approx(theirs.predict(BINS[filled]), abs=1e-9)


def test_an_estimate_of_rare_events_is_close_to_what_comes_true() -> None:
    """Of half a percent of positives: bins calibrated on one sample estimate the AUC of another to .015."""
    rng = np.random.default_rng(3)
    odds = rng.normal(-7.5, 2.0, size=600_000)
    scores = 1 / (1 + np.exp(-odds))
    truth = rng.random(len(scores)) < scores
    edges = np.quantile(scores, np.arange(1, 100) / 100)
    bins = np.searchsorted(edges, scores)
    half = len(scores) // 2
    totals = [np.bincount(part, minlength=100) for part in (bins[:half], bins[half:])]
    hits = np.bincount(bins[:half], truth[:half], minlength=100).astype(np.int64)
    positions = np.bincount(bins[:half], scores[:half], minlength=100) / totals[0]

    probabilities = calibrated_probabilities(hits, totals[0], positions)

    realised = metrics.roc_auc_score(truth[half:], scores[half:])
    assert expected_roc_auc(totals[1], probabilities) == pytest.approx(realised, abs=0.015)


@pytest.fixture(name="rows")
def _rows() -> Rows:
    """A thousand labels and scores that know something of them."""
    rng = np.random.default_rng(1)
    scores = rng.beta(2, 2, 1000)
    return (rng.random(1000) < scores**1.5).astype(np.int64), scores


def test_measures_of_a_confusion_matrix_are_scikit_learns(
    rows: Rows,
) -> None:
    """Accuracy, precision, recall, F1; specificity is the recall of the other class; AUC of distinct scores."""
    truth, scores = rows
    said = (scores > 0.6).astype(int)
    tn, fp, fn, tp = metrics.confusion_matrix(truth, said).ravel().tolist()
    ours = Confusion(tp, fp, fn, tn)

    assert ours.accuracy == pytest.approx(metrics.accuracy_score(truth, said))
    assert ours.precision == pytest.approx(metrics.precision_score(truth, said))
    assert ours.recall == pytest.approx(metrics.recall_score(truth, said))
    assert ours.specificity == pytest.approx(metrics.recall_score(truth, said, pos_label=0))
    assert ours.f1 == pytest.approx(metrics.f1_score(truth, said))
    order = np.argsort(scores)
    assert roc_auc(truth[order], 1 - truth[order]) == pytest.approx(
        metrics.roc_auc_score(truth, scores)
    )


def test_measures_of_many_classes_are_scikit_learns() -> None:
    """Macro F1 of five classes, one of which is never true and never said."""
    rng = np.random.default_rng(2)
    truth, said = rng.integers(0, 4, 500), rng.integers(0, 4, 500)
    matrix = metrics.confusion_matrix(truth, said, labels=range(5))

    macro = macro_scores(np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1))
    assert macro.f1 == pytest.approx(metrics.f1_score(truth, said, average="macro"))


def test_calibration_measures_are_scikit_learns_and_a_naive_twins(
    rows: Rows,
) -> None:
    """Brier score and log loss; the calibration error of ten bins, bin by bin."""
    truth, scores = rows
    assert brier_score(truth, scores) == pytest.approx(metrics.brier_score_loss(truth, scores))
    assert log_loss(truth, scores) == pytest.approx(metrics.log_loss(truth, scores))

    bins = np.minimum((scores * 10).astype(int), 9)
    naive = sum(
        abs(truth[bins == b].mean() - scores[bins == b].mean()) * (bins == b).mean()
        for b in range(10)
        if (bins == b).any()
    )
    ours = expected_calibration_error(
        np.bincount(bins, truth, minlength=10),
        np.bincount(bins, minlength=10),
        np.asarray(np.bincount(bins, scores, minlength=10), dtype=np.float64),
    )
    assert ours == pytest.approx(naive)


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(heat: float) -> None:
    """Scores made too sure, or not sure enough, by a known factor are told by that factor, to 5 % at 200 000 rows."""
    rng = np.random.default_rng(4)
    log_odds = rng.normal(0, 2, 200_000)
    truth = (rng.random(200_000) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)

    found = temperature(truth, 1 / (1 + np.exp(-log_odds * heat)))

    assert found == pytest.approx(heat, rel=0.05)


def test_errors_of_numbers_are_scikit_learns_and_add_up() -> None:
    """MAE, RMSE, MAPE and r2, of two halves added as of the whole; a NaN is passed over."""
    rng = np.random.default_rng(5)
    truth = rng.normal(10, 3, 1000)
    said = truth + rng.normal(0, 1, 1000)

    ours = RegressionErrors.of(said[:300], truth[:300]) + RegressionErrors.of(
        np.append(said[300:], np.nan), np.append(truth[300:], 1.0)
    )

    assert ours.rows == 1000
    assert ours.mae == pytest.approx(metrics.mean_absolute_error(truth, said))
    assert ours.rmse == pytest.approx(metrics.root_mean_squared_error(truth, said))
    assert ours.mape == pytest.approx(metrics.mean_absolute_percentage_error(truth, said))
    assert ours.r2 == pytest.approx(metrics.r2_score(truth, said))


def test_measures_of_an_order_are_scikit_learns() -> None:
    """NDCG and average precision of thirty items; the reciprocal rank of the third is a third."""
    rng = np.random.default_rng(6)
    relevance = rng.integers(0, 3, 30).astype(float)
    shown = np.arange(30, 0, -1.0)

    assert normalized_discounted_gain(relevance) == pytest.approx(
        metrics.ndcg_score([relevance], [shown])
    )
    assert average_precision(relevance) == pytest.approx(
        metrics.average_precision_score(relevance > 0, shown)
    )
    assert reciprocal_rank(np.array([0.0, 0.0, 2.0, 1.0])) == pytest.approx(1 / 3)


def test_nothing_known_is_no_number() -> None:
    """Without rows, positives or relevant items there is no measure, and no exception."""
    nothing = np.zeros(3)
    empty = Confusion(0, 0, 0, 0)
    told = [
        *(empty.accuracy, empty.precision, empty.recall, empty.specificity, empty.f1),
        *(roc_auc(nothing, nothing + 1), roc_auc(nothing + 1, nothing)),
        *macro_scores(nothing, nothing, nothing),
        *(brier_score(nothing[:0], nothing[:0]), log_loss(nothing[:0], nothing[:0])),
        expected_calibration_error(nothing, nothing, nothing),
        *(normalized_discounted_gain(nothing), average_precision(nothing)),
        *(getattr(RegressionErrors(), name) for name in ("mae", "rmse", "mape", "r2")),
    ]
    assert all(map(math.isnan, told))
    assert reciprocal_rank(nothing) == 0.0
    assert temperature(nothing[:0], nothing[:0]) == 1.0
    assert math.isfinite(log_loss(np.array([1, 0]), np.array([0.0, 1.0])))
    with pytest.raises(ValueError, match="expected rows with labels, found none"):
        calibrated_probabilities(np.zeros(2, int), np.zeros(2, int), np.arange(2.0))
