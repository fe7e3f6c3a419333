"""
Disjoint windows of one stream: by event time, or every so many rows.

Disjoint, because every window is tested once: looking at the same row in several windows would break the promised false-alarm rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.windows.event_times import EventTimes
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.summary import Summary

__all__ = ["Closed", "Open", "Parts", "RowWindows", "Step", "Windows"]


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


@dataclass(frozen=True, slots=True)
class Open:
    """A window, or a pane of one, that may still take rows, and the event time [start_ns, end_ns) it covers so far."""

    start_ns: int
    end_ns: int
    summary: Summary


@dataclass(frozen=True, slots=True)
class Step:
    """
    What windows of one kind do with the rows `[begin, end)` of a request.

    Windows of time first close those that end at or before `closed_until_ns`, then the rows go into the pane that begins at `pane_ns`, of
    the window that covers [start_ns, end_ns). Windows of rows take them, whose event times lie in [start_ns, end_ns), and where it `completes` one, close it.
    """

    begin: int
    end: int
    start_ns: int
    end_ns: int
    closed_until_ns: int = 0
    completes: bool = False
    pane_ns: int = 0


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

    def summaries(self) -> Mapping[tuple[int, int], Summary]:
        """Return every part that has been asked for, by where it begins and ends; not to be changed."""
        return self._summaries


class Windows(Protocol):
    """
    Windows of one kind of one stream.

    What is to be done with rows is planned first and then done, so that it can be written down and done again.
    """

    name: str

    def plan(self, times: EventTimes, lateness_ns: int) -> list[Step]:
        """Return what to do with rows, in order; the watermark is as much as *lateness_ns* behind event time. Nothing is taken yet."""

    def take(self, step: Step, summary: Summary) -> list[Closed]:
        """Do *step*, whose rows count *summary*; return what this closed, in order."""

    def close(self, watermark_ns: int) -> list[Closed]:
        """Return the windows that end at or before *watermark_ns*, which no longer take rows."""

    def finish(self) -> list[Closed]:
        """Return all open windows, whatever the time; nothing is added afterwards."""

    def slide(self, watermark_ns: int) -> Closed | None:
        """
        Return a window that ends with the last pane before *watermark_ns*, for fresh numbers; never to be tested.

        None where that pane has been told, is the last of a window that is closed anyway, or there are too few rows.
        """

    @property
    def extent(self) -> str:
        """How much one window holds: two kinds with the same can be merged."""

    def open_windows(self) -> list[Open]:
        """Return copies of the windows that are open, or of their panes, the earliest first."""

    def carried(self) -> Open | None:
        """Return a copy of the rows that had too few for a window of their own and wait for the next."""

    def absorb(self, opened: Sequence[Open], carried: Open | None) -> list[Closed]:
        """Merge what windows of the same extent had; return what this closed."""


class RowWindows:
    """Windows of exactly N rows in the order of arrival; event time only tells what they cover."""

    __slots__ = ("_covers", "_min_rows", "_new", "_size", "_summary", "name")

    def __init__(self, name: str, size: int, min_rows: int, new: Callable[[], Summary]) -> None:
        self.name = name
        self._size = size
        self._min_rows = min_rows
        self._new = new
        self._summary = new()
        self._covers: tuple[int, int] | None = None

    def plan(self, times: EventTimes, _lateness_ns: int) -> list[Step]:
        """Return how every row fills the windows; none is late for a window that does not ask for the time."""
        end_times_ns = times.times_ns
        steps: list[Step] = []
        begin, room = 0, self._size - self._summary.rows
        while begin < len(end_times_ns):
            end = min(len(end_times_ns), begin + room)
            covered = end_times_ns[begin:end]
            completes = end - begin == room
            covers = _earliest(covered), int(covered.max()) + 1
            steps.append(Step(begin, end, *covers, completes=completes))
            begin, room = end, self._size
        return steps

    def take(self, step: Step, summary: Summary) -> list[Closed]:
        """Add *summary* to the open window, and close it where *step* completes it."""
        self._add(step.start_ns, step.end_ns, summary)
        return self.finish() if step.completes else []

    def close(self, _watermark_ns: int) -> list[Closed]:
        """Return nothing: rows close these windows, time does not."""
        return []

    def finish(self) -> list[Closed]:
        """Return the open window, unless it is empty."""
        if self._covers is None:
            return []
        (start_ns, end_ns), summary = self._covers, self._summary
        self._covers, self._summary = None, self._new()
        return [Closed(self.name, start_ns, end_ns, summary, summary.rows >= self._min_rows)]

    def slide(self, _watermark_ns: int) -> None:
        """Return nothing: these windows have no panes."""

    @property
    def extent(self) -> str:
        """The number of rows."""
        return f"{self._size} rows"

    def open_windows(self) -> list[Open]:
        """Return a copy of the open window, unless it is empty."""
        return [Open(*self._covers, self._summary.copy())] if self._covers is not None else []

    def carried(self) -> None:
        """Return nothing: a window of rows is closed when it has enough of them."""

    def absorb(self, opened: Sequence[Open], carried: Open | None) -> list[Closed]:  # noqa: ARG002 - nothing is carried here
        """Merge the open windows; one that is full, or more than full, is closed."""
        for window in opened:
            self._add(window.start_ns, window.end_ns, window.summary)
        return self.finish() if self._summary.rows >= self._size else []

    def _add(self, start_ns: int, end_ns: int, summary: Summary) -> None:
        first_ns, last_ns = self._covers or (start_ns, end_ns)
        self._covers = min(first_ns or start_ns, start_ns or first_ns), max(last_ns, end_ns)
        self._summary.merge(summary)


def _earliest(times_ns: IntArray) -> int:
    """Return the earliest of *times_ns*; 0, of a span that does not say when it ended, only where no other says it."""
    first_ns = int(times_ns.min())
    return first_ns or int(times_ns.min(where=times_ns > 0, initial=times_ns.max()))
