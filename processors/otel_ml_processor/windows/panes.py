"""
Windows of time, each the sum of its panes: disjoint where anything is decided, sliding over the panes where numbers need only be fresh.

Looking at the same row in several tests would break the promised false-alarm rate; looking at it in several pictures does not.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.windows.disjoint import Closed, Open, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.config import WindowConfig
    from otel_ml_processor.windows.event_times import EventTimes
    from otel_ml_processor.windows.summary import Summary

__all__ = ["TimeWindows", "pane_length_ns"]

_DAY_NS: Final = 86_400_000_000_000
_PANES: Final = 12
_PANES_OF_A_DAY: Final = 24
_MAX_PANES: Final = 4096
"""Of one request and window: each has a summary until the next tick, and whoever sends chooses the times."""


def pane_length_ns(window: WindowConfig) -> int:
    """Return how long the panes of a window of time are: as configured, else its twelfth part, of a day or more the 24th, or near to it."""
    length_ns = round((window.length or 0) * 1e9)
    if window.pane is not None:
        return round(window.pane * 1e9)
    most = _PANES_OF_A_DAY if length_ns >= _DAY_NS else _PANES
    return length_ns // next(n for n in range(most, 0, -1) if length_ns % n == 0)


class TimeWindows:
    """
    Windows of equal length of event time, starting at whole multiples of it since 1970.

    Held are the panes of the window that is being filled, of the one before it where the lateness still allows, and those of the last closed
    one that a sliding window still reaches: with a lateness shorter than a pane at most two more than a window has.
    """

    __slots__ = (
        "_carried",
        "_last",
        "_length_ns",
        "_min_rows",
        "_new",
        "_pane_ns",
        "_panes",
        "_slid_ns",
        "late_rows",
        "name",
    )

    def __init__(
        self, name: str, length_ns: int, pane_ns: int, min_rows: int, new: Callable[[], Summary]
    ) -> None:
        self.name = name
        self._length_ns = length_ns
        self._pane_ns = pane_ns
        self._min_rows = min_rows
        self._new = new
        self._panes: dict[int, Summary] = {}
        self._last: dict[int, Summary] = {}
        self._carried: tuple[int, Summary] | None = None
        self._slid_ns = 0
        self.late_rows = 0

    def plan(self, times: EventTimes, lateness_ns: int) -> list[Step]:
        """Return where the rows go whose window is open, in the newest 4096 panes that there are rows of; count the others as late."""
        pane_ns = times.first_ns // self._pane_ns * self._pane_ns
        whole = self._step(slice(0, len(times.times_ns)), pane_ns, times.before_ns - lateness_ns)
        is_of_one_pane = times.last_ns < pane_ns + self._pane_ns
        if is_of_one_pane and whole.end_ns > times.newest_ns - lateness_ns:
            return [whole]  # the common case: none is late, for event time never falls
        end_times_ns, watermarks_ns = times.times_ns, times.before_each_ns() - lateness_ns
        panes = end_times_ns // self._pane_ns * self._pane_ns
        is_late = self._start(panes) + self._length_ns <= watermarks_ns
        is_late |= panes < _earliest(panes[~is_late])
        self.late_rows += int(is_late.sum())
        return [
            self._step(run, int(panes[run.start]), int(watermarks_ns[run.start]))
            for run in _runs(np.where(is_late, -1, panes))
            if not is_late[run.start]
        ]

    def _start(self, time_ns: IntArray) -> IntArray:
        return time_ns // self._length_ns * self._length_ns

    def _step(self, run: slice, pane_ns: int, watermark_ns: int) -> Step:
        start_ns = pane_ns // self._length_ns * self._length_ns
        return Step(
            run.start,
            run.stop,
            start_ns,
            start_ns + self._length_ns,
            closed_until_ns=watermark_ns,
            pane_ns=pane_ns,
        )

    def take(self, step: Step, summary: Summary) -> list[Closed]:
        """Close what is to be closed before, and add *summary* to the pane of *step*."""
        closed = self.close(step.closed_until_ns)
        self._pane(step.pane_ns).merge(summary)
        return closed

    def _pane(self, start_ns: int) -> Summary:
        """Return a pane that rows can be added to."""
        pane = self._panes.get(start_ns)
        if pane is None or pane.is_at_rest:
            pane = self._panes[start_ns] = self._new() if pane is None else pane.copy()
        return pane

    def close(self, watermark_ns: int) -> list[Closed]:
        """Return the windows that end at or before *watermark_ns*, the earliest first."""
        first_ns = min(self._panes, default=watermark_ns) // self._length_ns * self._length_ns
        if first_ns + self._length_ns > watermark_ns:
            return []  # the common case
        return [self._closed(s) for s in self._starts() if s + self._length_ns <= watermark_ns]

    def finish(self) -> list[Closed]:
        """Return all open windows, the earliest first."""
        return [self._closed(start) for start in self._starts()]

    def slide(self, watermark_ns: int) -> Closed | None:
        """Return the sum of the panes that end with the last one before *watermark_ns* and are together as long as a window."""
        end_ns = watermark_ns // self._pane_ns * self._pane_ns
        if end_ns == self._slid_ns:
            return None
        self._slid_ns, start_ns = end_ns, end_ns - self._length_ns
        self._last = {at: pane for at, pane in self._last.items() if at >= start_ns}
        panes = [*self._last.items(), *self._panes.items()]
        reached = [pane for at, pane in panes if start_ns <= at < end_ns]
        for pane in reached:
            pane.rest()  # few rows come so late; those find it awake again
        if end_ns % self._length_ns == 0:
            return None
        summary = self._sum(reached)
        if summary.rows < self._min_rows:
            return None
        return Closed(self.name, start_ns, end_ns, summary, is_sufficient=True)

    @property
    def extent(self) -> str:
        """The lengths of a window and of a pane in nanoseconds."""
        return f"{self._length_ns} ns in panes of {self._pane_ns} ns"

    def open_windows(self) -> list[Open]:
        """Return copies of the panes that no window has been closed with, the earliest first; others are only there for `slide`."""
        return [Open(at, at + self._pane_ns, self._panes[at].copy()) for at in sorted(self._panes)]

    def carried(self) -> Open | None:
        """Return a copy of what is carried into the next window."""
        if self._carried is None:
            return None
        first_ns, summary = self._carried
        return Open(first_ns, first_ns, summary.copy())

    def absorb(self, opened: Sequence[Open], carried: Open | None) -> list[Closed]:
        """Merge pane by pane; time closes windows, later."""
        for pane in opened:
            self._pane(pane.start_ns).merge(pane.summary)
        if carried is not None:
            first_ns, summary = self._carried or (carried.start_ns, self._new())
            both = summary.copy()  # the one that was there is also that of a closed window
            both.merge(carried.summary)
            self._carried = min(first_ns, carried.start_ns), both
        return []

    def _starts(self) -> list[int]:
        """Return where the windows begin that have a pane, the earliest first."""
        return sorted({pane // self._length_ns * self._length_ns for pane in self._panes})

    def _closed(self, start_ns: int) -> Closed:
        end_ns, first_ns = start_ns + self._length_ns, start_ns
        self._last = {at: self._panes.pop(at) for at in sorted(self._panes) if at < end_ns}
        summary = self._sum(self._last.values())
        if self._carried is not None:
            carried_ns, carried = self._carried
            first_ns = min(first_ns, carried_ns)  # not what is carried, where event time went back
            summary.merge(carried)
        is_sufficient = summary.rows >= self._min_rows
        self._carried = None if is_sufficient else (first_ns, summary)
        return Closed(self.name, first_ns, end_ns, summary, is_sufficient)

    def _sum(self, panes: Iterable[Summary]) -> Summary:
        summary = self._new()
        for pane in panes:
            summary.merge(pane)
        return summary


def _earliest(panes: IntArray) -> int:
    """Return the earliest of *panes* in which rows of one request are counted."""
    distinct = np.unique(panes)
    return int(distinct[-_MAX_PANES]) if len(distinct) > _MAX_PANES else 0


def _runs(values: IntArray) -> Iterator[slice]:
    """Yield the slices of equal neighbours."""
    if not len(values):
        return
    cuts = np.flatnonzero(np.diff(values)) + 1
    bounds = [0, *cuts.tolist(), len(values)]
    for begin, end in pairwise(bounds):
        yield slice(begin, end)
