"""The predictions that labels may still come for: what was said, how sure, and in which windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from otel_ml_processor.feedback.keys import NO_KEY
from otel_ml_processor.feedback.sorted_keys import SortedKeys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_ml_processor.columns import BoolArray
    from otel_ml_processor.feedback.keys import Keys

__all__ = ["JoinRing", "Prediction", "Predictions", "Records", "empty_predictions"]

Records = NDArray[np.void]
"""Predictions as a record array of shape (n,), see `empty_predictions`."""
_Columns: TypeAlias = dict[str, NDArray[Any]]
_FULL_AFTER_EXPIRY: Final = 0.75
"""Where what has expired makes no more room than that, half of the others go."""
_KEY_BITS: Final = 64
_UNSAID: Final[dict[str, float]] = {
    "name": NO_KEY,
    "confidence": math.nan,
    "value": math.nan,
    "serial": -1,
    "segments": -1,
    "flags": 0,
}
"""What columns hold where nothing is said. Of most models some say nothing at all, and there is no such column then."""


class Predictions(Protocol):
    """
    Predictions to be kept, columns of the same length by name: a record array as `empty_predictions` gives it, or a dictionary of arrays.

    `key` and `name` find one, `NO_KEY` where there is none. `label` is a number that the caller knows the meaning of, -1 for none; `stream`,
    `windows`, `serial` and `segments` likewise, `flags` are those that were set. NaN in `confidence` and `value` is not said.
    """

    def __getitem__(self, column: str, /) -> NDArray[Any]:
        """Return the column of that name."""


def empty_predictions(n: int, n_windows: int, n_segments: int = 0) -> Records:
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

    Most labels never come: a prediction is copied into its place, some 40 bytes, and only when something is looked up are keys put in order, 12 bytes more
    for each. There is a place for every prediction from the beginning; memory that was never written to is not taken.
    """

    __slots__ = (
        "_capacity",
        "_columns",
        "_halvings",
        "_horizon_ns",
        "_keys",
        "_n",
        "_n_ordered",
        "_newest_ns",
        "_record",
    )

    def __init__(self, capacity: int, n_windows: int, horizon_ns: int, n_segments: int = 0) -> None:
        self._capacity = capacity
        self._horizon_ns = horizon_ns
        self._halvings = 0
        self._newest_ns = 0
        self._n = 0
        self._record = empty_predictions(0, n_windows, n_segments).dtype
        self._columns = {
            name: self._new_column(name) for name in self._record.names or () if name not in _UNSAID
        }
        self._keys = SortedKeys()
        self._n_ordered = 0

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
        for begin in range(0, len(new["key"]), at_once):
            lot = slice(begin, begin + at_once)
            self._add({name: new[name][lot] for name in self._record.names or ()})

    def copied(self, max_rows: int) -> tuple[int, Records]:
        """Return how often keys have been halved, and the predictions: at most *max_rows* >= 1, for which keys are halved more often if need be."""
        halvings, keys, rows = self._halvings, self._first_keys(), np.arange(self._n)
        while len(rows) > max_rows:
            halvings += 1
            rows = rows[_is_sampled(keys[rows], halvings)]
        copied = np.zeros(len(rows), self._record)
        for name in self._record.names or ():
            column = self._columns.get(name)
            copied[name] = _UNSAID[name] if column is None else column[rows]
        return halvings, copied

    def recall(self, halvings: int, kept: Records) -> None:
        """Keep what `copied` gave, in an empty ring."""
        self._halvings = halvings
        self.add(kept)

    def forget(self, stream: int) -> None:
        """Keep no prediction of the *stream* with that number any more, so that another may have it."""
        is_kept = self._columns["stream"][: self._n] != stream
        if not is_kept.all():
            self._keep(is_kept)

    def labels(self) -> set[int]:
        """Return the numbers of all classes that are predicted by what is kept."""
        counts = np.bincount(self._columns["label"][: self._n] + 1, minlength=1)
        return set(np.flatnonzero(counts[1:]).tolist())

    def rows_of(self, keys: Iterable[int]) -> dict[int, int]:
        """Return the place in the ring that each of *keys* leads to, of those that lead to one; good until anything is added."""
        sought = np.fromiter(keys, dtype=np.uint64)
        if not len(sought):
            return {}
        self._put_in_order()
        rows = self._keys.rows(sought)
        is_found = rows >= 0
        return dict(zip(sought[is_found].tolist(), rows[is_found].tolist(), strict=True))

    def prediction(self, row: int) -> Prediction:
        """Return the prediction at that place in the ring."""
        said = {name: column[row].tolist() for name, column in self._columns.items()}
        n_segments = self._record["segments"].shape[0]
        return Prediction(
            row=row,
            time_ns=said["time_ns"],
            label=said["label"],
            confidence=said.get("confidence", math.nan),
            value=said.get("value", math.nan),
            stream=said["stream"],
            windows=tuple(said["windows"]),
            serial=said.get("serial", _UNSAID["serial"]),
            segments=tuple(said.get("segments", [_UNSAID["segments"]] * n_segments)),
        )

    def is_expired(self, predicted_ns: int, label_ns: int) -> bool:
        """Return whether a label of *label_ns* comes too late for a prediction of *predicted_ns*."""
        return label_ns - predicted_ns > self._horizon_ns

    def mark(self, prediction: Prediction, flag: int) -> bool:
        """Set *flag* (1, 2, 4 ...) of *prediction*, found since anything was added; return whether it was set before."""
        if "flags" not in self._columns:
            self._columns["flags"] = self._new_column("flags")
        flags = int(self._columns["flags"][prediction.row])
        self._columns["flags"][prediction.row] = flags | flag
        return bool(flags & flag)

    def _new_column(self, name: str) -> NDArray[Any]:
        shape, kind = (self._capacity, *self._record[name].shape), self._record[name].base
        unsaid = _UNSAID.get(name, 0)
        return np.full(shape, unsaid, kind) if unsaid else np.zeros(shape, kind)

    def _first_keys(self) -> Keys:
        return _first_keys({name: column[: self._n] for name, column in self._columns.items()})

    def _add(self, new: _Columns) -> None:
        self._newest_ns = max(self._newest_ns, int(new["time_ns"].max()))
        sampled = self._sampled(new)
        if self._n + len(sampled["key"]) > self._capacity:
            self._make_room(len(sampled["key"]))
            sampled = self._sampled(new)
        end = self._n + len(sampled["key"])
        for name, column in sampled.items():
            if name not in self._columns:
                if _says_nothing(column, _UNSAID[name]):
                    continue
                self._columns[name] = self._new_column(name)
            self._columns[name][self._n : end] = column
        self._n = end

    def _sampled(self, new: _Columns) -> _Columns:
        if not self._halvings:
            return new
        is_sampled = _is_sampled(_first_keys(new), self._halvings)
        return {name: column[is_sampled] for name, column in new.items()}

    def _make_room(self, n_new: int) -> None:
        self._keep(self._columns["time_ns"][: self._n] >= self._newest_ns - self._horizon_ns)
        while self._n and self._n + n_new > self._capacity * _FULL_AFTER_EXPIRY:
            self._halvings += 1
            self._keep(_is_sampled(self._first_keys(), self._halvings))

    def _keep(self, is_kept: BoolArray) -> None:
        kept = int(np.count_nonzero(is_kept))
        for column in self._columns.values():
            column[:kept] = column[: self._n][is_kept]
        self._n = kept
        self._keys, self._n_ordered = SortedKeys(), 0

    def _put_in_order(self) -> None:
        """Make all keys known to look-ups: that of the span before that of its name, one prediction after the other."""
        new = slice(self._n_ordered, self._n)
        ways = [self._columns[name][new] for name in ("key", "name") if name in self._columns]
        keys = np.stack(ways, axis=1).ravel()
        rows = np.repeat(np.arange(new.start, new.stop, dtype=np.int32), len(ways))
        is_there = keys != NO_KEY
        self._keys.add(keys[is_there], rows[is_there])
        self._n_ordered = self._n


def _first_keys(these: _Columns) -> Keys:
    """Return by which key each of *these* is kept or not: that of its name, where it has one, for who knows the name may know nothing else."""
    names = these.get("name", these["key"])
    return np.where(names != NO_KEY, names, these["key"])


def _says_nothing(column: NDArray[Any], unsaid: float) -> bool:
    return bool((np.isnan(column) if math.isnan(unsaid) else column == unsaid).all())


def _is_sampled(keys: Keys, halvings: int) -> BoolArray:
    """Return which of *keys* are kept where they have been halved so often, once at least."""
    return np.asarray(keys >> np.uint64(_KEY_BITS - halvings) == 0)
