"""Where the edges between bins lie, given the values of the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray

__all__ = ["MAX_DISTINCT", "N_BINS", "midway", "reference_edges"]

N_BINS: Final = 20
MAX_DISTINCT: Final = 32
"""With at most so many distinct values each of them has its own bin."""
_FENCE: Final = 1e-6


def reference_edges(distinct: FloatArray, repeats: IntArray) -> FloatArray:
    """
    Return the inner edges of at most 20 bins of equal mass, or of one bin per value where there are few, strictly ascending.

    A single value is fenced in on both sides, or no other value could ever be told from it; its neighbours' bins are empty. Else
    an edge lies midway between two neighbouring distinct values, so that rounding in the producer moves no row; none is beyond the
    largest value, so no bin is empty. The k-th edge follows the value whose cumulative share is nearest to k / 20: a value that
    many rows share gets a bin of its own instead of swallowing its neighbours.

    Args:
        distinct: The distinct finite values, ascending, shape (n,), n >= 1.
        repeats: How many rows have each, shape (n,).
    """
    if len(distinct) == 1:
        return _fence(float(distinct[0]))
    if len(distinct) <= MAX_DISTINCT:
        return midway(distinct[:-1], distinct[1:])
    cumulative = np.cumsum(repeats)
    levels = cumulative[-1] * np.arange(1, N_BINS) / N_BINS
    last = np.unique(_nearest(cumulative[:-1], levels))
    return midway(distinct[last], distinct[last + 1])


def _fence(value: float) -> FloatArray:
    # Wide enough for a value that went through float32 on its way, which keeps seven digits.
    width = max(abs(value) * _FENCE, _FENCE**2)
    with np.errstate(over="ignore"):  # beyond the largest number there is nothing to tell apart
        edges: FloatArray = np.array([value - width, value + width])
    return np.asarray(edges[np.isfinite(edges)])


def _nearest(ascending: IntArray, levels: FloatArray) -> IntArray:
    """Return the index of the element nearest to each level, the smaller one of two equally near."""
    right: IntArray = np.searchsorted(ascending, levels).clip(1, len(ascending) - 1)
    is_left = levels - ascending[right - 1] <= ascending[right] - levels
    return np.where(is_left, right - 1, right)


def midway(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return what divides each number of *left* from the larger one of *right*: numbers up to it, which is below the latter, lie on the left."""
    # Halved first: the sum of two large numbers overflows. Between adjacent floats there is no middle; then `left` itself divides them.
    middle = left / 2 + right / 2
    return np.where((middle >= left) & (middle < right), middle, left)
