"""Bytes appended to many spans of a request at once, for compiled code."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.compiled import lean, plain
from otel_ml_processor.decode.fast_wire import length_size, write_length
from otel_ml_processor.decode.fast_words import copied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["spliced"]

# Bytes that are written once they are made, before anybody has them, as C does it: written elsewhere first they would be copied as a whole.
_new_bytes: Final = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_char_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
_memory: Final = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int
)(("PyMemoryView_FromMemory", ctypes.pythonapi))
_WRITE: Final = 0x200
_HEADER: Final = bytes.__basicsize__ - 1
"""Where in the object of bytes these begin."""


def spliced(
    content: bytes,
    size: int,
    places: IntArray,
    messages: IntArray,
    codes: IntArray,
    additions: Sequence[bytes],
) -> bytes:
    """
    Return the request that the first *size* bytes of *content* are with `additions[codes[i]]` behind the span at `places[i]` (ascending), nothing where the code is -1.

    The lengths of the span and of the *messages* around it are written anew; every other byte stays.
    """
    data, (added, ends) = np.frombuffer(content, np.uint8, size), _one_by_one(tuple(additions))
    places, messages, codes = plain(places), plain(messages), plain(codes)
    growth = np.zeros((2, len(messages)), np.int64)
    grown = _grow(size, places, messages, codes, ends, growth)
    if not grown:
        return content[:size]
    whole: bytes = _new_bytes(None, grown)
    target = np.frombuffer(_memory(id(whole) + _HEADER, grown, _WRITE), np.uint8)
    _splice(data, places, messages, codes, added, ends, growth, target)
    return whole


@lru_cache(maxsize=16)
def _one_by_one(texts: tuple[bytes, ...]) -> tuple[ByteArray, IntArray]:
    """Return *texts* behind one another, and where each begins and ends; read-only."""
    return np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)])


@lean
def _splice(
    data: ByteArray,
    places: IntArray,
    messages: IntArray,
    codes: IntArray,
    added: ByteArray,
    ends: IntArray,
    growth: IntArray,
    target: ByteArray,
) -> None:
    at = size = message = 0
    for row in range(len(places)):
        if codes[row] < 0:
            continue
        while message < len(messages) and messages[message, 0] < places[row, 0]:
            if growth[1, message] > 0:
                grown = growth[0, message]
                at, size = _new_length(data, messages[message], grown, target, at, size)
            message += 1
        first, last = ends[codes[row]], ends[codes[row] + 1]
        at, size = _new_length(data, places[row], last - first, target, at, size)
        size = copied(data, at, places[row, 2], target, size)
        size = copied(added, first, last, target, size)
        at = places[row, 2]
    copied(data, at, len(data), target, size)


@lean
def _grow(
    size: int,
    places: IntArray,
    messages: IntArray,
    codes: IntArray,
    ends: IntArray,
    growth: IntArray,
) -> int:
    """Write into *growth* by how many bytes each of *messages* grows, and how many in it do; return how long the request becomes that is *size* long, 0 where nothing is added."""
    n_touched = 0
    for row in range(len(places)):
        if codes[row] >= 0:
            added, parent = ends[codes[row] + 1] - ends[codes[row]], places[row, 3]
            growth[0, parent] += added + _length_growth(places[row], added)
            growth[1, parent] += 1
            n_touched += 1
    for inverse in range(len(messages)):
        message = len(messages) - 1 - inverse  # children stand behind their parents
        if growth[1, message] > 0:
            grown = growth[0, message] + _length_growth(messages[message], growth[0, message])
            parent = messages[message, 3]
            if parent >= 0:
                growth[0, parent] += grown
                growth[1, parent] += 1
            else:
                size += grown
    return size if n_touched else 0


@lean
def _length_growth(place: IntArray, growth: int) -> int:
    """Return by how many bytes the length of the message at *place* grows where its body grows by *growth*."""
    return length_size(place[2] - place[1] + growth) - int(place[1] - place[0])


@lean
def _new_length(
    data: ByteArray, place: IntArray, growth: int, target: ByteArray, at: int, size: int
) -> tuple[int, int]:
    """Copy up to the length of the message at *place*, write it anew, and return where reading and writing go on."""
    size = copied(data, at, place[0], target, size)
    return int(place[1]), write_length(place[2] - place[1] + growth, target, size)
