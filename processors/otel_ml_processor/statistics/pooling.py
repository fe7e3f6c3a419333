"""Cells joined until each expects enough samples for the chi-squared approximation to hold."""

from __future__ import annotations

from typing import Final

import numpy as np

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["MIN_EXPECTED", "pooled"]

MIN_EXPECTED: Final = 5.0
"""
Fewest samples that a pooled cell expects on either side.

Of windows with 20 columns of geometric shares 1.2 to 1.9 % alarm at a promised 1 % (without effect floor), against 60 % unpooled.
"""


def pooled(reference: IntArray, current: IntArray, *, ordered: bool) -> tuple[IntArray, IntArray]:
    """
    Return both sides on fewer cells, each of which expects at least `MIN_EXPECTED` samples on both.

    What a cell expects follows from the two sides together, so pooling looks at nothing that differs between them and leaves the
    tests their size. Ordered cells are joined with their neighbours, and stay in order; of categories the rarest are joined to one
    cell, which comes last. Where even all cells together expect too few, one cell is left.

    Args:
        reference: Counts per cell, shape (n_cells,), >= 0.
        current: Counts per cell on the same cells, shape (n_cells,).
        ordered: Whether neighbouring cells hold neighbouring values.

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.
    """
    n, m = sample_sizes(reference, current)
    expected: FloatArray = np.multiply(reference + current, min(n, m) / (n + m), dtype=np.float64)
    if expected.min() >= MIN_EXPECTED:
        return reference, current
    if not ordered:
        order = np.argsort(-expected, kind="stable")
        starts = _starts_of_categories(expected[order])
        return _joined(reference[order], starts), _joined(current[order], starts)
    starts = _starts_of_neighbours(expected.tolist())
    return _joined(reference, starts), _joined(current, starts)


def _joined(counts: IntArray, starts: list[int]) -> IntArray:
    return np.add.reduceat(counts, starts)


def _starts_of_neighbours(expected: list[float]) -> list[int]:
    """First cell of every group, from the left; what is too little at the right end joins the last group."""
    starts, gathered = [0], 0.0
    for cell, size in enumerate(expected):
        if gathered >= MIN_EXPECTED:
            starts.append(cell)
            gathered = 0.0
        gathered += size
    if gathered < MIN_EXPECTED and len(starts) > 1:
        starts.pop()
    return starts


def _starts_of_categories(descending: FloatArray) -> list[int]:
    """Every frequent category by itself, then one group of all that are rare, with as many more as that one needs."""
    frequent = int((descending >= MIN_EXPECTED).sum())
    rest = float(descending[frequent:].sum())
    while rest < MIN_EXPECTED and frequent > 0:
        frequent -= 1
        rest += float(descending[frequent])
    return list(range(frequent + 1))
