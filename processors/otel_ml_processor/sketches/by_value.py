"""Confidence and outputs apart for every value of a text: a predicted class, a region, a kind of customer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.sketches.fast_by_value import count_by_value
from otel_ml_processor.sketches.label_counts import MAX_LABEL_LENGTH
from otel_ml_processor.sketches.moments import QUANTA, in_unit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from otel_ml_processor.columns import FloatArray, IntArray, TextColumn

__all__ = ["N_CELLS", "ByValue", "ValueCounts"]

N_CELLS: Final = 100
"""Cells of equal width over [0, 1] that confidence is counted in, closed on the right."""
_GRID: Final[FloatArray] = np.arange(1, N_CELLS) / N_CELLS
_MEANS: Final = 3
"""Confidence, entropy, margin: of each how many rows said it, and their sum in multiples of 2**-32."""
_ROWS, _LOW, _MOMENTS, _CELLS = 0, 1, 2, 2 + 2 * _MEANS
_FIXED: Final = _CELLS + N_CELLS
_FEW: Final = 64
"""Texts that rows may have without it being found out first which of them they have."""


class ValueCounts:
    """What the rows with one value count, all of it in one block of integers; see `ByValue`."""

    __slots__ = ("_block",)

    def __init__(self, block: IntArray) -> None:
        self._block = block

    @property
    def rows(self) -> int:
        """Rows that have the value."""
        return int(self._block[_ROWS])

    @property
    def low(self) -> int:
        """Rows whose confidence is low."""
        return int(self._block[_LOW])

    @property
    def confident_rows(self) -> int:
        """Rows that said a confidence."""
        return int(self._block[_MOMENTS])

    @property
    def means(self) -> tuple[float, float, float]:
        """The means of confidence, entropy and margin; NaN where no row said it."""
        counts, sums = self._block[_MOMENTS:_CELLS].reshape(2, _MEANS).tolist()
        confidence, entropy, margin = (
            total / (rows * QUANTA) if rows else math.nan
            for rows, total in zip(counts, sums, strict=True)
        )
        return confidence, entropy, margin

    @property
    def outputs(self) -> IntArray:
        """Rows by place among the outputs, shape (n_outputs,)."""
        return self._block[_FIXED:]

    def quantile(self, level: float) -> float:
        """Return the confidence that a share of *level* of the rows do not exceed, at most .01 above the exact one; NaN of nothing."""
        rows = self.confident_rows
        if not rows:
            return math.nan
        rank = max(1, math.ceil(round(level * rows, 6)))
        cell = int(np.searchsorted(np.cumsum(self._block[_CELLS:_FIXED]), rank))
        return (cell + 1) / N_CELLS


class ByValue:
    """
    Counts per value of a text, for at most *max_values* values; the rest is counted together.

    Which values are told apart is decided by rank: those in *known* before others, then the shorter text, then alphabetically. A value
    among the first of everything seen was among the first of every part of it, so counts are exact, and the same in whatever order
    parts are added and merged. About 900 bytes per value and eight per output; sums are of at most 2**31 rows.

    Args:
        threshold: Below it a confidence is low.
        max_values: At least 1.
        n_outputs: How many places there are for what the model said.
        known: Values that come first.
        called: What all others are called together, so that a value of that name is one of them; None: every value may be told apart.
    """

    __slots__ = ("_blocks", "_called", "_known", "_max_values", "_others", "threshold", "width")

    def __init__(
        self,
        threshold: float,
        max_values: int,
        n_outputs: int = 0,
        known: Collection[str] = (),
        called: str | None = None,
    ) -> None:
        self.threshold = threshold
        self._max_values = max_values
        self._known = frozenset(known)
        self._called = called
        self.width = _FIXED + n_outputs
        """Integers per value."""
        self._blocks: dict[str, IntArray] = {}
        self._others: IntArray | None = None

    def add(
        self,
        texts: TextColumn,
        scores: tuple[FloatArray, FloatArray, FloatArray],
        outputs: IntArray | None = None,
    ) -> None:
        """
        Count the rows that have a text.

        Args:
            texts: The value of each row.
            scores: Confidence, entropy and margin of each row, NaN where not said; what lies outside [0, 1] is not counted.
            outputs: Places of each row among the outputs, shape (k, n_rows); a place outside [0, n_outputs) is none.
        """
        if not len(texts.codes) or not texts.dictionary:
            return
        codes, values = texts.codes, texts.dictionary
        if len(values) > _FEW:
            codes, values = _occurring(texts)
        counted = np.zeros((len(values), self.width), dtype=np.int64)
        count = count_by_value if IS_COMPILED else _count_plain
        count(codes, scores, outputs, self.threshold, _GRID, counted)
        of_values = zip(values, counted, counted[:, _ROWS].tolist(), strict=True)
        self._add_blocks({value: block for value, block, rows in of_values if rows})

    def merge(self, other: ByValue) -> None:
        """
        Add what *other* counted.

        Raises:
            ValueError: If it counts `low` below another threshold, or outputs on other places.
        """
        if (self.threshold, self.width) != (other.threshold, other.width):
            raise ValueError(
                f"one counts {self.width - _FIXED} outputs and confidence below {self.threshold}, the other "
                f"{other.width - _FIXED} and below {other.threshold}; both must be alike"
            )
        self.add_counts(other._blocks, other._others)

    def add_counts(self, blocks: Mapping[str, IntArray], others: IntArray | None) -> None:
        """
        Add what `blocks` and `others` of another one hold.

        Raises:
            ValueError: If a block has another length.
        """
        every = [*blocks.values(), *([] if others is None else [others])]
        if wrong := [len(block) for block in every if len(block) != self.width]:
            raise ValueError(f"expected blocks of {self.width} integers, got {wrong[0]}")
        if others is not None:
            self._add_others(others)
        self._add_blocks(blocks)

    @property
    def blocks(self) -> Mapping[str, IntArray]:
        """By value, its integers, as `add_counts` takes them; not to be changed."""
        return self._blocks

    @property
    def others(self) -> IntArray | None:
        """The integers of all values that are not told apart; None where there are none."""
        return self._others

    @property
    def rest(self) -> ValueCounts | None:
        """What all values count that are not told apart; None where there are none."""
        return None if self._others is None else ValueCounts(self._others)

    @property
    def whole(self) -> ValueCounts:
        """What all rows that have a value count."""
        every = [*self._blocks.values(), *([] if self._others is None else [self._others])]
        none = np.zeros(self.width, dtype=np.int64)
        return ValueCounts(np.sum(every, axis=0) if every else none)

    def __iter__(self) -> Iterator[tuple[str, ValueCounts]]:
        """Yield each value that is told apart with what it counts, the most frequent first."""
        ranked = sorted(self._blocks, key=lambda value: (-int(self._blocks[value][_ROWS]), value))
        return ((value, ValueCounts(self._blocks[value])) for value in ranked)

    def __len__(self) -> int:
        return len(self._blocks)

    def _add_blocks(self, blocks: Mapping[str, IntArray]) -> None:
        for value, block in blocks.items():
            if len(value) > MAX_LABEL_LENGTH or value == self._called:
                self._add_others(block)
            elif value in self._blocks:
                self._blocks[value] += block
            else:
                self._blocks[value] = block.copy()
        if len(self._blocks) > self._max_values:
            for value in sorted(self._blocks, key=self._rank)[self._max_values :]:
                self._add_others(self._blocks.pop(value))

    def _add_others(self, block: IntArray) -> None:
        if self._others is None:
            self._others = np.zeros(self.width, dtype=np.int64)
        self._others += block

    def _rank(self, value: str) -> tuple[bool, int, str]:
        return (value not in self._known, len(value), value)


def _occurring(texts: TextColumn) -> tuple[IntArray, tuple[str, ...]]:
    """Return the texts of *texts* that any row has, and the code of each row among those."""
    seen = np.bincount(texts.codes + 1, minlength=len(texts.dictionary) + 1) > 0
    seen[0] = False  # of rows without a text
    codes = np.where(seen, np.cumsum(seen) - 1, -1)[texts.codes + 1]
    return codes, tuple(texts.dictionary[code] for code in (np.flatnonzero(seen) - 1).tolist())


def _count_plain(
    values: IntArray,
    scores: tuple[FloatArray, FloatArray, FloatArray],
    outputs: IntArray | None,
    threshold: float,
    grid: FloatArray,
    blocks: IntArray,
) -> None:
    """Count rows as `count_by_value` does."""
    rows = np.flatnonzero(values >= 0)
    codes = values[rows]
    blocks[:, _ROWS] = np.bincount(codes, minlength=len(blocks))
    for index, score in enumerate(scores):
        sure = in_unit(score[rows])
        said = ~np.isnan(sure)
        _add_score(blocks, codes[said], sure[said], index)
        if index == 0:
            _add_cells(blocks, codes[said], sure[said], threshold, grid)
    if outputs is not None and blocks.shape[1] > _FIXED:
        _add_outputs(blocks, codes, outputs[:, rows])


def _add_score(blocks: IntArray, codes: IntArray, sure: FloatArray, index: int) -> None:
    blocks[:, _MOMENTS + index] = np.bincount(codes, minlength=len(blocks))
    quanta = np.rint(sure * QUANTA)  # whole numbers: their sum is exact up to 2**53
    sums = np.bincount(codes, quanta, minlength=len(blocks))
    blocks[:, _MOMENTS + _MEANS + index] = sums.astype(np.int64)


def _add_cells(
    blocks: IntArray, codes: IntArray, sure: FloatArray, threshold: float, grid: FloatArray
) -> None:
    blocks[:, _LOW] = np.bincount(codes[sure < threshold], minlength=len(blocks))
    cells = np.searchsorted(grid, sure, side="left")
    places = np.bincount(codes * N_CELLS + cells, minlength=len(blocks) * N_CELLS)
    blocks[:, _CELLS:_FIXED] = places.reshape(len(blocks), N_CELLS)


def _add_outputs(blocks: IntArray, codes: IntArray, outputs: IntArray) -> None:
    n_outputs = blocks.shape[1] - _FIXED
    is_one = (outputs >= 0) & (outputs < n_outputs)
    flat = (codes * n_outputs + outputs)[is_one]
    places = np.bincount(flat, minlength=len(blocks) * n_outputs)
    blocks[:, _FIXED:] = places.reshape(len(blocks), n_outputs)
