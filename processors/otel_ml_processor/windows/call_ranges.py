"""
How much of what a model was asked has come.

A sampler may have said how many calls each that it let through stands for; and the numbers of calls have gaps where sampling or a full queue left some out.
"""

from __future__ import annotations

import math
from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.sketches.moments import QUANTA, in_unit
from otel_ml_processor.windows.adjusted_counts import (
    ONE,
    Adjusted,
    Outcomes,
    RowFacts,
    adjusted_by_process,
)
from otel_ml_processor.windows.fast_call_ranges import count_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_ml_processor.columns import BoolArray, InferenceColumns, IntArray

__all__ = ["MAX_PROCESSES", "CallRange", "CallRanges", "WeightedConfidence"]

MAX_PROCESSES: Final = 64
"""Processes that are told apart; of more, those with the smallest of their random ids."""


class CallRange(NamedTuple):
    """
    What came of the calls of one process: the lowest and the highest number, how many, and how sure they were.

    `quanta` are those of `Moments`, of `said` rows with a confidence, `low` of them below the threshold; rows whose sampler has said how many they
    stand for are not among these, but `adjusted`.
    """

    lowest: int
    highest: int
    came: int
    said: int
    quanta: int
    low: int
    adjusted: Adjusted = Adjusted()

    def with_range(self, other: CallRange) -> CallRange:
        """Return both together."""
        return CallRange(
            lowest=min(self.lowest, other.lowest),
            highest=max(self.highest, other.highest),
            came=self.came + other.came,
            said=self.said + other.said,
            quanta=self.quanta + other.quanta,
            low=self.low + other.low,
            adjusted=self.adjusted.plus(other.adjusted) if any(other.adjusted) else self.adjusted,
        )

    @property
    def numbered(self) -> float:
        """
        How many calls there were as their numbers tell, at least as many as came.

        The mean gap between them, (highest - lowest) / (came - 1), for each: what was left out before the first and behind the last
        is not seen. 1 of a single call.
        """
        if self.came <= 1:
            return self.came
        return self.came * max(1.0, (self.highest - self.lowest) / (self.came - 1))

    @property
    def weight(self) -> float:
        """
        How many calls each stands for that is not adjusted, >= 1; 1 where all are.

        These share what the numbers tell, less what the adjusted ones stand for.
        """
        plain = self.came - self.adjusted.calls
        return max(1.0, (self.numbered - self.adjusted.all_calls / ONE) / plain) if plain else 1.0

    @property
    def calls(self) -> float:
        """How many calls there were: what the adjusted ones stand for, and the others."""
        return self.adjusted.all_calls / ONE + self.weight * (self.came - self.adjusted.calls)

    def over_all(self) -> tuple[float, float, float]:
        """Return what the rows with a confidence stand for, as `Adjusted.over_all` does."""
        plain = (self.weight * fact for fact in (self.said, self.quanta, self.low))
        rows, quanta, low = map(add, self.adjusted.over_all(), plain)
        return rows, quanta, low


class WeightedConfidence(NamedTuple):
    """Mean confidence and share of low confidence over all calls, also over those that did not come."""

    mean: float
    low: float


