"""Flat JSON objects within the bytes of a request become rows of columns, for compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.columns import Kind
from otel_ml_processor.compiled import lean
from otel_ml_processor.decode.fast_number import read_number, read_plain_number
from otel_ml_processor.decode.fast_text import find_text, same_text
from otel_ml_processor.decode.fast_words import byte_at, word_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import ByteArray, FloatArray, IntArray

__all__ = ["read_objects"]

_MISSING = int(Kind.MISSING)
_NUMBER = int(Kind.NUMBER)
_BOOLEAN = int(Kind.BOOLEAN)
_TEXT = int(Kind.TEXT)

_QUOTE, _BACKSLASH, _COLON, _COMMA, _OPEN, _CLOSE = 0x22, 0x5C, 0x3A, 0x2C, 0x7B, 0x7D
_FIRST_PRINTABLE = 0x20
_FOUR_BYTES = np.uint64(0xFFFFFFFF)
_NULL, _TRUE, _FALSE_BUT_E, _INFINITY = (
    np.uint64(int.from_bytes(text, "little"))
    for text in (b"null", b"true", b"false"[:4], b"Infinity")
)
_SMALL_E, _MINUS, _ZERO = 0x65, 0x2D, 0x30


@lean
def _skip_blanks(data: ByteArray, at: int, end: int) -> int:
    while at < end and (
        data[at] == 0x20 or data[at] == 0x0A or data[at] == 0x0D or data[at] == 0x09
    ):
        at += 1
    return at


@lean
def _end_of_string(data: ByteArray, at: int, end: int) -> int:
    """Return where the quote is that ends the string whose first byte is at *at*; -1 if there is none, or an escape before it."""
    while at < end:
        byte = data[at]
        if byte == _QUOTE:
            return at
        if byte == _BACKSLASH or byte < _FIRST_PRINTABLE:
            return -1
        at += 1
    return -1


@lean
def _find_key(
    data: ByteArray, start: int, end: int, keys: ByteArray, key_ends: IntArray, expected: int
) -> int:
    """Return whose name the bytes in `[start, end)` are, -1 for none; *expected* is looked at first."""
    n_keys = len(key_ends) - 1
    for step in range(n_keys):
        index = expected + step
        if index >= n_keys:
            index -= n_keys
        if same_text(data, start, end, keys, key_ends[index] + 1, key_ends[index + 1] - 2):
            return index
    return -1


@lean
def _read_key(
    data: ByteArray, at: int, end: int, keys: ByteArray, key_ends: IntArray, expected: int
) -> tuple[int, int]:
    """Return which of *keys* begins at *at*, -1 for none of them, and the offset behind it; that is -1 for what is no key or is not read here."""
    if data[at] != _QUOTE:
        return -1, -1
    stop = _end_of_string(data, at + 1, end)
    if stop < 0:
        return -1, -1
    colon = _skip_blanks(data, stop + 1, end)
    if colon >= end or data[colon] != _COLON:
        return -1, -1
    return _find_key(data, at + 1, stop, keys, key_ends, expected), colon + 1


@lean
def read_objects(
    data: ByteArray,
    ranges: IntArray,
    keys: ByteArray,
    key_ends: IntArray,
    is_usual: NDArray[np.bool_],
    kinds: ByteArray,
    numbers: FloatArray,
    texts: IntArray,
    table: IntArray,
    seen: IntArray,
    is_read: NDArray[np.bool_],
) -> int:
    """
    Read the JSON object in each of *ranges* (n, 2) into row i of *kinds*, *numbers* and *texts*, shape (n_keys, n).

    Returned is the number of different texts.

    The bytes in `[key_ends[k], key_ends[k + 1])` of *keys* are a quote, the name, a quote and a colon; *is_usual* says which names are written in JSON as they are. A name that an
    object does not have keeps what its column held before. `is_read[i]` says whether the object was flat and plain; what the columns hold of another is undefined. A range that begins at -1 is
    left alone.
    """
    n_texts = 0
    for row in range(len(ranges)):
        if ranges[row, 0] < 0:
            continue
        is_read[row], n_texts = _read_object(
            data,
            ranges[row, 0],
            ranges[row, 1],
            row,
            keys,
            key_ends,
            is_usual,
            kinds,
            numbers,
            texts,
            table,
            seen,
            n_texts,
        )
    return n_texts


@lean
def _read_object(
    data: ByteArray,
    at: int,
    end: int,
    row: int,
    keys: ByteArray,
    key_ends: IntArray,
    is_usual: NDArray[np.bool_],
    kinds: ByteArray,
    numbers: FloatArray,
    texts: IntArray,
    table: IntArray,
    seen: IntArray,
    n_texts: int,
) -> tuple[bool, int]:
    # What usually comes is looked for first, and in here: the expected key, a number, and a comma.
    n_keys = len(key_ends) - 1
    at = _skip_blanks(data, at, end)
    if at >= end or byte_at(data, at) != _OPEN:
        return False, n_texts
    at = _skip_blanks(data, at + 1, end)
    if at < end and byte_at(data, at) == _CLOSE:
        return _skip_blanks(data, at + 1, end) == end, n_texts
    expected = 0
    while at < end:
        name, first, last = expected, key_ends[expected], key_ends[expected + 1]
        after = at + last - first
        if is_usual[expected] and same_text(data, at, after, keys, first, last):
            at = after
        else:
            name, at = _read_key(data, at, end, keys, key_ends, expected)
            if at < 0:
                return False, n_texts
        if byte_at(data, at) <= _FIRST_PRINTABLE:
            at = _skip_blanks(data, at, end)
        kind, start = _NUMBER, at
        number, at = read_plain_number(data, at, end)
        if at == start:
            kind, number, start, at = _read_value(data, at, end)
            if kind < 0:
                return False, n_texts
        if name >= 0:
            if kind == _TEXT:
                text, n_texts = find_text(data, start, at - 1, table, seen, n_texts)
                if text < 0:
                    return False, n_texts
                texts[name, row] = text
            elif kinds[name, row] == _TEXT:  # the name comes twice, and the last one holds
                texts[name, row] = -1
            kinds[name, row] = kind
            numbers[name, row] = number
            expected = name + 1 if name + 1 < n_keys else 0
        if byte_at(data, at) <= _FIRST_PRINTABLE:
            at = _skip_blanks(data, at, end)
        if at >= end or byte_at(data, at) != _COMMA:
            is_closed = at < end and byte_at(data, at) == _CLOSE
            return is_closed and _skip_blanks(data, at + 1, end) == end, n_texts
        at += 1
        if byte_at(data, at) <= _FIRST_PRINTABLE:
            at = _skip_blanks(data, at, end)
    return False, n_texts


@lean
def _read_value(data: ByteArray, at: int, end: int) -> tuple[int, float, int, int]:
    """Return kind (-1 for what is not read here), number, where a text begins, and the offset behind the value."""
    nan = float("nan")
    if at >= end:
        return -1, nan, 0, at
    if data[at] == _QUOTE:
        start = at + 1
        stop = _end_of_string(data, start, end)
        if stop < 0:
            return -1, nan, 0, at
        if stop - start == 8 and word_at(data, start) == _INFINITY:
            return _NUMBER, np.inf, 0, stop + 1
        if stop - start == 9 and data[start] == _MINUS and word_at(data, start + 1) == _INFINITY:
            return _NUMBER, -np.inf, 0, stop + 1
        return _TEXT, nan, start, stop + 1
    word = word_at(data, at) & _FOUR_BYTES
    if word == _NULL and at + 4 <= end:
        return _MISSING, nan, 0, at + 4
    if word == _TRUE and at + 4 <= end:
        return _BOOLEAN, 1.0, 0, at + 4
    if word == _FALSE_BUT_E and at + 5 <= end and data[at + 4] == _SMALL_E:
        return _BOOLEAN, 0.0, 0, at + 5
    number, stop = read_number(data, at, end)
    return (_NUMBER if stop > at else -1), number, 0, stop
