"""
Performance without labels: what a calibrated score says of itself (CBPE), from histograms.

It is an estimate, and holds where scores mean what they meant in the reference. Where the world itself has changed, so that the same
inputs now have other outcomes, it overstates: only labels tell.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from otel_ml_processor.statistics.classification import (
    Confusion,
    MacroScores,
    macro_scores,
    roc_auc,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.statistics.counts import FloatArray, IntArray

__all__ = ["ExpectedOfClasses", "expected_confusion", "expected_of_classes", "expected_roc_auc"]


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


class ExpectedOfClasses(NamedTuple):
    """What is to be expected of a classifier of several classes; NaN where that cannot be said."""

    accuracy: float
    macro: MacroScores
    roc_auc: float
    """Mean over classes, each against the rest; classes whose rows, or the rest's, are not to be expected are left out."""


def expected_of_classes(
    counts: Sequence[IntArray], probabilities: Sequence[FloatArray]
) -> ExpectedOfClasses:
    """
    Return what is to be expected of rows that say the probability of every class.

    As of two classes, each against the rest; that of a row's calibrated probabilities need not be 1 in all, which is not mended: counts
    know no rows.

    Args:
        counts: By class, rows per bin of its probability, in ascending order, without and with it predicted, shape (2, n_bins); as many
            rows of one class as of another.
        probabilities: By class, that of being true in each bin, as calibrated on the reference, in [0, 1].

    References:
        Białek et al. (2024), as above; one-vs-rest as in Hand, D. J., Till, R. J. (2001). A simple generalisation of the area under the
        ROC curve for multiple class classification problems. Machine Learning 45.
    """
    pairs = list(zip(counts, probabilities, strict=True))
    each = [expected_confusion(said, said_not, p) for (said_not, said), p in pairs]
    hits = np.array([c.true_positive for c in each])
    said = hits + np.array([c.false_positive for c in each])
    true = hits + np.array([c.false_negative for c in each])
    rows = each[0].rows if each else 0.0
    areas = [expected_roc_auc(rows_of.sum(axis=0), p) for rows_of, p in pairs]
    known = [area for area in areas if not math.isnan(area)]
    return ExpectedOfClasses(
        accuracy=float(hits.sum()) / rows if rows else math.nan,
        macro=macro_scores(hits, said, true),
        roc_auc=float(np.mean(known)) if known else math.nan,
    )
