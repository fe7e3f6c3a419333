"""Traces that show a drift: a few inferences of every window are kept, and of an alarm those that the reference hardly had."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.assess.reading import Change
    from otel_ml_processor.columns import FloatArray, IntArray, StreamKey
    from otel_ml_processor.config import WindowConfig
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.streams import ClosedWindow
    from otel_ml_processor.windows.summary import Summary

__all__ = ["MAX_EXAMPLES", "Examples"]

MAX_EXAMPLES: Final = 5
"""Traces that an alarm names."""
_PER_WINDOW: Final = 64
"""Inferences that are kept of a window, evenly over its length; of time windows at most one per request."""
_WINDOWS: Final = 3
"""While one closes, rows of the next are here already."""


class _Kept(NamedTuple):
    """One row: its trace, its event time, and where in the block of counts of its reference its targets are counted."""

    trace_id: str
    time_ns: int
    reference_id: str
    places: NDArray[np.int32]


@dataclass(slots=True)
class _Ring:
    """The rows that are kept for windows of one kind, how many there have been, and the event time of the last one kept."""

    kept: deque[_Kept] = field(default_factory=lambda: deque(maxlen=_PER_WINDOW * _WINDOWS))
    rows: int = 0
    last_ns: int = 0


class Examples:
    """
    A few rows of the last windows of every stream that has a reference; safe to use from any thread.

    Memory is at most *max_streams* x window kinds x 192 rows, of four bytes per target each. Not kept over a restart.
    """

    def __init__(self, windows: Sequence[WindowConfig], max_streams: int) -> None:
        self._windows = {window.name: window for window in windows}
        self._max_streams = max_streams
        self._rings: dict[StreamKey, dict[str, _Ring]] = {}
        self._lock = threading.Lock()

    def note(self, batches: Sequence[PlacedRows], ids: NDArray[np.uint64]) -> None:
        """Keep a few of the rows of one request, whose spans have *ids* as `InferenceSpans.ids` has them."""
        with self._lock:
            for placed in batches:
                rings = self._rings_of(placed)
                for name, ring in rings.items():
                    for row in _due(ring, self._windows[name], placed.rows.end_times_ns):
                        ring.kept.append(_kept(placed, row, ids))

    def of(self, window: ClosedWindow, change: Change) -> tuple[str, ...]:
        """
        Return up to five trace ids in hexadecimal of rows of *window* that lie where it has more rows than the reference.

        Of the first target that changed; those come first that the reference has fewest of.
        """
        ring = self._rings.get(window.stream, {}).get(window.closed.name)
        if ring is None or window.reference is None:
            return ()
        first = next(iter((*change.targets, *change.slow)), None)
        if first is None:  # of segments alone: no feature is remarkable
            return ()
        keys = [(target.target, target.name) for target in window.reference.targets]
        if (first.target, first.name) not in keys:
            return ()  # no single row shows a correlation
        index = keys.index((first.target, first.name))
        excess = _excess(window.closed.summary, window.reference, index)
        with self._lock:
            rows = [
                (float(excess[kept.places[index]]), kept.trace_id)
                for kept in ring.kept
                if kept.reference_id == window.reference.id
                and window.closed.start_ns <= kept.time_ns < window.closed.end_ns
            ]
        shown = [trace_id for more, trace_id in sorted(rows, reverse=True) if more > 1 and trace_id]
        return tuple(dict.fromkeys(shown))[:MAX_EXAMPLES]

    def forget(self, stream: StreamKey) -> None:
        """Drop the rows of *stream*, so that there is room for those of another."""
        with self._lock:
            self._rings.pop(stream, None)

    def _rings_of(self, placed: PlacedRows) -> dict[str, _Ring]:
        stream = placed.rows.stream
        if placed.reference is None or not len(placed):
            return {}
        if stream not in self._rings and len(self._rings) < self._max_streams:
            self._rings[stream] = {name: _Ring() for name in self._windows}
        return self._rings.get(stream, {})


def _due(ring: _Ring, window: WindowConfig, times_ns: IntArray) -> list[int]:
    """Return which of the next rows are to be kept."""
    if window.rows is not None:
        spacing = max(1, window.rows // _PER_WINDOW)
        rows = range(-ring.rows % spacing, len(times_ns), spacing)
        ring.rows += len(times_ns)
        return list(rows)
    row = len(times_ns) - 1
    # To either side: a time that is far ahead must not be the last one that is kept.
    since_ns = abs(int(times_ns[row]) - ring.last_ns)
    if since_ns < round((window.length or 0) * 1e9) // _PER_WINDOW:
        return []
    ring.last_ns = int(times_ns[row])
    return [row]


def _kept(placed: PlacedRows, row: int, ids: NDArray[np.uint64]) -> _Kept:
    trace = ids[placed.rows.spans[row], :2]
    return _Kept(
        trace_id=trace.astype("<u8").tobytes().hex() if trace.any() else "",
        time_ns=int(placed.rows.end_times_ns[row]),
        reference_id=placed.reference.id if placed.reference is not None else "",
        places=placed.places[:, row].astype(np.int32),
    )


def _excess(summary: Summary, reference: Reference, index: int) -> FloatArray:
    """Return for every position in the block of counts how many times more frequent it is than in the reference; 0 of other targets."""
    place, target = reference.places[index], reference.targets[index]
    rows = slice(place.start, place.stop + N_EXCLUSIVE - N_SLOTS)
    before, now = target.counts[: N_EXCLUSIVE - N_SLOTS], summary.counts[rows]
    expected = (before + 0.5) / (before.sum() + 0.5 * len(before))
    excess = np.zeros(reference.n_counts + 1)  # the last is that of rows that say nothing
    excess[rows] = now / max(1, int(now.sum())) / expected
    return excess
