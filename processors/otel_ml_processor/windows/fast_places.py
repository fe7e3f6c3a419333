"""In which bins numbers lie, found for all features in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import compiled

if TYPE_CHECKING:
    from otel_ml_processor.columns import BoolArray, FloatArray, IntArray

__all__ = ["place_numbers"]


@compiled
def place_numbers(
    numbers: FloatArray,
    ranges: FloatArray,
    edges: FloatArray,
    bounds: IntArray,
    starts: IntArray,
    positions: IntArray,
    places: IntArray,
) -> BoolArray:
    """
    Write where rows are counted of the features of which every row has a number within the range of the reference; return which those are.

    Args:
        numbers: Shape (n_features, n_rows).
        ranges: The smallest and the largest number of the reference, shape (2, n_features).
        edges: The inner edges of all features, one feature behind the other.
        bounds: Where among them those of each feature begin, and where the last end; shape (n_features + 1,).
        starts: Where the counts of each feature begin.
        positions: Which line of *places* is that of each feature.
        places: What is written to, shape (at least n_features, n_rows).
    """
    is_placed = np.zeros(len(numbers), dtype=np.bool_)
    for feature in range(len(numbers)):
        values, line = numbers[feature], places[positions[feature]]
        lowest, highest = ranges[0, feature], ranges[1, feature]
        n_within = 0
        for value in values:
            n_within += (lowest <= value) & (value <= highest)  # a NaN is not
        if n_within < len(values):
            continue
        is_placed[feature] = True
        line[:] = starts[feature]
        # Edge by edge, for that is done for several rows at a time: a search by halves takes five times as long.
        for edge in edges[bounds[feature] : bounds[feature + 1]]:
            for row in range(len(values)):
                line[row] += edge < values[row]
    return is_placed
