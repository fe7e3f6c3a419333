"""
Two samples as counts on the same cells: what every statistic of this folder is given.

Cells lie along the last axis. What lies along others are further pairs of samples, each looked at by itself, so that the columns of a window
are asked about at once: a numpy call takes some microseconds, however many columns it is for. Columns of fewer cells than others are
filled up with cells that are empty on both sides, which no statistic counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "IntArray", "sample_sizes", "smoothed_shares"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def sample_sizes(reference: IntArray, current: IntArray) -> tuple[FloatArray, FloatArray]:
    """
    Return how many samples lie on each side, having checked that the two can be compared; shape (..., 1), as counts are divided by them.

    Args:
        reference: Counts per cell, shape (..., n_cells).
        current: Counts per cell on the same cells, shape (..., n_cells).

    Raises:
        ValueError: If the shapes differ, a count is negative, or a side has no samples.
    """
    if reference.shape != current.shape:
        bins, others = (" x ".join(map(str, side.shape)) for side in (reference, current))
        raise ValueError(
            f"reference has {bins} bins but current has {others}; "
            "both sides must be binned on the same edges"
        )
    n, m = (np.add.reduce(side, axis=-1, keepdims=True) for side in (reference, current))
    is_empty = np.minimum(n, m) < 1
    if is_empty.any():
        raise ValueError(
            f"reference has {n[is_empty][0]} samples and current has {m[is_empty][0]}; "
            "both sides need at least one"
        )
    lowest = np.minimum(reference, current).min(initial=0)
    if lowest < 0:
        raise ValueError(f"expected counts >= 0, got {lowest}")
    return n.astype(np.float64), m.astype(np.float64)


def smoothed_shares(
    reference: IntArray, current: IntArray, pseudo_count: float | FloatArray
) -> tuple[FloatArray, FloatArray]:
    """
    Return the proportions of both sides, *pseudo_count* added to every cell that either side has samples in.

    A cell that is empty on both sides would cost half a count on each: in a window of 200 rows more than what is too small to matter.

    Raises:
        ValueError: As `sample_sizes`.
    """
    sample_sizes(reference, current)
    added = np.where(reference + current > 0, pseudo_count, 0.0)
    p, q = reference + added, current + added
    return p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
