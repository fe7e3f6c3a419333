"""
Performance without labels: what a calibrated score says of itself (CBPE), from histograms.

It is an estimate, and holds where scores mean what they meant in the reference. Where the world itself has changed, so that the same
inputs now have other outcomes, it overstates: only labels tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.statistics.classification import Confusion, roc_auc

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray, IntArray

__all__ = ["expected_confusion", "expected_roc_auc"]


def expected_confusion(
    predicted_positive: IntArray, predicted_negative: IntArray, probabilities: FloatArray
) -> Confusion:
    """
    Return the confusion matrix that is to be expected.

    Args:
        predicted_positive: Rows per score bin for which the positive class was predicted.
        predicted_negative: The other rows, in the same bins.
        probabilities: Probability of the positive class in each bin, as calibrated on the reference, in [0, 1].

    References:
        Białek, J., Kuberski, W., Perrakis, N., Bifet, A. (2024). Estimating model performance under covariate shift without labels.
    """
    return Confusion(
        true_positive=float(predicted_positive @ probabilities),
        false_positive=float(predicted_positive @ (1 - probabilities)),
        false_negative=float(predicted_negative @ probabilities),
        true_negative=float(predicted_negative @ (1 - probabilities)),
    )


def expected_roc_auc(rows: IntArray, probabilities: FloatArray) -> float:
    """
    Return the area under the ROC curve that is to be expected; NaN where one class is not.

    Args:
        rows: Rows per score bin, in ascending order of the scores.
        probabilities: Probability of the positive class in each bin, in [0, 1].
    """
    return roc_auc(rows * probabilities, rows * (1 - probabilities))
