"""Where rows are counted, found for all columns of numbers in one pass over them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.columns import Kind
from otel_ml_processor.compiled import lean
from otel_ml_processor.sketches.moments import ROUNDING
from otel_ml_processor.sketches.slots import Slot

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray, FloatArray, IntArray

__all__ = ["EDGES_AT_ONCE", "Found", "place_numbers", "place_scores"]

EDGES_AT_ONCE: Final = 4
"""The edges of a column are a multiple of these; those that it has not lie beyond every number."""


class Found(IntEnum):
    """What has been found out about the rows of a target."""

    NOTHING = 0
    """Nothing: its line is still to be written."""
    CELLS = 1
    """Every row has a cell."""
    SLOTS = 2
    """Some rows are in a slot, or nowhere."""


_NOTHING, _CELLS, _SLOTS = int(Found.NOTHING), int(Found.CELLS), int(Found.SLOTS)
_ABSENT, _MISSING, _NUMBER = int(Kind.ABSENT), int(Kind.MISSING), int(Kind.NUMBER)
_TO_MISSING, _TO_NON_FINITE = int(Slot.MISSING), int(Slot.NON_FINITE)
_TO_BELOW, _TO_ABOVE = int(Slot.BELOW_RANGE), int(Slot.ABOVE_RANGE)
_LEAST, _MOST = -ROUNDING, 1 + ROUNDING


@lean
def place_numbers(
    numbers: FloatArray,
    kinds: ByteArray,
    probability: int,
    ranges: FloatArray,
    edges: FloatArray,
    bounds: IntArray,
    starts: IntArray,
    slots: IntArray,
    lines: IntArray,
    nowhere: int,
    places: IntArray,
    found: ByteArray,
    outside: IntArray,
) -> int:
    """
    Write where rows are counted of columns that have bins, as `Bins` says it; return how many rows lie outside of a range.

    A column with what is not easily told, such as a text where a number belongs, is left to others.

    Args:
        numbers: Shape (n_columns, n_rows); what nearly is a probability becomes one.
        kinds: `Kind` of the features' numbers, which come first, shape (n_features, n_rows).
        probability: Which column holds probabilities, -1 for none.
        ranges: The smallest and the largest number of the reference, of probabilities within [0, 1], shape (2, n_columns).
        edges: The inner edges of all columns, one column behind the other, of each a multiple of `EDGES_AT_ONCE`.
        bounds: Where among them those of each column begin, and where the last end; shape (n_columns + 1,).
        starts: Where the counts of each column begin.
        slots: Where among them its slots begin.
        lines: Which line of *places* and of *found* is that of each column.
        nowhere: The place of a row that says nothing.
        places: What is written to, shape (n_lines, n_rows).
        found: `Found` of each line, written to.
        outside: Row and place of what lies outside of a range, written to, shape (2, room); where there is no room a column is left to others.
    """
    n_outside = 0
    for column in range(len(numbers)):
        values, line = numbers[column], places[lines[column]]
        lowest, highest = ranges[0, column], ranges[1, column]
        if column == probability:
            for row in range(len(values)):
                if _LEAST <= values[row] <= _MOST:
                    values[row] = min(max(values[row], 0.0), 1.0)
        n_within, start = 0, starts[column]
        for row in range(len(values)):
            n_within += (lowest <= values[row]) & (values[row] <= highest)  # a NaN is not
            line[row] = start
        # Edges by edges, for that is done for several rows at a time: a search by halves takes five times as long.
        for first in range(bounds[column], bounds[column + 1], EDGES_AT_ONCE):
            a, b, c, d = edges[first], edges[first + 1], edges[first + 2], edges[first + 3]
            for row in range(len(values)):
                value = values[row]
                line[row] += (a < value) + (b < value) + (c < value) + (d < value)
        found[lines[column]] = _CELLS
        if n_within < len(values):
            limits, others = (lowest, highest), (slots[column], nowhere)
            found[lines[column]], n_outside = _place_others(
                values, kinds, column, probability, limits, others, line, outside, n_outside
            )
    return n_outside


@lean
def _place_others(
    values: FloatArray,
    kinds: ByteArray,
    column: int,
    probability: int,
    limits: tuple[float, float],
    others: tuple[int, int],
    line: IntArray,
    outside: IntArray,
    n_before: int,
) -> tuple[int, int]:
    """Write into *line* and *outside* what is to be said of rows that are not within *limits*; return what has been found, and how many lie outside by now."""
    (lowest, highest), (slot, nowhere) = limits, others
    found, n_outside = _CELLS, n_before
    for row in range(len(values)):
        value = values[row]
        if lowest <= value <= highest:
            continue
        if np.isfinite(value) and (column != probability or 0 <= value <= 1):
            if n_outside == outside.shape[1]:
                return _NOTHING, n_before
            outside[0, n_outside] = row
            outside[1, n_outside] = slot + (_TO_BELOW if value < lowest else _TO_ABOVE)
            n_outside += 1
            continue
        found, kind = _SLOTS, _ABSENT if np.isnan(value) else _NUMBER
        if column < len(kinds):
            kind = kinds[column, row]
        if kind == _NUMBER and np.isinf(value):
            line[row] = slot + _TO_NON_FINITE
        elif kind == _ABSENT:
            line[row] = nowhere
        elif np.isnan(value) and kind in (_MISSING, _NUMBER):
            line[row] = slot + _TO_MISSING
        else:
            return _NOTHING, n_before
    return found, n_outside


@lean
def place_scores(
    confidences: FloatArray,
    codes: IntArray,
    signs: IntArray,
    edges: FloatArray,
    start: int,
    nowhere: int,
    line: IntArray,
) -> None:
    """
    Write into *line* where the scores of rows are counted, as `ScoreReference.cells` says it.

    Args:
        confidences: Of any content, shape (n_rows,).
        codes: Of the predicted classes, shape (n_rows,), -1 for none.
        signs: By code, the last one for none: 1 where the positive class was predicted, 0 where another one, -1 where that is not known.
        edges: The inner ones of the bins.
        start: Where the counts begin.
        nowhere: The place of a row that is not counted.
        line: Shape (n_rows,).
    """
    n_bins = len(edges) + 1
    for row in range(len(line)):
        sure, sign = confidences[row], signs[codes[row] if codes[row] >= 0 else len(signs) - 1]
        if sign < 0 or not _LEAST <= sure <= _MOST:  # a NaN is not
            line[row] = nowhere
            continue
        sure = min(max(sure, 0.0), 1.0)
        score = sure if sign else 1 - sure
        low, high = 0, len(edges)
        while low < high:
            middle = (low + high) >> 1
            if edges[middle] < score:
                low = middle + 1
            else:
                high = middle
        line[row] = start + low + n_bins * sign
