"""Two-sample chi-squared test: do two samples spread over the same cells in the same proportions?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["ChiSquared", "chi_squared_test"]


class ChiSquared(NamedTuple):
    """Outcome of the test, each of shape (...); `p_value` is the upper tail of `statistic`."""

    statistic: FloatArray
    degrees_of_freedom: IntArray
    p_value: FloatArray


def chi_squared_test(reference: IntArray, current: IntArray) -> ChiSquared:
    """
    Return Pearson's test of homogeneity of two samples, expectations taken from both together.

    Cells that are empty on both sides say nothing and do not count. With fewer than two cells left there is nothing to test: the
    statistic is 0 without degrees of freedom, and the p-value 1. The p-value has its size where every cell expects at least five
    samples on both sides, so pool first.

    Args:
        reference: Counts per cell, shape (..., n_cells), >= 0.
        current: Counts per cell on the same cells, shape (..., n_cells).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Pearson, K. (1911). On the probability that two independent distributions of frequency are really samples from the same
        population. Biometrika 8.
    """
    n, m = sample_sizes(reference, current)
    both = reference + current
    # Sum of (observed - expected)**2 / expected over both rows of the table, with the expectations multiplied out.
    squares = (reference * m - current * n) ** 2 / np.maximum(both, 1)
    statistic = squares.sum(axis=-1) / (n * m)[..., 0]
    degrees = np.count_nonzero(both, axis=-1) - 1
    # Of a single cell the statistic is 0, so that any number of degrees has a tail of 1.
    p_value = special.chdtrc(np.maximum(degrees, 1), statistic)
    return ChiSquared(statistic, degrees, p_value)
