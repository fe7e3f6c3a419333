"""When rows ended, and how far event time had passed before each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.columns import BoolArray, IntArray

__all__ = ["EventTimes"]

_BEGINNING: Final = -(1 << 62)


class EventTimes:
    """
    The event times of rows, one at least, in the order in which they came, and how event time passes with them.

    It is at `before_ns` before the first row, and at `newest_ns`, not below, after the last: each row takes it to its own time, if that is later.
    Nearly always all rows are of one pane and none is late; to see that it is enough to know the extremes.

    Args:
        times_ns: Shape (n_rows,).
        before_ns: Where event time is.
        is_ahead: Of rows that do not move it; None where all do.
    """

    __slots__ = ("_is_ahead", "before_ns", "first_ns", "last_ns", "newest_ns", "times_ns")

    def __init__(
        self, times_ns: IntArray, before_ns: int, is_ahead: BoolArray | None = None
    ) -> None:
        self.times_ns = times_ns
        self.before_ns = before_ns
        self._is_ahead = is_ahead
        self.first_ns = int(times_ns.min())
        """The earliest of the times."""
        self.last_ns = int(times_ns.max())
        """The latest of the times."""
        moved_ns = self.last_ns if is_ahead is None else int(self._moving().max())
        self.newest_ns = max(before_ns, moved_ns)

    def before_each_ns(self) -> IntArray:
        """Return where event time is before each row, shape (n_rows,): later rows of a request must not make earlier ones late."""
        newest = np.empty(len(self.times_ns), dtype=np.int64)
        newest[0], newest[1:] = self.before_ns, self._moving()[:-1]
        passed: IntArray = np.maximum.accumulate(newest)
        return passed

    def _moving(self) -> IntArray:
        if self._is_ahead is None:
            return self.times_ns
        return np.where(self._is_ahead, _BEGINNING, self.times_ns)
