"""How sure every prediction was, as one histogram per stream, with a trace to look at for each of its bars."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.metrics import DEFINITIONS, METRIC_ML_CONFIDENCE_SAMPLES
from otel_ml_processor.compiled import IS_COMPILED, compiled, plain
from otel_ml_processor.emit.points import Exemplar, NamedPoint, Point, stream_attributes
from otel_ml_processor.sketches.moments import ROUNDING, in_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import FloatArray, InferenceColumns, IntArray, StreamKey
    from otel_ml_processor.windows.placed import PlacedRows

__all__ = ["ConfidenceSamples", "warm_confidences"]

_BOUNDARIES: Final = np.array(DEFINITIONS[METRIC_ML_CONFIDENCE_SAMPLES].boundaries)
_N_BUCKETS: Final = len(_BOUNDARIES) + 1
_LEAST, _MOST = -ROUNDING, 1 + ROUNDING
_STEPS: Final = 1000
_BUCKET_NEAR: Final = _BOUNDARIES.searchsorted(np.arange(_STEPS + 1) / _STEPS, side="left")
"""The bucket in which, or next to which, a confidence is that is near to so many thousandths."""


@dataclass(slots=True)
class _Counted:
    """Samples by bucket, their sum, and of each bucket the newest one that can be looked up: its confidence, time and ids (by word), 0 where there is none."""

    since_ns: int
    buckets: IntArray = field(default_factory=lambda: np.zeros(_N_BUCKETS, dtype=np.int64))
    total: float = 0.0
    sure: FloatArray = field(default_factory=lambda: np.zeros(_N_BUCKETS))
    times_ns: IntArray = field(default_factory=lambda: np.zeros(_N_BUCKETS, dtype=np.int64))
    words: NDArray[np.uint64] = field(
        default_factory=lambda: np.zeros((3, _N_BUCKETS), dtype=np.uint64)
    )

    def exemplars(self) -> tuple[Exemplar, ...]:
        """Return the newest samples, by bucket."""
        ids = self.words.T.astype("<u8")
        return tuple(
            Exemplar(
                value=float(self.sure[bucket]),
                time_ns=int(self.times_ns[bucket]),
                trace_id=ids[bucket, :2].tobytes(),
                span_id=ids[bucket, 2:].tobytes(),
            )
            for bucket in np.flatnonzero(self.words[2]).tolist()
        )


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
        with self._lock:
            for placed in counted:
                stream = placed.rows.stream
                held = self._streams.get(stream)
                if held is None and len(self._streams) >= self._max_streams:
                    continue
                held = held or _Counted(self._since_ns)
                if _count(held, placed.rows, ids):
                    self._streams[stream] = held

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
            counted.exemplars(),
        )


def _count(held: _Counted, rows: InferenceColumns, ids: NDArray[np.uint64]) -> bool:
    """Add *rows*, whose spans have *ids*; return whether any of them says how sure it is."""
    newest = np.full(_N_BUCKETS, -1, dtype=np.int64)
    in_buckets = _in_buckets if IS_COMPILED else _in_buckets_plain
    n_said, total = in_buckets(
        plain(rows.confidences), _BOUNDARIES, _BUCKET_NEAR, held.buckets, newest
    )
    if not n_said:
        return False
    held.total += total
    _show(
        newest,
        (plain(rows.spans), plain(rows.confidences), plain(rows.end_times_ns)),
        plain(ids.T),
        (held.sure, held.times_ns, held.words),
    )
    return True


def warm_confidences() -> None:
    """Have the counting compiled, or read from where it was kept."""
    none = np.zeros(0, dtype=np.int64)
    _in_buckets(np.zeros(0), _BOUNDARIES, _BUCKET_NEAR, none, none)
    words = np.zeros((3, 0), dtype=np.uint64)
    _show(none, (none, np.zeros(0), none), words, (np.zeros(0), none, words))


@compiled
def _in_buckets(
    confidences: FloatArray,
    boundaries: FloatArray,
    bucket_near: IntArray,
    buckets: IntArray,
    newest: IntArray,
) -> tuple[int, float]:
    """Count *confidences* in *buckets*, closed on the right, note the last row of each in *newest*, and return how many they are, and their sum."""
    n_said, total = 0, 0.0
    for row, confidence in enumerate(confidences):
        if not _LEAST <= confidence <= _MOST:  # nor is NaN
            continue
        inside = min(max(confidence, 0.0), 1.0)
        bucket = bucket_near[int(inside * _STEPS)]
        while bucket > 0 and boundaries[bucket - 1] >= inside:
            bucket -= 1
        while bucket < len(boundaries) and boundaries[bucket] < inside:
            bucket += 1
        buckets[bucket] += 1
        newest[bucket] = row
        n_said += 1
        total += inside
    return n_said, total


def _in_buckets_plain(
    confidences: FloatArray,
    boundaries: FloatArray,
    _bucket_near: IntArray,
    buckets: IntArray,
    newest: IntArray,
) -> tuple[int, float]:
    """Do as `_in_buckets` does."""
    sure = in_unit(confidences)
    rows = np.flatnonzero(~np.isnan(sure))
    found = boundaries.searchsorted(sure[rows], side="left")
    buckets += np.bincount(found, minlength=len(buckets))
    newest[found] = rows  # of several the last one stays
    return len(rows), float(sure[rows].sum())


@compiled
def _show(
    newest: IntArray,
    columns: tuple[IntArray, FloatArray, IntArray],
    words: NDArray[np.uint64],
    held: tuple[FloatArray, IntArray, NDArray[np.uint64]],
) -> None:
    """Write what is shown of the rows *newest*, one by bucket (so few that it needs no plain twin), into what is *held*: of those that *columns* and the *words* of their spans lead to."""
    spans, confidences, times_ns = columns
    sure, held_times_ns, held_words = held
    for bucket, row in enumerate(newest):
        if row < 0:
            continue
        span = spans[row]
        if words[2, span] == 0 or (words[0, span] == 0 and words[1, span] == 0):
            continue
        sure[bucket] = min(max(confidences[row], 0.0), 1.0)
        held_times_ns[bucket] = times_ns[row]
        held_words[:, bucket] = words[:, span]
