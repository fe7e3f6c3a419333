"""How sure the model was: the confidence of one window's predictions, from a histogram on a fixed grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.assess.reading import ConfidenceReading

if TYPE_CHECKING:
    from otel_ml_processor.columns import IntArray

__all__ = ["LEVELS", "assess_confidence"]

LEVELS: Final = (0.05, 0.5, 0.95)
"""Quantiles that are read."""


def assess_confidence(
    counts: IntArray,
    *,
    total: float,
    entropy_mean: float,
    margin_mean: float,
    low: int,
    threshold: float,
) -> ConfidenceReading | None:
    """
    Return the reading of a window's confidences; None where no row said one.

    A quantile lies in the cell that holds the sample of that rank, linearly between its edges by rank, so it is off by less than one
    cell (.001 on a grid of 1000).

    Args:
        counts: Rows per cell, on cells of equal width over [0, 1], shape (n_cells,).
        total: Sum of the confidences.
        entropy_mean: Mean entropy in [0, 1], NaN where no row said it.
        margin_mean: Mean margin in [0, 1], NaN where no row said it.
        low: Rows with a confidence below *threshold*.
        threshold: Confidence in [0, 1] below which a prediction is unsure.
    """
    rows = int(counts.sum())
    if rows == 0:
        return None
    return ConfidenceReading(
        rows=rows,
        mean=total / rows,
        entropy=entropy_mean,
        margin=margin_mean,
        quantiles={level: _quantile(counts, level * rows) for level in LEVELS},
        low=low / rows,
        threshold=threshold,
    )


def _quantile(counts: IntArray, rank: float) -> float:
    upto = np.cumsum(counts)
    cell = int(np.searchsorted(upto, rank))
    within = 1 - (float(upto[cell]) - rank) / float(counts[cell])
    return (cell + within) / len(counts)
