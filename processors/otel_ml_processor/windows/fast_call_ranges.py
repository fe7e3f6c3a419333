"""What came of the calls of each process, found in one pass over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import compiled, plain
from otel_ml_processor.sketches.moments import QUANTA, ROUNDING

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray

__all__ = ["count_calls"]

_LEAST, _MOST = -ROUNDING, 1 + ROUNDING
_FACTS = 7
"""Of a process: its id, lowest and highest number, how many calls, rows with a confidence, their quanta, low ones."""


def count_calls(
    spans: IntArray, calls: IntArray, confidences: FloatArray, threshold: float, most: int
) -> list[list[int]]:
    """
    Return of each process its id and the fields of a `CallRange`, ascending by id; of the *most* lowest ids that there are.

    Args:
        spans: Of each row, rows of a span are neighbours; shape (n_rows,).
        calls: Process and number of each row, the number below 0 where it has none; shape (n_rows, 2).
        confidences: Of any content, shape (n_rows,).
        threshold: Below it a confidence is low.
        most: At least 1.
    """
    found = np.empty((most + 1, _FACTS), dtype=np.int64)
    columns = plain(spans), plain(calls), plain(confidences)
    n_found = _count(*columns, float(threshold), found)
    told: list[list[int]] = found[:n_found].tolist()
    return told


@compiled
def _count(
    spans: IntArray, calls: IntArray, confidences: FloatArray, threshold: float, found: IntArray
) -> int:
    most, n_found, at = len(found) - 1, 0, 0
    for row in range(len(spans)):
        process, number = calls[row, 0], calls[row, 1]
        if number < 0:
            continue
        if at >= n_found or found[at, 0] != process:  # most rows are of the process of the last
            at = np.searchsorted(found[:n_found, 0], process)
            if at == most:
                continue
            if at == n_found or found[at, 0] != process:
                # The highest of too many falls out; it is not missed, for the lower ones stay.
                for later in range(n_found, at, -1):
                    found[later] = found[later - 1]
                n_found = min(n_found + 1, most)
                found[at, 0] = process
                found[at, 1] = number
                found[at, 2] = number
                found[at, 3:] = 0
        found[at, 1] = min(found[at, 1], number)
        found[at, 2] = max(found[at, 2], number)
        found[at, 3] += row == 0 or spans[row] != spans[row - 1]
        confidence = confidences[row]
        if _LEAST <= confidence <= _MOST:  # NaN is not
            inside = min(max(confidence, 0.0), 1.0)
            found[at, 4] += 1
            found[at, 5] += int(np.rint(inside * QUANTA))
            found[at, 6] += inside < threshold
    return n_found
