"""The counts of a `ByValue`, found in one pass over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.compiled import lean, plain
from otel_ml_processor.sketches.fast_scores import cell_of
from otel_ml_processor.sketches.moments import QUANTA, ROUNDING

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray

__all__ = ["count_by_value"]

_LEAST, _MOST = -ROUNDING, 1 + ROUNDING
_NO_OUTPUTS: Final[IntArray] = np.zeros((0, 0), dtype=np.int64)


def count_by_value(
    values: IntArray,
    scores: tuple[FloatArray, FloatArray, FloatArray],
    outputs: IntArray | None,
    threshold: float,
    grid: FloatArray,
    blocks: IntArray,
) -> None:
    """
    Count rows in *blocks*, which lie as `ByValue` has them.

    Args:
        values: Of each row the number of its block, -1 where it is counted in none, shape (n_rows,).
        scores: As those of `ByValue.add`.
        outputs: Likewise.
        threshold: Below it the first score is low.
        grid: Inner edges of the cells of the first score, shape (n_cells - 1,).
        blocks: Shape (n_values, width).
    """
    first, second, third = scores
    _count(
        plain(values),
        plain(first),
        plain(second),
        plain(third),
        _NO_OUTPUTS if outputs is None else plain(outputs),
        float(threshold),
        grid,
        blocks,
    )


@lean
def _count(
    values: IntArray,
    first: FloatArray,
    second: FloatArray,
    third: FloatArray,
    outputs: IntArray,
    threshold: float,
    grid: FloatArray,
    blocks: IntArray,
) -> None:
    # In the order of `ByValue`: rows, low ones, how many say each score, the sums of those, cells of the first score, outputs.
    cells = 8
    behind = cells + len(grid) + 1
    n_outputs = blocks.shape[1] - behind
    for row in range(len(values)):
        if values[row] < 0:
            continue
        block = blocks[values[row]]
        block[0] += 1
        for index in range(3):
            score = first[row] if index == 0 else (second[row] if index == 1 else third[row])
            if not _LEAST <= score <= _MOST:  # NaN too
                continue
            inside = min(max(score, 0.0), 1.0)
            block[2 + index] += 1
            block[5 + index] += int(np.rint(inside * QUANTA))
            if index == 0:
                block[1] += inside < threshold
                block[cells + cell_of(grid, inside)] += 1
        for line in range(len(outputs)):
            output = outputs[line, row]
            if 0 <= output < n_outputs:
                block[behind + output] += 1
