"""Since when cumulative points are counted, on a clock that may be put back."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.emit.points import NamedPoint

__all__ = ["Beginnings"]


class Beginnings:
    """
    Beginnings that the clock, put back, has yet to reach: they are when that was first seen, and stay so.

    A point may not begin after its own time. Nor may its beginning move on: that would say that it was counted anew. Safe to use from any thread.
    """

    __slots__ = ("_lock", "_moved")

    def __init__(self) -> None:
        self._moved: dict[int, int] = {}
        self._lock = threading.Lock()

    def reached(self, points: Sequence[NamedPoint], now_ns: int) -> list[NamedPoint]:
        """Return *points*, all that there are at *now_ns*, none of which begins later than that."""
        starts = {each.point.start_ns for each in points}
        with self._lock:
            moved = self._moved = {
                start: min(self._moved.get(start, now_ns), now_ns)
                for start in starts
                if start > now_ns or start in self._moved
            }
        return [_begun(each, moved) for each in points] if moved else list(points)


def _begun(named: NamedPoint, moved: dict[int, int]) -> NamedPoint:
    start_ns = moved.get(named.point.start_ns)
    if start_ns is None:
        return named
    return named._replace(point=replace(named.point, start_ns=start_ns))
