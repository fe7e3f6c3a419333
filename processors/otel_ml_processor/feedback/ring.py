"""The predictions that labels may still come for: what was said, how sure, and in which windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from otel_ml_processor.feedback.keys import NO_KEY
from otel_ml_processor.feedback.sorted_keys import SortedKeys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_ml_processor.columns import BoolArray

__all__ = ["JoinRing", "Prediction", "Predictions", "empty_predictions"]

Predictions = NDArray[np.void]
"""
Predictions to be kept, a record array of shape (n,), see `empty_predictions`.

`key` and `name` find one, `NO_KEY` where there is none. `label` is a number that the caller knows the meaning of, -1 for none; `stream`,
`windows`, `serial` and `segments` likewise. NaN in `confidence` and `value` is not said.
"""
_FIRST_ROWS: Final = 1024
_FULL_AFTER_EXPIRY: Final = 0.75
"""Where what has expired makes no more room than that, half of the others go."""
_KEY_BITS: Final = 64


def empty_predictions(n: int, n_windows: int, n_segments: int = 0) -> Predictions:
    """Return *n* records of zeros."""
    fields: list[Any] = [
        ("key", np.uint64),
        ("name", np.uint64),
        ("time_ns", np.int64),
        ("confidence", np.float64),
        ("value", np.float64),
        ("label", np.int32),
        ("stream", np.int32),
        ("windows", np.int32, (n_windows,)),
        ("serial", np.int64),
        ("segments", np.int16, (n_segments,)),
        ("flags", np.uint8),
    ]
    return np.zeros(n, dtype=fields)


class Prediction(NamedTuple):
    """One that was found, and its place in the ring."""

    row: int
    time_ns: int
    label: int
    confidence: float
    value: float
    stream: int
    windows: tuple[int, ...]
    serial: int
    segments: tuple[int, ...]


class JoinRing:
    """
    Predictions by key, at most *capacity* of them.

    When it is full those that ended more than *horizon_ns* before the newest go first; where that is not enough, half of all keys are
    no longer kept, by a bit of the key: which ones says nothing about what was predicted or how long its label takes. Each prediction
    that is found then stands for `weight` of them, so sums over labels stay unbiased.
    """

    __slots__ = ("_capacity", "_halvings", "_horizon_ns", "_kept", "_keys", "_n", "_newest_ns")

    def __init__(self, capacity: int, n_windows: int, horizon_ns: int, n_segments: int = 0) -> None:
        self._capacity = capacity
        self._horizon_ns = horizon_ns
        self._halvings = 0
        self._newest_ns = 0
        self._n = 0
        self._kept = empty_predictions(min(capacity, _FIRST_ROWS), n_windows, n_segments)
        self._keys = SortedKeys()

    def __len__(self) -> int:
        return self._n

    @property
    def weight(self) -> int:
        """How many predictions each that is found stands for, 1 until the ring was full."""
        return 1 << self._halvings

    def keeps(self, key: int) -> bool:
        """Return whether a prediction with *key* would be kept."""
        return key >> (_KEY_BITS - self._halvings) == 0

    def add(self, new: Predictions) -> None:
        """Keep *new*; of several with the same key the first."""
        at_once = max(1, self._capacity // 4)
        for begin in range(0, len(new), at_once):
            self._add(new[begin : begin + at_once])

    def copied(self, max_rows: int) -> tuple[int, Predictions]:
        """Return how often keys have been halved, and the predictions: at most *max_rows* >= 1, for which keys are halved more often if need be."""
        kept, halvings = self._kept[: self._n], self._halvings
        while len(kept) > max_rows:
            halvings += 1
            kept = kept[_is_sampled(kept, halvings)]
        return halvings, kept.copy()

    def recall(self, halvings: int, kept: Predictions) -> None:
        """Keep what `copied` gave, in an empty ring."""
        self._halvings = halvings
        if len(kept):
            self.add(kept)

    def rows_of(self, keys: Iterable[int]) -> dict[int, int]:
        """Return the place in the ring that each of *keys* leads to, of those that lead to one; good until anything is added."""
        sought = np.fromiter(keys, dtype=np.uint64)
        rows = self._keys.rows(sought)
        is_found = rows >= 0
        return dict(zip(sought[is_found].tolist(), rows[is_found].tolist(), strict=True))

    def prediction(self, row: int) -> Prediction:
        """Return the prediction at that place in the ring."""
        _, _, time_ns, confidence, value, label, stream, windows, serial, segments, _ = self._kept[
            row
        ].item()
        divided = tuple(windows.tolist()), serial, tuple(segments.tolist())
        return Prediction(row, time_ns, label, confidence, value, stream, *divided)

    def is_expired(self, predicted_ns: int, label_ns: int) -> bool:
        """Return whether a label of *label_ns* comes too late for a prediction of *predicted_ns*."""
        return label_ns - predicted_ns > self._horizon_ns

    def mark(self, prediction: Prediction, flag: int) -> bool:
        """Set *flag* (1, 2, 4 ...) of *prediction*, found since anything was added; return whether it was set before."""
        flags = int(self._kept["flags"][prediction.row])
        self._kept["flags"][prediction.row] = flags | flag
        return bool(flags & flag)

    def _add(self, new: Predictions) -> None:
        self._newest_ns = max(self._newest_ns, int(new["time_ns"].max()))
        sampled = new[self._is_sampled(new)]
        if self._n + len(sampled) > self._capacity:
            self._make_room(len(sampled))
            sampled = new[self._is_sampled(new)]
        begin, end = self._n, self._n + len(sampled)
        self._grow(end)
        self._kept[begin:end] = sampled
        self._n = end
        self._index(begin, end)

    def _is_sampled(self, these: Predictions) -> BoolArray:
        return _is_sampled(these, self._halvings)

    def _make_room(self, n_new: int) -> None:
        self._keep(self._kept["time_ns"][: self._n] >= self._newest_ns - self._horizon_ns)
        while self._n and self._n + n_new > self._capacity * _FULL_AFTER_EXPIRY:
            self._halvings += 1
            self._keep(self._is_sampled(self._kept[: self._n]))

    def _keep(self, is_kept: BoolArray) -> None:
        kept = self._kept[: self._n][is_kept]
        self._kept[: len(kept)] = kept
        self._n = len(kept)
        self._keys = SortedKeys()
        self._index(0, self._n)

    def _grow(self, n: int) -> None:
        size = len(self._kept)
        if n > size:
            grown = np.zeros(min(self._capacity, max(n, 2 * size)), self._kept.dtype)
            grown[:size] = self._kept
            self._kept = grown

    def _index(self, begin: int, end: int) -> None:
        rows = np.arange(begin, end, dtype=np.int32)
        for column in ("key", "name"):
            keys = self._kept[column][begin:end]
            is_there = keys != NO_KEY
            self._keys.add(keys[is_there], rows[is_there])


def _is_sampled(these: Predictions, halvings: int) -> BoolArray:
    """Return which of *these* are kept where keys have been halved so often."""
    if not halvings:
        return np.ones(len(these), dtype=bool)
    first = np.where(these["name"] != NO_KEY, these["name"], these["key"])
    return np.asarray(first >> np.uint64(_KEY_BITS - halvings) == 0)
