"""
What rows stand for whose sampler has said how many spans each that it let through stands for.

All sums are of integers, so that added in any parts and merged in any order they are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_processor.columns import BoolArray, IntArray

__all__ = ["ONE", "Adjusted", "Outcomes", "RowFacts", "adjusted_by_process"]

ONE: Final = 1 << 16
"""An adjusted count of 1: each is rounded down to a part of it."""
_SPACE: Final = 1 << 56


class RowFacts(NamedTuple):
    """Of rows, shape (n,) each: whether it is the first of its call, has a confidence, the quanta of that (as `Moments`, 0 without), is low, is low or failed."""

    is_first: BoolArray
    is_said: BoolArray
    quanta: IntArray
    is_low: BoolArray
    is_bad: BoolArray

    def of(self, rows: IntArray) -> RowFacts:
        """Return the facts of some *rows*."""
        return RowFacts(*(fact[rows] for fact in self))  # type: ignore[arg-type]  # each stays of its own type


class Adjusted(NamedTuple):
    """
    Sums over the rows of calls that have an adjusted count: `calls` of them came, `said` rows had a confidence.

    The others are of each row times its adjusted count, in parts of `ONE`: calls, rows with a confidence, quanta of that, rows with a low one.
    """

    calls: int = 0
    said: int = 0
    all_calls: int = 0
    all_said: int = 0
    quanta: int = 0
    low: int = 0

    def plus(self, other: Adjusted) -> Adjusted:
        """Return both together."""
        return Adjusted(*(a + b for a, b in zip(self, other, strict=True)))

    def over_all(self) -> tuple[float, float, float]:
        """Return what the rows with a confidence stand for: their number, their quanta, and the number of low ones."""
        return self.all_said / ONE, self.quanta / ONE, self.low / ONE


class Outcomes(NamedTuple):
    """
    How the outcomes of rows depend on what these stand for: `rows` and the `bad` of them, low or failed, that have an adjusted count.

    `weights`, `squares` and `bad_weights` are sums of adjusted counts in parts of `ONE`, over these rows, squared, and over the bad.
    """

    rows: int = 0
    bad: int = 0
    weights: int = 0
    squares: int = 0
    bad_weights: int = 0

    def plus(self, other: Outcomes) -> Outcomes:
        """Return both together."""
        return Outcomes(*(a + b for a, b in zip(self, other, strict=True)))


def adjusted_by_process(
    processes: IntArray, thresholds: IntArray, facts: RowFacts
) -> Iterator[tuple[int, Adjusted, Outcomes]]:
    """Yield the sums over rows of like process and like threshold (0 to 2**56 - 1), for each such pair that occurs."""
    if not len(processes):
        return
    order = np.lexsort((thresholds, processes))
    processes, thresholds = processes[order], thresholds[order]
    is_new = (np.diff(processes) != 0) | (np.diff(thresholds) != 0)
    starts = np.concatenate([[0], np.flatnonzero(is_new) + 1])
    rows = np.diff(np.append(starts, len(order))).tolist()
    sums = (np.add.reduceat(fact[order], starts, dtype=np.int64).tolist() for fact in facts)
    pairs = processes[starts].tolist(), thresholds[starts].tolist()
    for process, threshold, n, calls, said, quanta, low, bad in zip(
        *pairs, rows, *sums, strict=True
    ):
        weight = ONE * _SPACE // (_SPACE - threshold)  # of any size, as Python's integers are
        adjusted = Adjusted(
            calls, said, weight * calls, weight * said, weight * quanta, weight * low
        )
        yield process, adjusted, Outcomes(n, bad, weight * n, weight**2 * n, weight * bad)
