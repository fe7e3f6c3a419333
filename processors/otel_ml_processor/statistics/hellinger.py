"""Hellinger distance: a bounded distance between two binned distributions, gentle on rare bins."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["hellinger_distance"]


def hellinger_distance(reference: IntArray, current: IntArray) -> FloatArray:
    """
    Return the Hellinger distance, in [0, 1], shape (...).

    H = sqrt(sum((sqrt(p) - sqrt(q))**2) / 2) = sqrt(1 - sum(sqrt(p * q))), of the proportions p and q. 0 for equal proportions, 1
    where no bin holds samples of both sides.

    Args:
        reference: Counts per bin, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Hellinger, E. (1909). J. reine angew. Math. 136.
    """
    n, m = sample_sizes(reference, current)
    apart = np.sqrt(reference / n) - np.sqrt(current / m)
    distance: FloatArray = np.sqrt(np.minimum((apart**2).sum(axis=-1) / 2, 1.0))
    return distance
