"""L-infinity distance: how much the share of the one bin changed that changed most."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["l_infinity_distance"]


def l_infinity_distance(reference: IntArray, current: IntArray) -> FloatArray:
    """
    Return the largest absolute difference of a bin's proportions, in [0, 1], shape (...).

    Args:
        reference: Counts per bin, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.
    """
    n, m = sample_sizes(reference, current)
    distance: FloatArray = np.abs(reference / n - current / m).max(axis=-1)
    return distance
