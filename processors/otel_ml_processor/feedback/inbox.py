"""What requests leave behind for the next tick: nothing is read or looked up while a request waits."""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.decode.fast_search import occurs
from otel_ml_processor.decode.said import FEEDBACK_MARK, OF_ROWS, Said
from otel_ml_processor.signals import Signal
from otel_ml_processor.windows.divided import segment_column
from otel_ml_processor.windows.streams import MAX_AHEAD_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import FloatArray, IntArray, StreamKey, TextColumn
    from otel_ml_processor.decode.inference_spans import InferenceSpans
    from otel_ml_processor.windows.disjoint import Step
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.streams import Increment

__all__ = [
    "MAX_HEARD_BYTES",
    "CountedRows",
    "Heard",
    "Inbox",
    "Taken",
    "counted_rows",
    "places_of_features",
]

MAX_HEARD_BYTES: Final = 64 << 20
"""Bytes of requests with feedback that wait for the next tick; further ones are dropped and counted."""


class CountedRows(NamedTuple):
    """
    Rows of one stream that were counted, arrays of shape (n_rows,), and into which windows they went.

    `ids` are those of all spans of the request, `spans` the rows' positions among them. `content` has the bytes of the spans where there is more
    to be read of them: prediction ids, or how large a batch was.
    """

    stream: StreamKey
    ids: NDArray[np.uint64]
    spans: IntArray
    end_times_ns: IntArray
    labels: TextColumn
    confidences: FloatArray
    values: FloatArray
    steps: Mapping[str, Sequence[Step]]
    content: InferenceSpans | None
    places: IntArray | None = None
    """Where the features are counted, shape (n_features, n_rows); None without a reference."""
    reference: Reference | None = None
    """What the rows were compared with."""
    segments: Mapping[str, TextColumn] = MappingProxyType({})
    """What divides the rows, by name of the attribute."""


class Heard(NamedTuple):
    """A request in which there may be feedback."""

    signal: Signal
    request: bytes
    caller: str = ""
    """The tenant that a header named."""


class Taken(NamedTuple):
    """What came between two ticks; for `dropped` rows and requests with feedback there was no room."""

    rows: list[CountedRows]
    heard: list[Heard]
    dropped: int


class Inbox:
    """
    Holds at most *max_rows* rows and `MAX_HEARD_BYTES` of requests between two ticks; safe to use from any thread.

    *segments* are the attributes that divide the rows.
    """

    __slots__ = (
        "_bytes",
        "_dropped",
        "_heard",
        "_lock",
        "_max_rows",
        "_rows",
        "_rows_held",
        "_segments",
    )

    def __init__(self, max_rows: int, segments: Sequence[str] = ()) -> None:
        self._max_rows = max_rows
        self._segments = tuple(segments)
        self._lock = threading.Lock()
        self._rows: list[CountedRows] = []
        self._rows_held = 0
        self._heard: list[Heard] = []
        self._bytes = 0
        self._dropped = 0

    def hear(self, signal: Signal, request: bytes, caller: str = "") -> None:
        """Hold *request* where there may be feedback in it."""
        if occurs(FEEDBACK_MARK, request):
            self._hear(signal, request, caller)

    def hear_spans(self, spans: InferenceSpans, caller: str = "") -> None:
        """Do the same with the request that *spans* are of."""
        if spans.said & Said.FEEDBACK:
            self._hear(Signal.TRACES, spans.request, caller)

    def _hear(self, signal: Signal, request: bytes, caller: str) -> None:
        with self._lock:
            if self._bytes + len(request) > MAX_HEARD_BYTES:
                self._dropped += 1
                return
            self._heard.append(Heard(signal, request, caller))
            self._bytes += len(request)

    def remember(
        self,
        spans: InferenceSpans,
        counted: Sequence[PlacedRows],
        increments: Sequence[Increment],
    ) -> None:
        """Hold the rows of a request that were counted, and what each part of them changed; parts without rows changed nothing."""
        parts = [placed for placed in counted if len(placed)]
        for placed, increment in zip(parts, increments, strict=True):
            rows = placed.rows
            if increment.stream != rows.stream:  # there was no room for it
                continue
            held = counted_rows(spans, placed, increment.steps)
            held = held._replace(end_times_ns=_not_ahead(rows.end_times_ns, increment.heard_ns))
            if self._segments:
                segments = {name: segment_column(rows, name) for name in self._segments}
                held = held._replace(segments=segments)
            self._hold(held)

    def taken(self) -> Taken:
        """Return what is held, each in the order in which it came, and hold it no more."""
        with self._lock:
            taken = Taken(self._rows, self._heard, self._dropped)
            self._rows, self._heard = [], []
            self._rows_held = self._bytes = self._dropped = 0
        return taken

    def forget(self, stream: StreamKey) -> None:
        """Hold the rows of *stream* no more."""
        with self._lock:
            self._rows = [rows for rows in self._rows if rows.stream != stream]
            self._rows_held = sum(len(rows.spans) for rows in self._rows)

    def _hold(self, rows: CountedRows) -> None:
        with self._lock:
            if self._rows_held + len(rows.spans) > self._max_rows:
                self._dropped += len(rows.spans)
                return
            self._rows.append(rows)
            self._rows_held += len(rows.spans)


def _not_ahead(end_times_ns: IntArray, now_ns: int) -> IntArray:
    """Return *end_times_ns* as windows take them: one that is too far in the future is now, or all other predictions would be old beside it."""
    is_ahead = end_times_ns > now_ns + MAX_AHEAD_NS
    return np.where(is_ahead, now_ns, end_times_ns) if is_ahead.any() else end_times_ns


def counted_rows(
    spans: InferenceSpans, placed: PlacedRows, steps: Mapping[str, Sequence[Step]]
) -> CountedRows:
    """Return the rows of one stream in a request, one at least, which took *steps* and are of *spans*; their segments are not looked up."""
    rows = placed.rows
    return CountedRows(
        stream=rows.stream,
        ids=spans.ids,
        spans=rows.spans,
        end_times_ns=rows.end_times_ns,
        labels=rows.labels,
        confidences=rows.confidences,
        values=rows.values,
        steps=steps,
        content=spans if spans.said & OF_ROWS else None,
        places=places_of_features(placed),
        reference=placed.reference,
    )


def places_of_features(placed: PlacedRows) -> IntArray | None:
    """Return where the features of rows are counted; None without a reference."""
    if placed.reference is None:
        return None
    return placed.places[: len(placed.reference.features)]
