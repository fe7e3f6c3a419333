"""Bytes appended to many spans of a request at once, for compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import compiled
from otel_ml_processor.decode.fast_words import copied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["spliced"]

_MAX_LENGTH_BYTES = 10


def spliced(
    request: bytes,
    places: IntArray,
    messages: IntArray,
    codes: IntArray,
    additions: Sequence[bytes],
) -> bytes:
    """
    Return *request* with `additions[codes[i]]` behind the span at `places[i]` (ascending), nothing where the code is -1.

    The lengths of the span and of the *messages* around it are written anew; every other byte stays.
    """
    if not (codes >= 0).any():
        return request
    added = np.frombuffer(b"".join(additions), np.uint8)
    ends = np.cumsum([0, *map(len, additions)])
    growth = int(np.diff(ends)[codes[codes >= 0]].sum())
    largest = len(request) + growth + _MAX_LENGTH_BYTES * (len(places) + len(messages))
    target = np.empty(largest, np.uint8)
    size = _splice(np.frombuffer(request, np.uint8), places, messages, codes, added, ends, target)
    return target[:size].tobytes()


@compiled
def _splice(
    data: ByteArray,
    places: IntArray,
    messages: IntArray,
    codes: IntArray,
    added: ByteArray,
    ends: IntArray,
    target: ByteArray,
) -> int:
    growth = np.zeros(len(messages), np.int64)
    is_touched = np.zeros(len(messages), np.bool_)
    _grow(places, messages, codes, ends, growth, is_touched)
    at = size = message = 0
    for row in range(len(places)):
        if codes[row] < 0:
            continue
        while message < len(messages) and messages[message, 0] < places[row, 0]:
            if is_touched[message]:
                at, size = _new_length(data, messages[message], growth[message], target, at, size)
            message += 1
        first, last = ends[codes[row]], ends[codes[row] + 1]
        at, size = _new_length(data, places[row], last - first, target, at, size)
        size = copied(data, at, places[row, 2], target, size)
        size = copied(added, first, last, target, size)
        at = places[row, 2]
    end: int = copied(data, at, len(data), target, size)
    return end


@compiled
def _grow(
    places: IntArray,
    messages: IntArray,
    codes: IntArray,
    ends: IntArray,
    growth: IntArray,
    is_touched: NDArray[np.bool_],
) -> None:
    for row in range(len(places)):
        if codes[row] >= 0:
            added = ends[codes[row] + 1] - ends[codes[row]]
            parent = places[row, 3]
            growth[parent] += added + _length_growth(places[row], added)
            is_touched[parent] = True
    for inverse in range(len(messages)):
        message = len(messages) - 1 - inverse  # children stand behind their parents
        parent = messages[message, 3]
        if is_touched[message] and parent >= 0:
            growth[parent] += growth[message] + _length_growth(messages[message], growth[message])
            is_touched[parent] = True


@compiled
def _length_growth(place: IntArray, growth: int) -> int:
    """Return by how many bytes the length of the message at *place* grows where its body grows by *growth*."""
    return _length_size(place[2] - place[1] + growth) - int(place[1] - place[0])


@compiled
def _length_size(length: int) -> int:
    size = 1
    while length >= 0x80:
        length >>= 7
        size += 1
    return size


@compiled
def _new_length(
    data: ByteArray, place: IntArray, growth: int, target: ByteArray, at: int, size: int
) -> tuple[int, int]:
    """Copy up to the length of the message at *place*, write it anew, and return where reading and writing go on."""
    size = copied(data, at, place[0], target, size)
    length = place[2] - place[1] + growth
    while length >= 0x80:
        target[size] = length & 0x7F | 0x80
        length >>= 7
        size += 1
    target[size] = length
    return int(place[1]), size + 1
