"""How sure every prediction was, as one histogram per stream, with a trace to look at for each of its bars."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.metrics import DEFINITIONS, METRIC_ML_CONFIDENCE_SAMPLES
from otel_ml_processor.emit.points import Exemplar, NamedPoint, Point, stream_attributes
from otel_ml_processor.sketches.moments import in_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import FloatArray, IntArray, StreamKey
    from otel_ml_processor.windows.placed import PlacedRows

__all__ = ["ConfidenceSamples"]

_BOUNDARIES: Final = np.array(DEFINITIONS[METRIC_ML_CONFIDENCE_SAMPLES].boundaries)
_N_BUCKETS: Final = len(_BOUNDARIES) + 1


@dataclass(slots=True)
class _Counted:
    since_ns: int
    buckets: IntArray = field(default_factory=lambda: np.zeros(_N_BUCKETS, dtype=np.int64))
    total: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict)


class ConfidenceSamples:
    """
    Counts every confidence once, of at most *max_streams* streams; safe to use from any thread.

    A process that has been restarted counts anew, which its points say by their start time.
    """

    __slots__ = ("_clock_ns", "_lock", "_max_streams", "_since_ns", "_streams")

    def __init__(self, max_streams: int, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._max_streams = max_streams
        self._clock_ns = clock_ns
        self._since_ns = clock_ns()
        self._streams: dict[StreamKey, _Counted] = {}
        self._lock = threading.Lock()

    def add(self, counted: Sequence[PlacedRows], ids: NDArray[np.uint64]) -> None:
        """Count the rows of one request, whose spans have *ids* as `InferenceSpans.ids` has them; NaN and what is no probability is not counted."""
        for placed in counted:
            sure = in_unit(placed.rows.confidences)
            rows = np.flatnonzero(~np.isnan(sure))
            if len(rows):
                buckets = _BOUNDARIES.searchsorted(sure[rows], side="left")
                with self._lock:
                    self._count(placed, rows, sure, buckets, ids)

    def points(self) -> list[NamedPoint]:
        """Return one histogram per stream that has ever said a confidence, each with the newest sample of every bucket that has one."""
        with self._lock:
            return [
                NamedPoint(METRIC_ML_CONFIDENCE_SAMPLES, self._point(stream, counted))
                for stream, counted in self._streams.items()
            ]

    def forget(self, stream: StreamKey) -> None:
        """Say nothing more of *stream*; should it come again, it is counted anew."""
        with self._lock:
            self._streams.pop(stream, None)
            self._since_ns = self._clock_ns()

    def _point(self, stream: StreamKey, counted: _Counted) -> Point:
        return Point(
            stream_attributes(stream),
            counted.total,
            counted.since_ns,
            tuple(counted.buckets.tolist()),
            tuple(counted.exemplars[bucket] for bucket in sorted(counted.exemplars)),
        )

    def _count(
        self,
        placed: PlacedRows,
        rows: IntArray,
        sure: FloatArray,
        buckets: IntArray,
        ids: NDArray[np.uint64],
    ) -> None:
        stream = placed.rows.stream
        if stream not in self._streams and len(self._streams) >= self._max_streams:
            return
        counted = self._streams.setdefault(stream, _Counted(self._since_ns))
        counted.buckets += np.bincount(buckets, minlength=_N_BUCKETS)
        counted.total += float(sure[rows].sum())
        newest = np.full(_N_BUCKETS, -1)
        newest[buckets] = rows  # of several the last one stays
        for bucket in np.flatnonzero(newest >= 0).tolist():
            row = newest[bucket]
            trace_and_span = ids[placed.rows.spans[row]].astype("<u8").tobytes()
            if any(trace_and_span[:16]) and any(trace_and_span[16:]):
                counted.exemplars[bucket] = Exemplar(
                    value=float(sure[row]),
                    time_ns=int(placed.rows.end_times_ns[row]),
                    trace_id=trace_and_span[:16],
                    span_id=trace_and_span[16:],
                )
