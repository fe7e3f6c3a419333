"""Is a score the probability that it says it is? From rows per score bin, and how many of them were positive."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy  # its `optimize` comes when it is first asked for: 24 MiB that a processor without labels does not need
from scipy import special

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray, IntArray

__all__ = [
    "brier_score",
    "calibrated_probabilities",
    "expected_calibration_error",
    "log_loss",
    "temperature",
]

_CERTAIN: Final = 1e-15
_HOTTEST: Final = 100.0


def calibrated_probabilities(
    positives: IntArray, rows: IntArray, positions: FloatArray
) -> FloatArray:
    """
    Return the probability of the positive class in each score bin, never falling with the score, shape (n_bins,), in [0, 1].

    The isotonic regression of the bins' own shares, weighted by their rows; between bins with rows, one without lies on the line,
    beyond them it takes the nearest one's.

    Args:
        positives: Rows of the positive class per bin, in ascending order of the scores, 0 .. rows.
        rows: Rows per bin, at least one in all.
        positions: Mean score of each bin, ascending.

    Raises:
        ValueError: If no bin has rows.

    References:
        Zadrozny, B., Elkan, C. (2002). Transforming classifier scores into accurate multiclass probability estimates. KDD.
    """
    filled = rows > 0
    if not filled.any():
        raise ValueError("expected rows with labels, found none")
    shares = positives[filled] / rows[filled]
    fitted = scipy.optimize.isotonic_regression(shares, weights=rows[filled]).x
    return np.asarray(np.interp(positions, positions[filled], np.clip(fitted, 0.0, 1.0)))


def expected_calibration_error(
    positives: FloatArray | IntArray, rows: FloatArray | IntArray, scores: FloatArray
) -> float:
    """
    Return the mean distance between the bins' mean score and their share of positives, weighted by rows; NaN without rows.

    Args:
        positives: Rows per bin that turned out as the score says.
        rows: Rows per bin.
        scores: Sum of the scores of each bin's rows.

    References:
        Naeini, M. P., Cooper, G. F., Hauskrecht, M. (2015). Obtaining well calibrated probabilities using Bayesian binning. AAAI.
    """
    total = float(rows.sum())
    return float(np.abs(positives - scores).sum()) / total if total > 0 else math.nan


def brier_score(labels: FloatArray | IntArray, scores: FloatArray) -> float:
    """Return the mean squared distance of *scores* from *labels* (0 or 1), shape (n_rows,); NaN without rows."""
    return float(((scores - labels) ** 2).mean()) if len(scores) else math.nan


def log_loss(labels: FloatArray | IntArray, scores: FloatArray) -> float:
    """Return the mean negative log-likelihood of *labels* (0 or 1) in nats; scores of 0 and 1 count as 1e-15 off; NaN without rows."""
    if not len(scores):
        return math.nan
    inside = np.clip(scores, _CERTAIN, 1 - _CERTAIN)
    likelihood = special.xlogy(labels, inside) + special.xlog1py(1 - labels, -inside)
    return -float(likelihood.mean())


def temperature(
    labels: FloatArray | IntArray, scores: FloatArray, weights: FloatArray | None = None
) -> float:
    """
    Return the number that the log-odds of *scores* are to be divided by to be calibrated, in (0.01, 100].

    Above 1 the scores are too sure of themselves. The one of the smallest log loss, each row counting *weights* times; 1 without rows.

    References:
        Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q. (2017). On calibration of modern neural networks. ICML.
    """
    if not len(scores):
        return 1.0
    log_odds = special.logit(np.clip(scores, _CERTAIN, 1 - _CERTAIN))
    bounds = (-math.log(_HOTTEST), math.log(_HOTTEST))
    found = scipy.optimize.minimize_scalar(
        lambda heat: _weighted_loss(labels, special.expit(log_odds / math.exp(heat)), weights),
        bounds=bounds,
        method="bounded",
    )
    return math.exp(float(found.x))


def _weighted_loss(
    labels: FloatArray | IntArray, scores: FloatArray, weights: FloatArray | None
) -> float:
    if weights is None:
        return log_loss(labels, scores)
    inside = np.clip(scores, _CERTAIN, 1 - _CERTAIN)
    likelihood = special.xlogy(labels, inside) + special.xlog1py(1 - labels, -inside)
    return -float((weights * likelihood).sum() / weights.sum())
