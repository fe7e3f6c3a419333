"""
Rank tests for a shift of location and a change of scale, from the counts of ordered cells.

The chi-squared statistic of ordered cells is a sum of squares of independent components: how far the window's ranks lie to one side,
how far they spread, and finer differences. The first two hold most of what happens to real columns and are tested on their own.
With three cells their squares add up to the whole of it (but for the factor (N - 1) / N of the exact variance).

References:
    Nair, V. N. (1986). Testing in industrial experiments with ordered categorical data. Technometrics 28.
    Best, D. J., Rayner, J. C. W. (1996). Nonparametric analysis for doubly ordered two-way contingency tables. Biometrics 52.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy import special

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["RankTest", "rank_location_test", "rank_scale_test"]

_FEWEST_CELLS_WITH_A_SCALE: Final = 3


class RankTest(NamedTuple):
    """Outcome of a test, each of shape (...): `z` is standard normal without drift, `p_value` its two-sided tail."""

    z: FloatArray
    p_value: FloatArray


def rank_location_test(reference: IntArray, current: IntArray) -> RankTest:
    """
    Return the test that the ranks of *current* lie to one side; z > 0 means towards the last cell.

    The two-sample Wilcoxon test on mid-ranks, with the exact permutation variance under ties. With fewer than two occupied cells
    there is nothing to test: z is 0 and the p-value 1.

    Args:
        reference: Counts per cell in ascending order of the values, shape (..., n_cells), >= 0.
        current: Counts per cell on the same cells, shape (..., n_cells).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.
    """
    n, m = sample_sizes(reference, current)
    both = reference + current
    return _permutation_test(_centred_ranks(both, n + m), both, current, n, m)


def rank_scale_test(reference: IntArray, current: IntArray) -> RankTest:
    """
    Return the test that the ranks of *current* spread more or less; z > 0 means more.

    Mood's test on mid-ranks: scores are the squared distances from the middle rank, made orthogonal to the ranks themselves, so
    that under ties a shift does not pass for a change of scale. Exact permutation variance. With fewer than three occupied cells
    there is nothing to test: z is 0 and the p-value 1.

    Args:
        reference: Counts per cell in ascending order of the values, shape (..., n_cells), >= 0.
        current: Counts per cell on the same cells, shape (..., n_cells).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.
    """
    n, m = sample_sizes(reference, current)
    both = reference + current
    has_scale = np.count_nonzero(both, axis=-1, keepdims=True) >= _FEWEST_CELLS_WITH_A_SCALE
    ranks = _centred_ranks(both, n + m)
    squares = ranks**2
    leaning = _total(both * squares * ranks) / np.where(has_scale, _total(both * squares), 1.0)
    scores = squares - leaning * ranks
    centred = np.where(has_scale, scores - _total(both * scores) / (n + m), 0.0)
    return _permutation_test(centred, both, current, n, m)


def _centred_ranks(both: IntArray, rows: FloatArray) -> FloatArray:
    """Mid-ranks of the pooled sample as shares of its size, less their mean; in (-0.5, 0.5)."""
    return (np.cumsum(both, axis=-1) - both / 2) / rows - 0.5


def _permutation_test(
    scores: FloatArray, both: IntArray, current: IntArray, n: FloatArray, m: FloatArray
) -> RankTest:
    """Sum of the centred *scores* of *current* against its variance over all divisions of the pooled sample."""
    variance = _total(both * scores**2) * n * m / ((n + m) * (n + m - 1.0))
    # Where nothing varies the sum is 0 as well.
    z = (_total(current * scores) / np.sqrt(np.where(variance > 0, variance, 1.0)))[..., 0]
    return RankTest(z, 2 * special.ndtr(-np.abs(z)))


def _total(values: FloatArray) -> FloatArray:
    """Return the sums over the cells, shape (..., 1)."""
    total: FloatArray = np.add.reduce(values, axis=-1, keepdims=True)
    return total
