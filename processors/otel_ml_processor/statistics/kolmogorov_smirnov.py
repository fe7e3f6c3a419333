"""Kolmogorov-Smirnov distance of two samples that were binned on the same edges."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["kolmogorov_smirnov_distance"]


def kolmogorov_smirnov_distance(reference: IntArray, current: IntArray) -> FloatArray:
    """
    Return the largest difference of the two distribution functions at a bin's edge, in [0, 1], shape (...).

    Never above the exact distance of the raw samples, and below it by no more than the largest share that one bin holds on
    either side. For N(0, 1) against N(d, 1) it tends to 2 * Phi(d / 2) - 1 as bins get finer.

    Args:
        reference: Counts per bin in ascending order of the values, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Smirnov, N. (1948). Table for estimating the goodness of fit of empirical distributions. Ann. Math. Stat. 19.
    """
    n, m = sample_sizes(reference, current)
    apart = np.cumsum(reference, axis=-1) / n - np.cumsum(current, axis=-1) / m
    distance: FloatArray = np.abs(apart).max(axis=-1)
    return distance
