"""Wasserstein distance of two binned samples: how far rows would have to be carried, in the unit of the feature."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["interquartile_range", "wasserstein_distance"]


def wasserstein_distance(
    reference: IntArray, current: IntArray, positions: FloatArray
) -> FloatArray:
    """
    Return the first Wasserstein distance with every row of a bin at the bin's position, in the unit of the positions, shape (...).

    W = sum(|F - G| * step) over the steps between neighbouring positions, of the two distribution functions. Rows beyond the
    reference's range count as lying in its outer bins, so no single value decides.

    Args:
        reference: Counts per bin in ascending order of the values, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).
        positions: Where the rows of a bin lie: the mean of the reference's values in it, ascending, finite, shape (..., n_bins).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Vallender, S. S. (1974). Calculation of the Wasserstein distance between probability distributions on the line. Theory
        Probab. Appl. 18.
    """
    n, m = sample_sizes(reference, current)
    if positions.shape != reference.shape:
        raise ValueError(f"expected {reference.size} positions, one per bin, got {positions.size}")
    apart = np.abs(np.cumsum(reference, axis=-1) / n - np.cumsum(current, axis=-1) / m)
    # Of halves: the step between the smallest and the largest number, which some write for "missing", is no number itself.
    half: FloatArray = (apart[..., :-1] * np.diff(positions / 2)).sum(axis=-1)
    with np.errstate(over="ignore"):  # then it is infinite
        return half * 2


def interquartile_range(counts: IntArray, positions: FloatArray) -> FloatArray:
    """
    Return the distance between the positions of the bins that hold the first and the third quartile, shape (...); 0 where one bin holds both.

    Args:
        counts: Counts per bin in ascending order of the values, shape (..., n_bins), at least one row.
        positions: Where the rows of a bin lie, ascending, shape (..., n_bins).
    """
    shares = np.cumsum(counts, axis=-1) / counts.sum(axis=-1, keepdims=True)
    quartiles = [(shares < share).sum(axis=-1, keepdims=True) for share in (0.25, 0.75)]
    lower, upper = (np.take_along_axis(positions, bins, axis=-1)[..., 0] for bins in quartiles)
    with np.errstate(over="ignore"):  # then it is infinite
        width: FloatArray = upper - lower
    return width
