"""
Disjoint windows of one stream: by event time, or every so many rows.

Disjoint, because every window is tested once: looking at the same row in several windows would break the promised false-alarm rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.config import WindowConfig
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.summary import Summary

__all__ = ["Closed", "Parts", "RowWindows", "TimeWindows", "Windows", "windows_of"]


@dataclass(frozen=True, slots=True)
class Closed:
    """
    A window that no row will be added to.

    It covers the event time [start_ns, end_ns). Where it `is_sufficient` it is to be tested; otherwise its rows come again, as the
    beginning of the next window.
    """

    name: str
    start_ns: int
    end_ns: int
    summary: Summary
    is_sufficient: bool


class Parts:
    """Rows of one request, summarised in the parts that windows take: a part that several windows take is counted once."""

    __slots__ = ("_new", "_placed", "_summaries")

    def __init__(self, placed: PlacedRows, new: Callable[[], Summary]) -> None:
        self._placed = placed
        self._new = new
        self._summaries: dict[tuple[int, int], Summary] = {}

    def summary(self, begin: int, end: int) -> Summary:
        """Return what the rows in `[begin, end)` count; to be merged, not to be changed."""
        summary = self._summaries.get((begin, end))
        if summary is None:
            summary = self._summaries[begin, end] = self._new()
            summary.add(self._placed[begin:end])
        return summary


class Windows(Protocol):
    """Windows of one kind of one stream."""

    def add(self, parts: Parts, end_times_ns: IntArray, watermarks_ns: IntArray) -> list[Closed]:
        """Add all rows of *parts*; `watermarks_ns[i]` is the watermark before row i. Return what this closed, in order."""

    def close(self, watermark_ns: int) -> list[Closed]:
        """Return the windows that end at or before *watermark_ns*, which no longer take rows."""

    def finish(self) -> list[Closed]:
        """Return all open windows, whatever the time; nothing is added afterwards."""


class TimeWindows:
    """
    Windows of equal length of event time, starting at whole multiples of it since 1970.

    Open at once are at most (lateness + a minute) / length + 2 windows, since a row of a window that the watermark has passed is late.
    """

    __slots__ = ("_carried", "_length_ns", "_min_rows", "_name", "_new", "_open", "late_rows")

    def __init__(
        self, name: str, length_ns: int, min_rows: int, new: Callable[[], Summary]
    ) -> None:
        self._name = name
        self._length_ns = length_ns
        self._min_rows = min_rows
        self._new = new
        self._open: dict[int, Summary] = {}
        self._carried: tuple[int, Summary] | None = None
        self.late_rows = 0

    def add(self, parts: Parts, end_times_ns: IntArray, watermarks_ns: IntArray) -> list[Closed]:
        """Add the rows whose window is open; count the others as late."""
        starts = end_times_ns // self._length_ns * self._length_ns
        is_late = starts + self._length_ns <= watermarks_ns
        self.late_rows += int(is_late.sum())
        closed: list[Closed] = []
        for run in _runs(np.where(is_late, -1, starts)):
            start = int(starts[run.start])
            if not is_late[run.start]:
                closed += self.close(int(watermarks_ns[run.start]))
                self._summary(start).merge(parts.summary(run.start, run.stop))
        return closed

    def _summary(self, start_ns: int) -> Summary:
        summary = self._open.get(start_ns)
        if summary is None:
            summary = self._open[start_ns] = self._new()
        return summary

    def close(self, watermark_ns: int) -> list[Closed]:
        """Return the windows that end at or before *watermark_ns*, the earliest first."""
        starts = sorted(s for s in self._open if s + self._length_ns <= watermark_ns)
        return [self._closed(start) for start in starts]

    def finish(self) -> list[Closed]:
        """Return all open windows, the earliest first."""
        return [self._closed(start) for start in sorted(self._open)]

    def _closed(self, start_ns: int) -> Closed:
        summary, first_ns = self._open.pop(start_ns), start_ns
        if self._carried is not None:
            first_ns, carried = self._carried
            summary.merge(carried)
        is_sufficient = summary.rows >= self._min_rows
        self._carried = None if is_sufficient else (first_ns, summary)
        return Closed(self._name, first_ns, start_ns + self._length_ns, summary, is_sufficient)


class RowWindows:
    """Windows of exactly N rows in the order of arrival; event time only tells what they cover."""

    __slots__ = ("_covers", "_min_rows", "_name", "_new", "_size", "_summary")

    def __init__(self, name: str, size: int, min_rows: int, new: Callable[[], Summary]) -> None:
        self._name = name
        self._size = size
        self._min_rows = min_rows
        self._new = new
        self._summary = new()
        self._covers: tuple[int, int] | None = None

    def add(self, parts: Parts, end_times_ns: IntArray, _watermarks_ns: IntArray) -> list[Closed]:
        """Add every row; no row is late for a window that does not ask for the time."""
        closed: list[Closed] = []
        begin = 0
        while begin < len(end_times_ns):
            end = min(len(end_times_ns), begin + self._size - self._summary.rows)
            self._summary.merge(parts.summary(begin, end))
            self._cover(end_times_ns[begin:end])
            closed += self.finish() if self._summary.rows == self._size else []
            begin = end
        return closed

    def close(self, _watermark_ns: int) -> list[Closed]:
        """Return nothing: rows close these windows, time does not."""
        return []

    def finish(self) -> list[Closed]:
        """Return the open window, unless it is empty."""
        if self._covers is None:
            return []
        (start_ns, last_ns), summary = self._covers, self._summary
        self._covers, self._summary = None, self._new()
        return [Closed(self._name, start_ns, last_ns + 1, summary, summary.rows >= self._min_rows)]

    def _cover(self, end_times_ns: IntArray) -> None:
        first, last = int(end_times_ns.min()), int(end_times_ns.max())
        start, end = self._covers or (first, last)
        self._covers = min(start, first), max(end, last)


def windows_of(config: WindowConfig, min_rows: int, new: Callable[[], Summary]) -> Windows:
    """Return the empty windows that *config* describes; *new* makes an empty summary."""
    if config.rows is not None:
        return RowWindows(config.name, config.rows, min_rows, new)
    length_ns = round((config.length or 0) * 1e9)
    return TimeWindows(config.name, length_ns, min_rows, new)


def _runs(values: IntArray) -> Iterator[slice]:
    """Yield the slices of equal neighbours."""
    if not len(values):
        return
    cuts = np.flatnonzero(np.diff(values)) + 1
    bounds = [0, *cuts.tolist(), len(values)]
    for begin, end in pairwise(bounds):
        yield slice(begin, end)
