"""
How wrong predicted numbers are to be expected, by where their inputs lie: a tree whose leaves are counted (DLE).

Columns are cells, small whole numbers, as windows count them. A split sends some cells of one column to one side, so a row's leaf
follows from its cells alone, and the leaves' counts of a stream are all that an estimate needs.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.statistics.counts import FloatArray, IntArray

__all__ = [
    "MAX_LEAVES",
    "CellColumn",
    "Split",
    "expected_errors",
    "grown_tree",
    "leaf_masks",
    "leaves_of",
]

MAX_LEAVES: Final = 32
"""A leaf is a bit of a mask, so at most 62."""
_FEWEST_ROWS: Final = 100
"""Of a leaf: the mean of fewer errors would be chance."""
_CLIP: Final = 0.999


class CellColumn(NamedTuple):
    """The cell of every row, shape (n_rows,), in [0, n_cells), and whether neighbouring cells hold neighbouring values."""

    cells: NDArray[np.integer]
    n_cells: int
    ordered: bool


class Split(NamedTuple):
    """Rows whose cell of *column* is in *inside* go to the first of *children*, all others to the second; n >= 0 is split n, -1 - n leaf n."""

    column: int
    inside: tuple[int, ...]
    children: tuple[int, int]


class _Cut(NamedTuple):
    gain: float
    column: int
    inside: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Node:
    """Rows that are not told apart yet, and the best cut through them; `number` is that of the split that it became, or of its leaf."""

    rows: IntArray
    cut: _Cut
    children: list[_Node] = field(default_factory=list)
    number: int = 0


def grown_tree(columns: Sequence[CellColumn], errors: FloatArray) -> list[Split]:
    """
    Return the splits, the root first, that take most of the variance out of *errors*; none where there are too few rows, or all are alike.

    Best first, up to 32 leaves of 100 rows and more. Cells of a column without an order are put into that of their mean errors, which holds
    the best cut. The largest thousandth of the errors counts as its smallest one: a single row decides nothing.

    Args:
        columns: At least one, all of the same rows.
        errors: Of every row, finite and >= 0, shape (n_rows,), at least one.

    References:
        Breiman, L., Friedman, J. H., Olshen, R. A., Stone, C. J. (1984). Classification and Regression Trees.
        Fisher, W. D. (1958). On grouping for maximum homogeneity. J. Am. Stat. Assoc. 53.
    """
    clipped = np.minimum(errors, np.quantile(errors, _CLIP, method="lower"))
    root = _node(columns, clipped, np.arange(len(errors)))
    waiting = [(-root.cut.gain, 0, root)]
    split: list[_Node] = []
    while waiting and len(split) + 1 < MAX_LEAVES:
        gain, _, node = heapq.heappop(waiting)
        if gain >= 0:
            break
        is_inside = np.isin(columns[node.cut.column].cells[node.rows], node.cut.inside)
        node.children = [_node(columns, clipped, node.rows[is_inside == side]) for side in (1, 0)]
        node.number = len(split)
        split.append(node)
        for order, child in enumerate(node.children, 2 * len(split)):
            heapq.heappush(waiting, (-child.cut.gain, order, child))
    return _numbered(split)


def expected_errors(rows: IntArray, absolute: FloatArray, squared: FloatArray) -> dict[str, float]:
    """
    Return the mean absolute error and the root of the mean squared one that are to be expected; NaN without rows.

    Args:
        rows: Per group of rows that are alike.
        absolute: Mean absolute error of each group.
        squared: Mean squared error of each group.
    """
    n = int(rows.sum())
    if not n:
        return {"mae": math.nan, "rmse": math.nan}
    return {"mae": float(rows @ absolute) / n, "rmse": math.sqrt(float(rows @ squared) / n)}


def leaf_masks(splits: Sequence[Split], widths: Sequence[int]) -> list[IntArray]:
    """
    Return by column which leaves a cell leaves open, as bits, shape (width,): all columns' together (and) leave exactly one.

    References:
        Lucchese, C., et al. (2015). QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees. SIGIR 38.
    """
    masks: list[IntArray] = [np.full(width, _below(splits, 0), dtype=np.int64) for width in widths]
    for split in splits:
        inside, outside = (_below(splits, child) for child in split.children)
        is_inside = np.zeros(widths[split.column], dtype=bool)
        is_inside[list(split.inside)] = True
        masks[split.column] &= np.where(is_inside, ~outside, ~inside)
    return masks


def leaves_of(masks: IntArray) -> IntArray:
    """Return the leaf of each row, shape (n_rows,), -1 where a column leaves none; *masks*, shape (n_columns, n_rows), are those of its cells."""
    left = np.bitwise_and.reduce(masks, axis=0)
    return np.asarray(np.frexp(left.astype(np.float64))[1] - 1, dtype=np.int64)


def _node(columns: Sequence[CellColumn], errors: FloatArray, rows: IntArray) -> _Node:
    cuts = (_best_cut(i, column, errors, rows) for i, column in enumerate(columns))
    return _Node(rows, max(cuts, key=lambda cut: cut.gain))


def _best_cut(number: int, column: CellColumn, errors: FloatArray, rows: IntArray) -> _Cut:
    """Return the cut of *rows* by one column that takes most off the sum of squares; its gain is 0 where there is none."""
    cells = column.cells[rows]
    counts = np.bincount(cells, minlength=column.n_cells)
    sums = np.bincount(cells, errors[rows], minlength=column.n_cells)
    order = np.arange(column.n_cells)
    if not column.ordered:
        order = np.argsort(sums / np.maximum(counts, 1), kind="stable")
        order = order[counts[order] > 0]
    n, total = np.cumsum(counts[order])[:-1], np.cumsum(sums[order])[:-1]
    rest = len(rows) - n
    allowed = (n >= _FEWEST_ROWS) & (rest >= _FEWEST_ROWS)
    if not allowed.any():
        return _Cut(0.0, number, ())
    whole = sums.sum()
    apart = total**2 / np.maximum(n, 1) + (whole - total) ** 2 / np.maximum(rest, 1)
    gains = np.where(allowed, apart - whole**2 / len(rows), -np.inf)
    best = int(np.argmax(gains))
    # Rounding leaves a little where nothing can be gained.
    gain = float(gains[best]) if gains[best] > 1e-9 * apart[best] else 0.0
    return _Cut(gain, number, tuple(sorted(order[: best + 1].tolist())))


def _numbered(split: Sequence[_Node]) -> list[Split]:
    leaves = (child for node in split for child in node.children if not child.children)
    for number, leaf in enumerate(leaves):
        leaf.number = -1 - number
    return [
        Split(node.cut.column, node.cut.inside, (node.children[0].number, node.children[1].number))
        for node in split
    ]


def _below(splits: Sequence[Split], child: int) -> int:
    """Return the leaves under *child* as bits."""
    return sum(1 << leaf for leaf in _leaves_below(splits, child))


def _leaves_below(splits: Sequence[Split], child: int) -> Iterator[int]:
    if child < 0:
        yield -1 - child
    elif splits:
        for further in splits[child].children:
            yield from _leaves_below(splits, further)
