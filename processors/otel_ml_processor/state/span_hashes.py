"""Spans as numbers of 64 bits, drawn with a secret: what is remembered of them instead of their ids."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from otel_ml_processor.compiled import IS_COMPILED, folded, lean, plain

__all__ = ["NO_HASH", "Hashes", "secret_of", "span_hashes"]

Hashes = NDArray[np.uint64]

NO_HASH: Final = 0
"""The hash of a span without an id: it can be told from no other, so it is always new."""
_FIRST: Final = np.uint64(0xFF51AFD7ED558CCD)
_SECOND: Final = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT: Final = np.uint64(33)
_ONE: Final = np.uint64(1)


def secret_of(secret: bytes, tenant: str) -> bytes:
    """Return 16 bytes to draw the hashes of a *tenant*'s spans with; *secret* itself where it has no name."""
    if not tenant:
        return secret
    said = tenant.encode("utf-8", "replace")
    return hashlib.blake2b(said, digest_size=16, key=secret).digest()


def span_hashes(ids: NDArray[np.uint64], secret: bytes) -> Hashes:
    """
    Return a number per span, shape (n,), `NO_HASH` where a trace id or a span id is 0.

    Each of the three words of *ids* (shape (n, 3), as `InferenceSpans.ids` has them) goes through the finaliser of MurmurHash3 in its turn, and each
    step is one to one; of the 16 bytes of *secret* the first half goes in before, the second half between. Two of 4 million spans are taken for one with a probability of
    2 in 10 million; who does not know the secret cannot look for two that are.

    References:
        Appleby, A. (2011). MurmurHash3, `fmix64`. Public domain.
    """
    words = _words_of(secret)
    if not IS_COMPILED:
        return _hashes_plain(ids, *words)
    hashes = np.empty(len(ids), dtype=np.uint64)
    _hash(plain(ids.T), *words, hashes)  # they lie as columns in memory: no copy
    return hashes


@lru_cache(maxsize=1024)
def _words_of(secret: bytes) -> tuple[np.uint64, np.uint64]:
    before, between = np.frombuffer(secret, dtype="<u8").astype(np.uint64)
    return before, between


@lean
def _hash(
    words: NDArray[np.uint64], before: np.uint64, between: np.uint64, hashes: NDArray[np.uint64]
) -> None:
    for row in range(len(hashes)):
        first, second, span = words[0, row], words[1, row], words[2, row]
        if span == 0 or (first == 0 and second == 0):
            hashes[row] = NO_HASH
            continue
        word = _mixed_word(span ^ before)
        word = _mixed_word(word ^ first ^ between)
        hashes[row] = max(_mixed_word(word ^ second), _ONE)


@folded
def _mixed_word(word: np.uint64) -> np.uint64:
    word = (word ^ (word >> _SHIFT)) * _FIRST
    word = (word ^ (word >> _SHIFT)) * _SECOND
    mixed: np.uint64 = word ^ (word >> _SHIFT)
    return mixed


def _hashes_plain(ids: NDArray[np.uint64], before: np.uint64, between: np.uint64) -> Hashes:
    hashes = _mixed(ids[:, 2] ^ before)
    hashes = _mixed(hashes ^ ids[:, 0] ^ between)
    hashes = np.maximum(_mixed(hashes ^ ids[:, 1]), _ONE)
    is_said = (ids[:, 2] != 0) & (ids[:, :2].any(axis=1))
    return np.asarray(np.where(is_said, hashes, np.uint64(NO_HASH)))


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> _SHIFT)) * _FIRST
    words = (words ^ (words >> _SHIFT)) * _SECOND
    return np.asarray(words ^ (words >> _SHIFT))
