"""Where the model fails: values of features among which errors, failed calls or low confidence are more frequent than elsewhere."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from scipy import special

from otel_ml_processor.compiled import IS_COMPILED, lean, plain
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.moments import in_unit
from otel_ml_processor.sketches.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_ml_processor.columns import BoolArray, FloatArray, IntArray, StreamKey
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference, TargetReference

__all__ = [
    "MAX_PATTERNS",
    "ErrorPatterns",
    "Failure",
    "Pattern",
    "PatternMemory",
    "describe_pattern",
    "ranked",
    "warm_patterns",
]

Failure = Literal["wrong", "failed", "low_confidence"]
"""`wrong` by a label that came later, `failed` of a call that raised, `low_confidence` as verdicts have it."""

MAX_PATTERNS: Final = 5
"""Values that are told of one kind of failure."""
_REMEMBERED: Final = 20_000
"""Rows after which the counts are halved, so that what was long ago is forgotten."""
_CERTAINTY: Final = 0.95
_SLOTS: Final = {
    Slot.MISSING: "missing",
    Slot.NON_FINITE: "not finite",
    Slot.UNSEEN: "unseen",
    Slot.TYPE_ERROR: "of a wrong type",
    Slot.BELOW_RANGE: "below the range of the reference",
    Slot.ABOVE_RANGE: "above the range of the reference",
}


class Pattern(NamedTuple):
    """
    Rows that have a value of a feature in common, of which more fail than of all.

    `rate` is the share of them that fail, `overall` that of all rows, `least` what the rate is at least, with a certainty of 95 % for all
    patterns that are told together.
    """

    failure: Failure
    feature: str
    where: str
    """Which value: `in (3.5, 4.5]`, `= UA`, `missing`."""
    rows: int
    rate: float
    least: float
    overall: float

    @property
    def lift(self) -> float:
        """How many times as often as on average rows fail here, above 1."""
        return self.rate / self.overall


class PatternMemory(NamedTuple):
    """What is remembered of one kind of failure of a stream: by place in the counts of the reference of that id, shape (n_counts,), and of all rows."""

    stream: StreamKey
    reference: str
    failure: Failure
    rows: IntArray
    hits: IntArray
    all_rows: int
    all_hits: int


@dataclass(slots=True)
class _Counts:
    """Rows, and those that fail, by place in the counts of a reference; `all_rows` and `all_hits` of all of them."""

    rows: IntArray
    hits: IntArray
    all_rows: int = 0
    all_hits: int = 0

    def add(self, places: IntArray, is_hit: BoolArray) -> None:
        """Count rows whose *places*, shape (k, n_rows), are in range or, where they say nothing, behind it."""
        if IS_COMPILED:
            _count(plain(places.astype(np.int64, copy=False)), plain(is_hit), self.rows, self.hits)
        else:
            self._add_plain(places, is_hit)
        self.all_rows += len(is_hit)
        self.all_hits += int(is_hit.sum())
        while self.all_rows > _REMEMBERED:
            self.rows >>= 1
            self.hits >>= 1
            self.all_rows >>= 1
            self.all_hits >>= 1

    def _add_plain(self, places: IntArray, is_hit: BoolArray) -> None:
        n_counts = len(self.rows)
        self.rows += np.bincount(places.ravel(), minlength=n_counts + 1)[:n_counts]
        self.hits += np.bincount(places[:, is_hit].ravel(), minlength=n_counts + 1)[:n_counts]


def warm_patterns() -> None:
    """Have the counting compiled, or read from where it was kept."""
    none = np.zeros((1, 0), dtype=np.int64)
    _Counts(none[0], none[0]).add(none, np.zeros(0, dtype=bool))


@lean
def _count(places: IntArray, is_hit: BoolArray, rows: IntArray, hits: IntArray) -> None:
    for line in places:
        for row, place in enumerate(line):
            if 0 <= place < len(rows):
                rows[place] += 1
                hits[place] += is_hit[row]


@dataclass(slots=True)
class _Stream:
    reference: Reference
    counts: dict[Failure, _Counts] = field(default_factory=dict)

    def of(self, failure: Failure) -> _Counts:
        n_counts = self.reference.n_counts
        if failure not in self.counts:
            self.counts[failure] = _Counts(*np.zeros((2, n_counts), dtype=np.int64))
        return self.counts[failure]


def _as_the_reference_says(_: StreamKey) -> None:
    """Say nothing of what a low confidence is."""


class ErrorPatterns:
    """
    What the last ten to twenty thousand rows of every stream with a reference say; safe to use from any thread.

    Memory is at most *max_streams* x three kinds x 16 bytes per count of the reference. *low_confidence_of* says below what a stream's confidence is low, None
    where the reference does.
    """

    __slots__ = ("_lock", "_low_confidence_of", "_max_streams", "_streams")

    def __init__(
        self,
        max_streams: int,
        low_confidence_of: Callable[[StreamKey], float | None] = _as_the_reference_says,
    ) -> None:
        self._max_streams = max_streams
        self._low_confidence_of = low_confidence_of
        self._streams: dict[StreamKey, _Stream] = {}
        self._lock = threading.Lock()

    def add(self, counted: Sequence[PlacedRows]) -> None:
        """Count the rows of one request: which calls failed, and which predictions are of low confidence."""
        with self._lock:
            for placed in counted:
                stream = self._stream(placed)
                if stream is not None:
                    self._add(stream, placed)

    def add_wrong(
        self, key: StreamKey, reference: Reference, places: IntArray, is_wrong: BoolArray
    ) -> None:
        """Count predictions whose truth is known; *places*, shape (n_features, n_rows), are those in the counts of *reference*."""
        with self._lock:
            stream = self._streams.get(key)
            if stream is not None and stream.reference is reference:
                stream.of("wrong").add(places, is_wrong)

    def of(self, key: StreamKey) -> tuple[Pattern, ...]:
        """Return where *key* fails more than elsewhere, by kind of failure, what is most certainly most frequent first."""
        with self._lock:
            stream = self._streams.get(key)
            if stream is None:
                return ()
            return tuple(
                pattern
                for failure, counts in stream.counts.items()
                for pattern in ranked(
                    failure, stream.reference, counts.rows, counts.hits, _overall(counts)
                )
            )

    def memories(self) -> list[PatternMemory]:
        """Return all that is remembered, for `recall`."""
        with self._lock:
            return [
                PatternMemory(
                    key,
                    stream.reference.id,
                    failure,
                    counts.rows.copy(),
                    counts.hits.copy(),
                    counts.all_rows,
                    counts.all_hits,
                )
                for key, stream in self._streams.items()
                for failure, counts in stream.counts.items()
            ]

    def recall(
        self,
        memories: Iterable[PatternMemory],
        reference_of: Callable[[StreamKey], Reference | None],
    ) -> None:
        """Remember what was remembered before, in place of what is; passed over is what was counted against another reference than that of *reference_of*."""
        with self._lock:
            for said in memories:
                reference = reference_of(said.stream)
                if reference is None or reference.id != said.reference:
                    continue
                stream = self._stream_of(said.stream, reference)
                if stream is not None:
                    stream.counts[said.failure] = _Counts(
                        said.rows, said.hits, said.all_rows, said.all_hits
                    )

    def forget(self, key: StreamKey) -> None:
        """Drop all that is remembered of a stream, so that there is room for another."""
        with self._lock:
            self._streams.pop(key, None)

    def _stream(self, placed: PlacedRows) -> _Stream | None:
        if placed.reference is None or not len(placed):
            return None
        return self._stream_of(placed.rows.stream, placed.reference)

    def _stream_of(self, key: StreamKey, reference: Reference) -> _Stream | None:
        stream = self._streams.get(key)
        if stream is None and len(self._streams) >= self._max_streams:
            return None
        if stream is None or stream.reference is not reference:
            stream = self._streams[key] = _Stream(reference)
        return stream

    def _add(self, stream: _Stream, placed: PlacedRows) -> None:
        places = placed.places[: len(stream.reference.features)]
        is_failed = placed.rows.is_failed
        if is_failed is None:
            is_failed = np.zeros(len(placed), dtype=bool)
        if "failed" in stream.counts or is_failed.any():
            stream.of("failed").add(places, is_failed)
        threshold = self._low_confidence_of(placed.rows.stream)
        threshold = stream.reference.low_confidence if threshold is None else threshold
        sure = in_unit(placed.rows.confidences)
        said = ~np.isnan(sure)
        if threshold is None or not said.any():
            return
        if not said.all():  # rows that do not say it are none of these
            places, sure = places[:, said], sure[said]
        stream.of("low_confidence").add(places, sure < threshold)


def ranked(
    failure: Failure, reference: Reference, rows: IntArray, hits: IntArray, overall: float
) -> list[Pattern]:
    """
    Return the values of features among which more rows fail than *overall*, the largest lower bound of the rate first, at most five.

    The bound is that of Clopper and Pearson, at a level that is divided by the number of values with rows: with a certainty of 95 % none that is told
    is there by chance, so that a value of three rows does not lead.

    Args:
        failure: What is counted.
        reference: Whose features, bins and categories are meant.
        rows: Per place in the counts of *reference*.
        hits: Those that failed.
        overall: Share of all rows that failed, in [0, 1].

    References:
        Clopper, C. J., Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated in the case of the binomial. Biometrika 26.
    """
    cells = [
        (target, place.start, cell)
        for target, place in zip(reference.features, reference.places, strict=False)
        for cell in range(place.stop - place.start)
    ]
    chosen = np.array([start + cell for _, start, cell in cells], dtype=np.int64)
    if not len(chosen) or overall <= 0:
        return []
    least = _least(rows[chosen], hits[chosen])
    order = np.argsort(-least, kind="stable")[:MAX_PATTERNS]
    return [
        Pattern(
            failure=failure,
            feature=cells[i][0].name,
            where=_where(cells[i][0], cells[i][2]),
            rows=int(rows[chosen[i]]),
            rate=float(hits[chosen[i]] / rows[chosen[i]]),
            least=float(least[i]),
            overall=overall,
        )
        for i in order.tolist()
        if least[i] > overall
    ]


def describe_pattern(pattern: Pattern) -> str:
    """Return *pattern* in words."""
    what = {
        "wrong": "wrong",
        "failed": "failed calls",
        "low_confidence": "low confidence",
    }[pattern.failure]
    return (
        f"{what} {pattern.lift:.2g} times as often as on average where {pattern.feature} {pattern.where} "
        f"({100 * pattern.rate:.3g} % of {pattern.rows}, at least {100 * pattern.least:.3g} %)"
    )


def _overall(counts: _Counts) -> float:
    return counts.all_hits / counts.all_rows if counts.all_rows else 0.0


def _least(rows: IntArray, hits: IntArray) -> FloatArray:
    """Return what each share is at least, for all of them together; 0 where nothing is hit."""
    tested = max(1, int(np.count_nonzero(rows)))
    level = (1 - _CERTAINTY) / tested
    some = np.maximum(hits, 1)
    bound = special.betaincinv(some, np.maximum(rows - some + 1, 1), level)
    return np.where(hits > 0, bound, 0.0)


def _where(target: TargetReference, cell: int) -> str:
    slot = cell - target.cells.n_cells
    if slot >= 0:
        return _SLOTS[Slot(slot)]
    if not isinstance(target.cells, Bins):
        names = target.cells.names
        return f"= {names[cell]}" if cell < len(names) else "is another known value"
    edges = target.cells.edges
    if not len(edges):
        return "has a value"
    if cell == 0:
        return f"<= {edges[0]:.4g}"
    if cell == len(edges):
        return f"> {edges[-1]:.4g}"
    return f"in ({edges[cell - 1]:.4g}, {edges[cell]:.4g}]"
