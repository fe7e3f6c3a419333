"""
How the samples of every feature fall into the bins of its reference: counters that add up over processors.

Windows say how far a distribution has moved; these say the distribution itself. A model that is spread over several processors has
windows in each, and only their counts, summed, are what one processor would have seen.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions import attributes as keys
from otel_ml_conventions import metrics as names
from otel_ml_processor.emit.points import NamedPoint, Point, stream_attributes, valid_text
from otel_ml_processor.windows.reference import N_CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from otel_ml_processor.columns import IntArray, StreamKey
    from otel_ml_processor.emit.points import Attributes
    from otel_ml_processor.windows.reference import Reference, TargetReference
    from otel_ml_processor.windows.streams import Increment

__all__ = ["POINTS_PER_FEATURE", "FeatureBins"]

POINTS_PER_FEATURE: Final = 2 * (N_CATEGORIES + 1)
"""At most: a count and a share of the reference for each bin; of categories all others are one more."""
_HALF: Final = 0.5
"""Added to every bin of the reference, as the PSI does, so that an empty one has a logarithm."""


@dataclass(frozen=True, slots=True)
class _Counted:
    reference: Reference
    since_ns: int
    counts: IntArray


class FeatureBins:
    """
    Samples per bin of every feature of every stream that has a reference, since its first one; safe to use from any thread.

    Only value bins: what is missing, not finite, unseen or of another type has metrics of its own. Nothing is kept over a restart: a counter
    that begins anew is what Prometheus expects of one.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._streams: dict[StreamKey, _Counted] = {}
        self._lock = threading.Lock()

    def add(self, increments: Iterable[Increment]) -> None:
        """Count what the rows of one request changed."""
        with self._lock:
            for increment in increments:
                whole = increment.whole
                if whole.reference is not None:
                    self._counted(increment.stream, whole.reference).counts[:] += whole.counts

    def forget(self, stream: StreamKey) -> None:
        """Say nothing more of *stream*."""
        with self._lock:
            self._streams.pop(stream, None)

    def points(self, max_features: int) -> list[NamedPoint]:
        """Return counts and shares of the reference, of the first *max_features* features of each stream."""
        with self._lock:
            streams = [(key, held, held.counts.copy()) for key, held in self._streams.items()]
        return [
            point
            for key, held, counts in streams
            for feature, place in zip(
                held.reference.features[:max_features], held.reference.places, strict=False
            )
            for point in _points(stream_attributes(key), feature, counts[place], held.since_ns)
        ]

    def _counted(self, stream: StreamKey, reference: Reference) -> _Counted:
        held = self._streams.get(stream)
        if held is None or held.reference.id != reference.id:
            # Bins of another reference are other bins: they begin at 0, and now.
            counts: IntArray = np.zeros(reference.n_counts, dtype=np.int64)
            held = self._streams[stream] = _Counted(reference, self._clock_ns(), counts)
        return held


def _points(
    where: Attributes, feature: TargetReference, counts: IntArray, since_ns: int
) -> Iterator[NamedPoint]:
    n_bins = feature.cells.n_cells
    smoothed = feature.counts[:n_bins] + _HALF
    shares = (smoothed / smoothed.sum()).tolist()
    named = (*where, (keys.ML_FEATURE_NAME, valid_text(feature.name)))
    for number, (count, share) in enumerate(zip(counts[:n_bins].tolist(), shares, strict=True)):
        about = (*named, (keys.ML_FEATURE_BIN, number))
        yield NamedPoint(names.METRIC_ML_FEATURE_SAMPLES, Point(about, count, since_ns))
        yield NamedPoint(names.METRIC_ML_FEATURE_REFERENCE, Point(about, share))
