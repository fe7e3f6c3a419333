"""The counts of several columns in one block, so that a statistic is asked once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.sketches.slots import N_SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.windows.summary import Comparison

__all__ = ["MAX_CELLS", "blocks", "side_by_side"]

MAX_CELLS: Final = 1 << 20
"""Cells of a side of a block of several columns: one column that is far wider than all others does not make these as wide."""


def blocks(comparisons: Sequence[Comparison], max_cells: int = MAX_CELLS) -> Iterator[slice]:
    """Yield which of the *comparisons*, in their order, make up one block each: all of them, unless together they had more than *max_cells*."""
    begin = widest = 0
    for at, comparison in enumerate(comparisons):
        widest = max(widest, len(comparison.reference))
        if at > begin and widest * (at + 1 - begin) > max_cells:
            yield slice(begin, at)
            begin, widest = at, len(comparison.reference)
    if begin < len(comparisons):
        yield slice(begin, len(comparisons))


def side_by_side(comparisons: Sequence[Comparison]) -> IntArray:
    """
    Return the counts of both sides, shape (2, n_columns, n_cells + N_SLOTS): of the reference, and of the window.

    Columns of fewer cells than others have empty ones in front, which say nothing. Of pairs of features the only cell are the rows that have all
    of the features.

    Args:
        comparisons: At least one.
    """
    counts = [
        (c.reference, c.current) if c.pairs is None else _rows_with_all(c) for c in comparisons
    ]
    sizes = np.array([len(reference) for reference, _ in counts])
    is_own = np.arange(sizes.max())[::-1] < sizes[:, np.newaxis]
    together = np.zeros((2, *is_own.shape), dtype=np.int64)
    for side, of_columns in zip(together, zip(*counts, strict=True), strict=True):
        side[is_own] = np.concatenate(of_columns)
    return together


def _rows_with_all(comparison: Comparison) -> tuple[IntArray, IntArray]:
    reference, current = (
        np.pad(sums[:1], (0, N_SLOTS)) for sums in (comparison.reference, comparison.current)
    )
    return reference, current
