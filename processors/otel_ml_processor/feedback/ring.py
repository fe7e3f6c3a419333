"""The predictions that labels may still come for: what was said, how sure, and in which windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.feedback.keys import NO_KEY

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.feedback.keys import Keys

__all__ = ["JoinRing", "Prediction", "Predictions"]

_FIRST_ROWS: Final = 1024
_FULL_AFTER_EXPIRY: Final = 0.75
"""Where expired predictions make no more room than that, half of the others go."""


class Predictions(NamedTuple):
    """
    Predictions to be kept, arrays of shape (n,) and `windows` (n, n_windows).

    `keys` and `names` find them, `NO_KEY` where there is none. `labels` are numbers that the caller knows the meaning of, -1 for none;
    `streams` and `windows` likewise.
    """

    keys: Keys
    names: Keys
    times_ns: IntArray
    labels: IntArray
    confidences: FloatArray
    values: FloatArray
    streams: IntArray
    windows: IntArray


class Prediction(NamedTuple):
    """One of them, found; NaN where confidence or value was not said."""

    row: int
    time_ns: int
    label: int
    confidence: float
    value: float
    stream: int
    windows: tuple[int, ...]


class JoinRing:
    """
    Predictions by key, at most *capacity* of them.

    When it is full those that ended more than *horizon_ns* before the newest go first; where that is not enough, half of all keys are
    no longer kept, by a bit of the key: which ones says nothing about what was predicted or how long its label takes. Each prediction
    that is found then stands for `weight` of them, so sums over labels stay unbiased.
    """

    __slots__ = ("_arrays", "_capacity", "_flags", "_halvings", "_horizon_ns", "_row_of", "_rows")

    def __init__(self, capacity: int, n_windows: int, horizon_ns: int) -> None:
        self._capacity = capacity
        self._horizon_ns = horizon_ns
        self._halvings = 0
        self._rows = 0
        self._row_of: dict[int, int] = {}
        size = min(capacity, _FIRST_ROWS)
        self._arrays = Predictions(
            keys=np.zeros(size, np.uint64),
            names=np.zeros(size, np.uint64),
            times_ns=np.zeros(size, np.int64),
            labels=np.zeros(size, np.int32),
            confidences=np.zeros(size),
            values=np.zeros(size),
            streams=np.zeros(size, np.int32),
            windows=np.zeros((size, n_windows), np.int32),
        )
        self._flags = np.zeros(size, np.uint8)

    def __len__(self) -> int:
        return self._rows

    @property
    def weight(self) -> int:
        """How many predictions each that is found stands for, 1 until the ring was full."""
        return 1 << self._halvings

    @property
    def newest_ns(self) -> int:
        """The newest end of a prediction; 0 without any."""
        return int(self._arrays.times_ns[: self._rows].max(initial=0))

    def keeps(self, key: int) -> bool:
        """Return whether a prediction with *key* would be kept."""
        return key >> (64 - self._halvings) == 0 if self._halvings else True

    def add(self, new: Predictions) -> None:
        """Keep *new*; of several with the same key the first."""
        begin = 0
        while begin < len(new.keys):
            part = Predictions(*(column[begin : begin + self._capacity // 4 + 1] for column in new))
            begin += len(part.keys)
            part = self._sampled(part)
            if self._rows + len(part.keys) > self._capacity:
                self._make_room(len(part.keys), int(part.times_ns.max()))
                part = self._sampled(part)
            self._append(part)

    def find(self, key: int) -> Prediction | None:
        """Return the prediction that *key* leads to."""
        row = self._row_of.get(key)
        if row is None:
            return None
        own = [column[row] for column in self._arrays]
        return Prediction(
            row=row,
            time_ns=int(own[2]),
            label=int(own[3]),
            confidence=float(own[4]),
            value=float(own[5]),
            stream=int(own[6]),
            windows=tuple(own[7].tolist()),
        )

    def is_expired(self, prediction: Prediction, now_ns: int) -> bool:
        """Return whether a label at *now_ns* comes too late for it."""
        return now_ns - prediction.time_ns > self._horizon_ns

    def mark(self, prediction: Prediction, flag: int) -> bool:
        """Set *flag* (1, 2, 4 ...) of *prediction*; return whether it was set before. To be called before anything is added."""
        before = int(self._flags[prediction.row])
        self._flags[prediction.row] = before | flag
        return bool(before & flag)

    def _sampled(self, new: Predictions) -> Predictions:
        if not self._halvings or not len(new.keys):
            return new
        return Predictions(*(column[self._is_kept(new)] for column in new))

    def _is_kept(self, these: Predictions) -> np.ndarray:
        primary = np.where(these.names != NO_KEY, these.names, these.keys)
        kept: np.ndarray = primary >> np.uint64(64 - self._halvings) == 0
        return kept

    def _make_room(self, n_new: int, newest_ns: int) -> None:
        self._keep(self._times() >= max(newest_ns, self.newest_ns) - self._horizon_ns)
        while self._rows and self._rows + n_new > self._capacity * _FULL_AFTER_EXPIRY:
            self._halvings += 1
            self._keep(self._is_kept(Predictions(*(c[: self._rows] for c in self._arrays))))

    def _times(self) -> IntArray:
        times: IntArray = self._arrays.times_ns[: self._rows]
        return times

    def _keep(self, is_kept: np.ndarray) -> None:
        rows = np.flatnonzero(is_kept)
        for column in (*self._arrays, self._flags):
            column[: len(rows)] = column[rows]
        self._rows = len(rows)
        self._row_of = {}
        self._index(0, self._rows)

    def _append(self, new: Predictions) -> None:
        begin, end = self._rows, self._rows + len(new.keys)
        self._grow(end)
        for column, values in zip(self._arrays, new, strict=True):
            column[begin:end] = values
        self._flags[begin:end] = 0
        self._rows = end
        self._index(begin, end)

    def _grow(self, rows: int) -> None:
        size = len(self._flags)
        if rows <= size:
            return
        more = min(self._capacity, max(rows, 2 * size)) - size
        grown = [np.concatenate([c, np.zeros((more, *c.shape[1:]), c.dtype)]) for c in self._arrays]
        self._arrays = Predictions(*grown)
        self._flags = np.concatenate([self._flags, np.zeros(more, np.uint8)])

    def _index(self, begin: int, end: int) -> None:
        for column in (self._arrays.keys, self._arrays.names):
            for key, row in zip(column[begin:end].tolist(), range(begin, end), strict=True):
                if key != NO_KEY:
                    self._row_of.setdefault(key, row)
