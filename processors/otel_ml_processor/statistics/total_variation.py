"""Total variation distance: the largest difference of probability that any set of bins can have."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["total_variation_distance"]


def total_variation_distance(reference: IntArray, current: IntArray) -> FloatArray:
    """
    Return half the sum of the absolute differences of the proportions, in [0, 1], shape (...).

    It is the share of rows that would have to move to another bin to make the two alike.

    Args:
        reference: Counts per bin, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.
    """
    n, m = sample_sizes(reference, current)
    apart = np.abs(reference / n - current / m).sum(axis=-1) / 2
    distance: FloatArray = np.minimum(apart, 1.0)
    return distance
