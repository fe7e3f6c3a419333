"""The counts of a stream's last windows: when did it change?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.statistics.change_time import change_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.assess.reading import WindowSpan
    from otel_ml_processor.columns import IntArray

__all__ = ["MAX_WINDOWS", "ChangeMoment", "RecentWindows"]

MAX_WINDOWS: Final = 36
"""Windows that are kept; with 24 cells and slots per feature, 3.5 kB per feature."""


class ChangeMoment(NamedTuple):
    """
    When something most likely changed, in nanoseconds since 1970: the beginning of the first window after the change.

    With a likelihood of 90 % it lies between `earliest_ns` and `latest_ns`: where in a window it happened is not known, so the window
    before and the one after a likely boundary are in it.
    """

    at_ns: int
    earliest_ns: int
    latest_ns: int


class _Pane(NamedTuple):
    span: WindowSpan
    counts: NDArray[np.uint32]


class RecentWindows:
    """The last windows of one name of one stream, at most `MAX_WINDOWS`, each with all its counts in four bytes apiece."""

    __slots__ = ("_panes", "added")

    def __init__(self) -> None:
        self._panes: deque[_Pane] = deque(maxlen=MAX_WINDOWS)
        self.added = 0
        """How many have been added so far: the number of the last one, from 1 on."""

    def add(self, span: WindowSpan, counts: IntArray) -> None:
        """Keep the *counts* of a window; where their number is another one, the reference is too, and what was kept is let go."""
        if self._panes and len(self._panes[-1].counts) != len(counts):
            self._panes.clear()
        self._panes.append(_Pane(span, counts.astype(np.uint32)))
        self.added += 1

    def changed(self, place: slice, after: int = 0) -> ChangeMoment | None:
        """
        Return when the counts at *place* changed, as the windows behind number *after* tell; None where fewer than two have rows.

        Args:
            place: Where in a window's counts those of one column lie.
            after: Number of the last window that belongs to an earlier change.
        """
        first = max(0, after - (self.added - len(self._panes)))
        panes = list(self._panes)[first:]
        if not panes:
            return None
        found = change_time(np.array([pane.counts[place] for pane in panes], dtype=np.int64))
        if found is None:
            return None
        return ChangeMoment(
            at_ns=panes[found.pane].span.start_ns,
            earliest_ns=panes[found.earliest - 1].span.start_ns,
            latest_ns=panes[found.latest].span.end_ns,
        )
