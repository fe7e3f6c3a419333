"""
Predictions as numbers of 64 bits, by which labels find them.

A prediction has the key of its span; where it was given an id, also that of the id. Of 4 million predictions two have the same key with
a probability of 4 in 10 million.
"""

from __future__ import annotations

import hashlib
import re
import struct
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from otel_ml_processor.compiled import IS_COMPILED, folded, lean, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "NO_KEY",
    "Keys",
    "context_key",
    "id_key",
    "sample_key",
    "sample_keys",
    "span_keys",
    "warm_keys",
    "ways_to",
]

Keys = NDArray[np.uint64]

NO_KEY: Final = 0
"""The key of a span without an id: nothing finds it."""
_FIRST: Final = np.uint64(0xFF51AFD7ED558CCD)
_SECOND: Final = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT: Final = np.uint64(33)
_ONE: Final = np.uint64(1)
_CONTEXT_BYTES: Final = (16, 8)
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_TRACEPARENT_LENGTH: Final = 55
"""Of every `traceparent`."""


def span_keys(ids: NDArray[np.uint64]) -> Keys:
    """
    Return the key of each span, shape (n,); *ids* (n, 3) are trace id and span id as three little-endian numbers.

    References:
        Appleby, A. (2011). MurmurHash3, `fmix64`. Public domain.
    """
    words = np.ascontiguousarray(ids.T)
    if not IS_COMPILED:
        return _span_keys_plain(words)
    keys = np.empty(words.shape[1], dtype=np.uint64)
    _span_keys(plain(words), keys)
    return keys


def warm_keys() -> None:
    """Have keys compiled, or read from where they were kept."""
    span_keys(np.ones((1, 3), dtype=np.uint64))


@lean
def _span_keys(words: NDArray[np.uint64], keys: Keys) -> None:
    for row in range(len(keys)):
        first, second, span = words[0, row], words[1, row], words[2, row]
        if span == 0 or (first == 0 and second == 0):
            keys[row] = NO_KEY
        else:
            key = _mixed_word(_mixed_word(_mixed_word(span) ^ first) ^ second)
            keys[row] = max(key, _ONE)


@folded
def _mixed_word(word: np.uint64) -> np.uint64:
    word ^= word >> _SHIFT
    word *= _FIRST
    word ^= word >> _SHIFT
    word *= _SECOND
    word ^= word >> _SHIFT
    return word


def _span_keys_plain(words: NDArray[np.uint64]) -> Keys:
    """Return the keys as `_span_keys` writes them."""
    first, second, span = words
    keys = np.maximum(_mixed(_mixed(_mixed(span) ^ first) ^ second), _ONE)
    keys[(span == 0) | (first | second == 0)] = NO_KEY
    return np.asarray(keys)


def context_key(trace_id: bytes, span_id: bytes) -> int:
    """Return the key of one span; `NO_KEY` where an id is missing or has the wrong length."""
    if (len(trace_id), len(span_id)) != _CONTEXT_BYTES:
        return NO_KEY
    ids = np.array([struct.unpack("<QQQ", trace_id + span_id)], dtype=np.uint64)
    return int(span_keys(ids)[0])


def id_key(prediction_id: str, tenant: str = "") -> int:
    """Return the key of a *tenant*'s prediction id; of one in the form of a `traceparent` it is that of the span that it leads to."""
    found = (
        _TRACEPARENT.fullmatch(prediction_id) if len(prediction_id) == _TRACEPARENT_LENGTH else None
    )
    if found is not None:
        return context_key(*map(bytes.fromhex, found.groups()))
    said = f"{tenant}\0{prediction_id}" if tenant else prediction_id
    digest = hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=8).digest()
    return max(1, int.from_bytes(digest, "little"))


def sample_keys(keys: Keys, positions: NDArray[np.int64]) -> Keys:
    """Return the keys of single samples of batches: *positions* from 0, of batches with those *keys*."""
    mixed = np.maximum(
        _mixed(keys ^ _mixed(positions.astype(np.uint64) + np.uint64(1))), np.uint64(1)
    )
    return np.asarray(np.where(keys != NO_KEY, mixed, np.uint64(NO_KEY)))


def sample_key(key: int, position: int) -> int:
    """Return the key of the sample at *position* >= 0 of the batch with *key*."""
    return int(sample_keys(np.array([key], dtype=np.uint64), np.array([position]))[0])


def ways_to(keys: Iterable[int], position: int | None) -> Iterator[int]:
    """Yield the keys that may lead to the sample at *position* of a call with one of *keys*; a call with one sample needs no position."""
    for key in keys:
        if position is not None:
            yield sample_key(key, position)
        if not position:
            yield key


def _mixed(words: NDArray[np.uint64]) -> Keys:
    mixed: Keys = words ^ (words >> _SHIFT)
    for factor in (_FIRST, _SECOND):
        mixed *= factor
        mixed ^= mixed >> _SHIFT  # in place: half of the time went to arrays in between
    return mixed
