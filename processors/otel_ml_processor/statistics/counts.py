"""Two samples as counts on the same cells: what every statistic of this folder is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "IntArray", "sample_sizes"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def sample_sizes(reference: IntArray, current: IntArray) -> tuple[int, int]:
    """
    Return how many samples lie on each side, having checked that the two can be compared.

    Args:
        reference: Counts per cell, shape (n_cells,).
        current: Counts per cell on the same cells, shape (n_cells,).

    Raises:
        ValueError: If the shapes differ, a count is negative, or a side has no samples.
    """
    if reference.shape != current.shape:
        raise ValueError(
            f"reference has {reference.size} bins but current has {current.size}; "
            "both sides must be binned on the same edges"
        )
    # The functions behind the arrays' own methods: this is asked seven times for each feature of each window.
    n, m = int(np.add.reduce(reference)), int(np.add.reduce(current))
    if n < 1 or m < 1:
        raise ValueError(
            f"reference has {n} samples and current has {m}; both sides need at least one"
        )
    lowest = min(np.minimum.reduce(reference), np.minimum.reduce(current))
    if lowest < 0:
        raise ValueError(f"expected counts >= 0, got {lowest}")
    return n, m
