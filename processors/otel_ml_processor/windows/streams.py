"""All streams: which windows a row belongs to, how event time passes, and what is counted when it does not fit."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.windows.disjoint import Parts, TimeWindows, windows_of
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_ml_processor.columns import IntArray, StreamKey
    from otel_ml_processor.config import StreamsConfig, WindowConfig
    from otel_ml_processor.sketches.label_counts import LabelCounts
    from otel_ml_processor.windows.disjoint import Closed, Windows
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference

__all__ = ["MAX_AHEAD_NS", "ClosedWindow", "Counts", "Streams", "Totals"]

MAX_AHEAD_NS: Final = 60_000_000_000
"""A span may end this far in the future (clocks differ); beyond it its end is taken to be now, and it does not move event time."""
_BEGINNING: Final = -(1 << 62)


class ClosedWindow(NamedTuple):
    """A closed window with the stream it belongs to and the reference it is compared with."""

    stream: StreamKey
    reference: Reference | None
    closed: Closed


@dataclass(slots=True)
class Counts:
    """What has happened to rows, cumulative: `late` and `clamped` by event time, `overflow` beyond the cap of streams."""

    late: int = 0
    clamped: int = 0
    overflow: int = 0


class Totals(NamedTuple):
    """What a stream has had since it was first seen: rows per predicted class, and rows of low confidence."""

    stream: StreamKey
    labels: Mapping[str, int]
    low_confidence: int


@dataclass(slots=True)
class _Stream:
    reference: Reference | None
    windows: list[Windows]
    new_summary: Callable[[], Summary]
    labels: LabelCounts
    low_confidence: int = 0
    newest_ns: int = _BEGINNING
    """Newest event time; less the lateness it is the watermark."""
    heard_ns: int = 0
    """When the last row came, by the clock."""
    closed: list[Closed] = field(default_factory=list)


class Streams:
    """
    Every stream's windows behind one lock; adding is one commit.

    Memory is at most `config.max` streams x window kinds x open windows (two or three each) x one `Summary`.
    """

    def __init__(
        self,
        config: StreamsConfig,
        windows: Sequence[WindowConfig],
        reference_of: Callable[[StreamKey], Reference | None],
        low_confidence: float | None = None,
    ) -> None:
        self._config = config
        self._windows = tuple(windows)
        self._reference_of = reference_of
        self._low_confidence = low_confidence
        self._streams: dict[StreamKey, _Stream] = {}
        self._lock = threading.Lock()
        self.counts = Counts()

    def add(self, batches: Sequence[PlacedRows], now_ns: int) -> None:
        """Add the rows of one request, all of them or (on an error) as many as there were before it."""
        with self._lock:
            for placed in batches:
                self._add(placed, now_ns)

    def close(self, now_ns: int) -> list[ClosedWindow]:
        """Return the windows that have been closed by rows or by time since the last call, per stream in order."""
        with self._lock:
            for stream in self._streams.values():
                watermark = self._watermark(stream, now_ns)
                for windows in stream.windows:
                    stream.closed += windows.close(watermark)
            return self._taken()

    def finish(self) -> list[ClosedWindow]:
        """Return all windows, closed or still open: the processor is about to stop."""
        with self._lock:
            for stream in self._streams.values():
                for windows in stream.windows:
                    stream.closed += windows.finish()
            return self._taken()

    def lag_s(self, now_ns: int) -> float:
        """Return how far behind the clock the event time of the slowest stream is, in seconds, >= 0; 0 without streams."""
        with self._lock:
            newest = [stream.newest_ns for stream in self._streams.values()]
        return max(0.0, (now_ns - min(newest)) / 1e9) if newest else 0.0

    def totals(self) -> list[Totals]:
        """Return the cumulative counts of every stream."""
        with self._lock:
            return [
                Totals(key, stream.labels.counts(), stream.low_confidence)
                for key, stream in self._streams.items()
            ]

    def _taken(self) -> list[ClosedWindow]:
        taken: list[ClosedWindow] = []
        for key, stream in self._streams.items():
            taken += [ClosedWindow(key, stream.reference, closed) for closed in stream.closed]
            stream.closed = []
        return taken

    def _add(self, placed: PlacedRows, now_ns: int) -> None:
        stream = self._stream(placed.rows.stream)
        if stream is None:
            self.counts.overflow += len(placed)
            return
        parts = Parts(placed, stream.new_summary)
        end_times_ns, watermarks_ns = self._times(stream, placed.rows.end_times_ns, now_ns)
        for windows in stream.windows:
            stream.closed += windows.add(parts, end_times_ns, watermarks_ns)
        stream.heard_ns = now_ns
        whole = parts.summary(0, len(placed))
        stream.labels.merge(whole.labels)
        stream.low_confidence += whole.scores.low
        self._count_late(stream)

    def _stream(self, key: StreamKey) -> _Stream | None:
        stream = self._streams.get(key)
        if stream is None and len(self._streams) < self._config.max:
            stream = self._streams[key] = self._new_stream(key)
        return stream

    def _new_stream(self, key: StreamKey) -> _Stream:
        reference = self._reference_of(key)

        def new() -> Summary:
            return Summary(reference, self._low_confidence)

        min_rows = self._config.min_rows
        windows = [windows_of(window, min_rows, new) for window in self._windows]
        return _Stream(reference, windows, new, new().labels)

    def _times(
        self, stream: _Stream, end_times_ns: IntArray, now_ns: int
    ) -> tuple[IntArray, IntArray]:
        """Return the rows' event times, and the watermark before each: later rows of a request must not make earlier ones late."""
        is_ahead = end_times_ns > now_ns + MAX_AHEAD_NS
        self.counts.clamped += int(is_ahead.sum())
        times = np.where(is_ahead, now_ns, end_times_ns)
        moving = np.where(is_ahead, _BEGINNING, times)
        newest = np.maximum.accumulate(np.concatenate([[stream.newest_ns], moving]))
        stream.newest_ns = int(newest[-1])
        return times, newest[:-1] - self._lateness_ns

    @property
    def _lateness_ns(self) -> int:
        return round(self._config.lateness * 1e9)

    def _watermark(self, stream: _Stream, now_ns: int) -> int:
        if now_ns - stream.heard_ns >= self._config.idle * 1e9:
            stream.newest_ns = max(stream.newest_ns, now_ns)
        return stream.newest_ns - self._lateness_ns

    def _count_late(self, stream: _Stream) -> None:
        # Once per row: what is late for a long window is late for a shorter one.
        timed = [windows for windows in stream.windows if isinstance(windows, TimeWindows)]
        self.counts.late += max((windows.late_rows for windows in timed), default=0)
        for windows in timed:
            windows.late_rows = 0
