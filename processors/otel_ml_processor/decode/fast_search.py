"""Whether bytes occur in a request: asked of every request, and nearly always answered no."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from otel_ml_processor.compiled import IS_COMPILED, lean
from otel_ml_processor.decode.fast_words import BLOCK, differing

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray

__all__ = ["occurs"]


class _Sought(NamedTuple):
    """A text, the place in it of a byte that is rare in a request, and a block of that byte and one of the last: many names begin alike."""

    text: ByteArray
    rare: int
    rares: ByteArray
    lasts: ByteArray

    @classmethod
    def of(cls, text: bytes) -> _Sought:
        last = len(text) - 1
        rare = max(range(last or 1), key=lambda at: _FREQUENT.find(text[at]) % 256)
        rares, lasts = (np.full(BLOCK, text[at], np.uint8) for at in (rare, last))
        return cls(np.frombuffer(text, np.uint8), rare, rares, lasts)


_FREQUENT = b"eoanrtlmiscd.upfh_gvybkw"
"""What names of attributes are made of, the most frequent letter first; all else is rarer."""
_sought = lru_cache(maxsize=64)(_Sought.of)


def occurs(text: bytes, request: bytes) -> bool:
    """Return what `text in request` does, of a *text* of at least one byte, in a fifth of the time: names in a request all begin alike."""
    if not IS_COMPILED:
        return text in request
    return bool(_occurs(np.frombuffer(request, np.uint8), *_sought(text)))


@lean
def _occurs(
    data: ByteArray, text: ByteArray, rare: int, rares: ByteArray, lasts: ByteArray
) -> bool:
    """
    Look for two bytes of *text*, in their distance, at all places of a block at once; where both are there, for all others.

    References:
        Mula, W. (2016). SIMD-friendly algorithms for substring searching, "generic SIMD".
    """
    reach = len(text) - 1
    at, last = 0, len(data) - BLOCK - reach
    while at <= last:
        wrong = differing(data, at + rare, rares, 0) | differing(data, at + reach, lasts, 0)
        if wrong != np.uint64(0xFFFFFFFF):
            for place in range(at, at + BLOCK):
                if _is_at(data, place, text):
                    return True
        at += BLOCK
    while at + reach < len(data):
        if _is_at(data, at, text):
            return True
        at += 1
    return False


@lean
def _is_at(data: ByteArray, at: int, text: ByteArray) -> bool:
    for offset in range(len(text)):
        if data[at + offset] != text[offset]:
            return False
    return True
