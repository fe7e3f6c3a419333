"""The counts of a `ScoreHistogram`, found in one pass over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.compiled import folded, lean, plain
from otel_ml_processor.sketches.moments import QUANTA, ROUNDING

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray

__all__ = ["N_SUMS", "cell_of", "count_scores"]

N_SUMS: Final = 3
"""Of each score: how many count, how many are invalid, and the sum of the quanta of those that count."""
_LEAST, _MOST = -ROUNDING, 1 + ROUNDING


def count_scores(
    scores: tuple[FloatArray, FloatArray, FloatArray],
    threshold: float,
    grid: FloatArray,
    cells: IntArray,
) -> tuple[list[list[int]], int]:
    """
    Return the sums of each score, and how many rows are below *threshold* by the first of them, which is also counted in *cells*.

    Args:
        scores: Of any content, shape (n_rows,) each.
        threshold: Below it the first score is low.
        grid: Inner edges of the cells, k / n, shape (n - 1,).
        cells: Where the first score is counted, shape (n,).
    """
    sums = np.zeros((len(scores), N_SUMS), dtype=np.int64)
    first, second, third = scores
    columns = plain(first), plain(second), plain(third)
    low = _count(*columns, float(threshold), grid, cells, sums)
    return sums.tolist(), int(low)


@folded
def cell_of(grid: FloatArray, value: float) -> int:
    """Return in which cell of *grid*, closed on the right, *value* in [0, 1] lies: what `searchsorted` from the left says."""
    last = len(grid)
    # The product may be rounded to a neighbour: the edges themselves decide.
    cell = min(int(value * (last + 1)), last)
    while cell > 0 and grid[cell - 1] >= value:
        cell -= 1
    while cell < last and grid[cell] < value:
        cell += 1
    return cell


@lean
def _count(
    first: FloatArray,
    second: FloatArray,
    third: FloatArray,
    threshold: float,
    grid: FloatArray,
    cells: IntArray,
    sums: IntArray,
) -> int:
    low = 0
    for index in range(len(sums)):
        values = first if index == 0 else (second if index == 1 else third)
        count, invalid, quanta = 0, 0, 0
        for value in values:
            if np.isnan(value):
                continue
            if not _LEAST <= value <= _MOST:
                invalid += 1
                continue
            inside = min(max(value, 0.0), 1.0)
            count += 1
            quanta += int(np.rint(inside * QUANTA))
            if index == 0:
                low += inside < threshold
                cells[cell_of(grid, inside)] += 1
        sums[index, 0] = count
        sums[index, 1] = invalid
        sums[index, 2] = quanta
    return low