class CallRanges:
    """
    The calls of at most `MAX_PROCESSES` processes; add in any parts, merge in any order: the same numbers.

    Which processes are kept is decided by their ids, which are random, so that those are a fair sample and were counted from their first call on.
    """

    __slots__ = ("by_process", "failed", "outcomes", "unnumbered")

    def __init__(self) -> None:
        self.by_process: dict[int, CallRange] = {}
        self.unnumbered = Adjusted()
        """Of calls that do not say their number."""
        self.outcomes = Outcomes()
        """Of the rows of all calls that are adjusted."""
        self.failed = 0
        """Rows of calls that failed, and say no low confidence besides."""

    def add(self, rows: InferenceColumns, threshold: float) -> None:
        """Count the calls of *rows* that say their number, or how many they stand for; confidence below *threshold* is low."""
        if rows.is_failed is not None:
            is_low = in_unit(rows.confidences) < threshold
            self.failed += int(np.count_nonzero(rows.is_failed & ~is_low))
        if rows.calls is None and rows.thresholds is None:
            return
        if IS_COMPILED and rows.calls is not None and rows.thresholds is None:
            counted = count_calls(
                rows.spans, rows.calls, rows.confidences, threshold, MAX_PROCESSES
            )
            self.add_ranges(
                (process, CallRange(low, high, came, said, quanta, n_low))
                for process, low, high, came, said, quanta, n_low in counted
            )
            return
        facts = _facts(rows, threshold)
        if rows.calls is not None:
            processes, numbers = rows.calls.T
            self.add_ranges(_ranges(processes, numbers, facts, rows.thresholds))
        else:
            processes, numbers = np.tile([[0], [-1]], len(rows))
        if rows.thresholds is not None:
            self._adjust(processes, numbers >= 0, rows.thresholds, facts)

    def merge(self, other: CallRanges) -> None:
        """Add what *other* counted."""
        self.add_ranges(other.by_process.items())
        if other.outcomes.rows:  # nothing is adjusted without
            self.unnumbered = self.unnumbered.plus(other.unnumbered)
            self.outcomes = self.outcomes.plus(other.outcomes)
        self.failed += other.failed

    def add_ranges(self, ranges: Iterable[tuple[int, CallRange]]) -> None:
        """Add the ranges of processes."""
        for process, counted in ranges:
            self._add(process, counted)
        if len(self.by_process) > MAX_PROCESSES:
            self._cut()

    def received(self) -> float | None:
        """
        Return the share of the calls that came, in (0, 1]; None where none says its number, nor how many it stands for.

        The smaller one of what samplers say and of what the numbers tell: a sampler knows nothing of what was lost behind it, and the numbers
        nothing of what was left out before the first and behind the last.
        """
        ranges = self.by_process.values()
        came = self.unnumbered.calls + sum(counted.came for counted in ranges)
        if not came:
            return None
        unnumbered = self.unnumbered.all_calls / ONE
        # Exact sums, or the order in which processes came would show in the last digit.
        said = math.fsum(counted.calls for counted in ranges)
        told = math.fsum(counted.numbered for counted in ranges)
        return came / (unnumbered + max(said, told))

    def confidence(self) -> WeightedConfidence | None:
        """
        Return the confidence over all calls, each row by how many calls it stands for.

        None where all processes have the same gaps and no row is adjusted, so that nothing is to be weighted.
        """
        ranges = [counted for counted in self.by_process.values() if counted.said]
        adjusted = [self.unnumbered, *(counted.adjusted for counted in self.by_process.values())]
        if len({counted.weight for counted in ranges}) <= 1 and not any(a.said for a in adjusted):
            return None
        parts = [self.unnumbered.over_all(), *(c.over_all() for c in self.by_process.values())]
        rows, quanta, low = map(math.fsum, zip(*parts, strict=True))
        return WeightedConfidence(quanta / (rows * QUANTA), low / rows)

    @property
    def said(self) -> int:
        """Rows with a confidence of which it is known how many calls they stand for."""
        adjusted = sum(counted.adjusted.said for counted in self.by_process.values())
        return self.unnumbered.said + adjusted + sum(c.said for c in self.by_process.values())

    def _adjust(
        self, processes: IntArray, is_numbered: BoolArray, thresholds: IntArray, facts: RowFacts
    ) -> None:
        for is_known in (True, False):
            at = np.flatnonzero((thresholds >= 0) & (is_numbered == is_known))
            of_rows = processes[at], thresholds[at], facts.of(at)
            for process, adjusted, outcomes in adjusted_by_process(*of_rows):
                self.outcomes = self.outcomes.plus(outcomes)
                if not is_known:
                    self.unnumbered = self.unnumbered.plus(adjusted)
                elif (counted := self.by_process.get(process)) is not None:
                    total = counted.adjusted.plus(adjusted)
                    self.by_process[process] = counted._replace(adjusted=total)

    def _add(self, process: int, counted: CallRange) -> None:
        before = self.by_process.get(process)
        self.by_process[process] = before.with_range(counted) if before else counted

    def _cut(self) -> None:
        for process in sorted(self.by_process)[MAX_PROCESSES:]:
            del self.by_process[process]


def _facts(rows: InferenceColumns, threshold: float) -> RowFacts:
    is_first = np.ones(len(rows), dtype=bool)  # a call of many samples is one call
    is_first[1:] = rows.spans[1:] != rows.spans[:-1]
    confidences = in_unit(rows.confidences)
    is_said = ~np.isnan(confidences)
    quanta = np.rint(np.where(is_said, confidences, 0.0) * QUANTA).astype(np.int64)
    is_low = confidences < threshold
    is_bad = is_low if rows.is_failed is None else is_low | rows.is_failed
    return RowFacts(is_first, is_said, quanta, is_low, is_bad)


def _ranges(
    processes: IntArray, numbers: IntArray, facts: RowFacts, thresholds: IntArray | None
) -> Iterator[tuple[int, CallRange]]:
    """Yield what came of each process; rows that are adjusted say nothing of confidence here."""
    # Rows of one process side by side, so that however many there are, each is one part of a sum.
    order = np.argsort(processes, kind="stable")
    order = order[numbers[order] >= 0]
    if not len(order):
        return
    processes, numbers, mine = processes[order], numbers[order], facts.of(order)
    is_plain = True if thresholds is None else thresholds[order] < 0
    starts = np.concatenate([[0], np.flatnonzero(np.diff(processes)) + 1])
    columns = (
        np.minimum.reduceat(numbers, starts),
        np.maximum.reduceat(numbers, starts),
        np.add.reduceat(mine.is_first, starts, dtype=np.int64),
        np.add.reduceat(mine.is_said & is_plain, starts, dtype=np.int64),
        np.add.reduceat(mine.quanta * is_plain, starts),
        np.add.reduceat(mine.is_low & is_plain, starts, dtype=np.int64),
    )
    for process, *counted in zip(
        processes[starts].tolist(), *(column.tolist() for column in columns), strict=True
    ):
        yield process, CallRange(*counted)
