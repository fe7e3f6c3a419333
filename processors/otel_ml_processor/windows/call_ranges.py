"""How much of what a model was asked has come: the numbers of its calls have gaps where sampling or a full queue left some out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.sketches.moments import QUANTA, in_unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_ml_processor.columns import InferenceColumns

__all__ = ["MAX_PROCESSES", "CallRange", "CallRanges", "WeightedConfidence"]

MAX_PROCESSES: Final = 64
"""Processes that are told apart; of more, those with the smallest of their random ids."""


class CallRange(NamedTuple):
    """
    What came of the calls of one process: the lowest and the highest number, how many, and how sure they were.

    `quanta` are those of `Moments`, of `said` rows with a confidence, `low` of them below the threshold.
    """

    lowest: int
    highest: int
    came: int
    said: int
    quanta: int
    low: int

    def with_range(self, other: CallRange) -> CallRange:
        """Return both together."""
        return CallRange(
            min(self.lowest, other.lowest),
            max(self.highest, other.highest),
            *(a + b for a, b in zip(self[2:], other[2:], strict=True)),
        )

    @property
    def weight(self) -> float:
        """
        How many calls each that came stands for, >= 1.

        The mean gap between their numbers, (highest - lowest) / (came - 1): what was left out before the first and behind the last
        is not seen. 1 of a single call.
        """
        if self.came <= 1:
            return 1.0
        return max(1.0, (self.highest - self.lowest) / (self.came - 1))


class WeightedConfidence(NamedTuple):
    """Mean confidence and share of low confidence over all calls, also over those that did not come."""

    mean: float
    low: float


class CallRanges:
    """
    The calls of at most `MAX_PROCESSES` processes; add in any parts, merge in any order: the same numbers.

    Which processes are kept is decided by their ids, which are random, so that those are a fair sample and were counted from their first call on.
    """

    __slots__ = ("by_process",)

    def __init__(self) -> None:
        self.by_process: dict[int, CallRange] = {}

    def add(self, rows: InferenceColumns, threshold: float) -> None:
        """Count the calls of *rows* that say their number; confidence below *threshold* is low."""
        if rows.calls is None:
            return
        is_first = np.ones(len(rows), dtype=bool)  # a call of many samples is one call
        is_first[1:] = rows.spans[1:] != rows.spans[:-1]
        # Rows of one process side by side, so that however many there are, each is one part of a sum.
        order = np.argsort(rows.calls[:, 0], kind="stable")
        order = order[rows.calls[order, 1] >= 0]
        if not len(order):
            return
        processes, numbers = rows.calls[order].T
        starts = np.concatenate([[0], np.flatnonzero(np.diff(processes)) + 1])
        confidences = in_unit(rows.confidences[order])
        is_said = ~np.isnan(confidences)
        quanta = np.rint(np.where(is_said, confidences, 0.0) * QUANTA).astype(np.int64)
        columns = (
            np.minimum.reduceat(numbers, starts),
            np.maximum.reduceat(numbers, starts),
            np.add.reduceat(is_first[order], starts, dtype=np.int64),
            np.add.reduceat(is_said, starts, dtype=np.int64),
            np.add.reduceat(quanta, starts),
            np.add.reduceat(confidences < threshold, starts, dtype=np.int64),
        )
        counted = zip(*(column.tolist() for column in columns), strict=True)
        self.add_ranges(zip(processes[starts].tolist(), map(CallRange._make, counted), strict=True))

    def merge(self, other: CallRanges) -> None:
        """Add what *other* counted."""
        self.add_ranges(other.by_process.items())

    def add_ranges(self, ranges: Iterable[tuple[int, CallRange]]) -> None:
        """Add the ranges of processes."""
        for process, counted in ranges:
            self._add(process, counted)
        self._cut()

    def received(self) -> float | None:
        """Return the share of the calls that came, in (0, 1]; None where none says its number."""
        ranges = self.by_process.values()
        came = sum(counted.came for counted in ranges)
        return came / sum(counted.came * counted.weight for counted in ranges) if came else None

    def confidence(self) -> WeightedConfidence | None:
        """Return the confidence over all calls, each process by its weight; None where all processes have the same, so that nothing is to be weighted."""
        ranges = [counted for counted in self.by_process.values() if counted.said]
        if len({counted.weight for counted in ranges}) <= 1:
            return None
        rows = sum(counted.said * counted.weight for counted in ranges)
        quanta = sum(counted.quanta * counted.weight for counted in ranges)
        low = sum(counted.low * counted.weight for counted in ranges)
        return WeightedConfidence(quanta / (rows * QUANTA), low / rows)

    @property
    def said(self) -> int:
        """Rows with a confidence whose call says its number."""
        return sum(counted.said for counted in self.by_process.values())

    def _add(self, process: int, counted: CallRange) -> None:
        before = self.by_process.get(process)
        self.by_process[process] = before.with_range(counted) if before else counted

    def _cut(self) -> None:
        for process in sorted(self.by_process)[MAX_PROCESSES:]:
            del self.by_process[process]
