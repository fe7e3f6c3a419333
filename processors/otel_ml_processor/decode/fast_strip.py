"""
Attributes taken out of a request by their keys, for compiled code; every other byte stays.

Which messages lie within which is told by a table: `inside[kind, field]` is the kind of message that *field* of a message of that kind
holds, `ATTRIBUTE` where that is a key with its value, and `NOTHING` where it is of no interest. The request itself has kind 0. Without
a compiler the same functions run over `bytes` and `bytearray`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from otel_ml_processor.compiled import compiled
from otel_ml_processor.decode.fast_wire import length_size, write_length

if TYPE_CHECKING:
    from otel_ml_processor.columns import IntArray

__all__ = ["ATTRIBUTE", "DEPTH", "MALFORMED", "NOTHING", "cut_out", "find"]

NOTHING = -1
ATTRIBUTE = -2
DEPTH = 8
"""Messages within each other that the table may have."""
MALFORMED = -1
FULL = -2


@compiled
def find(
    data: Any,
    size: int,
    inside: IntArray,
    keys: Any,
    ends: IntArray,
    messages: IntArray,
    cuts: IntArray,
) -> tuple[int, int]:
    """
    Write where the attributes lie whose key is one of *keys* (text k is `keys[ends[k]:ends[k + 1]]`), and the messages around them.

    Rows of *cuts* are begin, end and the row of the message around it; rows of *messages* begin of the length, begin and end of the
    body, and the row of the message around it or -1. Both ascend. Returns how many of each there are; `FULL` and 0 where one of the two has
    no room, `MALFORMED` and the offset where the bytes are no protobuf.
    """
    kinds = np.zeros(DEPTH, np.int64)
    limits = np.zeros(DEPTH, np.int64)
    rows = np.full(DEPTH, -1, np.int64)
    limits[0] = size
    depth = at = n_messages = n_cuts = 0
    while True:
        while depth and at == limits[depth]:
            row = rows[depth]
            if row == n_messages - 1 and (n_cuts == 0 or cuts[n_cuts - 1, 2] < row):
                n_messages -= 1  # nothing was found in it
            depth -= 1
        end = limits[depth]
        if at == end:
            return n_messages, n_cuts
        begin = at
        tag, at = _varint(data, at, end)
        number = tag >> 3
        if at < 0 or number < 1 or number >= 1 << 29:
            return MALFORMED, begin
        length_at = at
        start, at = _skip(data, at, end, tag & 7)
        if at < 0:
            return MALFORMED, begin
        kind = NOTHING
        if tag & 7 == 2 and number < inside.shape[1]:
            kind = inside[kinds[depth], number]
        if kind == ATTRIBUTE:
            found = _has_key(data, start, at, keys, ends)
            if found < 0:
                return MALFORMED, start
            if found:
                if n_cuts == len(cuts):
                    return FULL, 0
                cuts[n_cuts] = begin, at, rows[depth]
                n_cuts += 1
        elif kind >= 0:
            if n_messages == len(messages):
                return FULL, 0
            messages[n_messages] = length_at, start, at, rows[depth]
            depth += 1
            kinds[depth], limits[depth], rows[depth] = kind, at, n_messages
            n_messages += 1
            at = start


@compiled
def _varint(data: Any, at: int, end: int) -> tuple[int, int]:
    """Return the number at *at*, at most 2**62, and the offset behind it; -1 for that where there is none."""
    value = 0
    for shift in range(10):
        if at >= end:
            return 0, -1
        byte = int(data[at])
        at += 1
        if shift < 9:
            value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return (value if 0 <= value < 1 << 62 else 1 << 62), at
    return 0, -1


@compiled
def _skip(data: Any, at: int, end: int, wire_type: int) -> tuple[int, int]:
    """Return where the body of the field begins whose tag ends at *at*, and where it ends; -1 for that where it does not fit."""
    if wire_type == 0:
        _, after = _varint(data, at, end)
        return at, after
    length, start = 0, at
    if wire_type == 2:
        length, start = _varint(data, at, end)
    elif wire_type == 1:
        length = 8
    elif wire_type == 5:
        length = 4
    else:
        return at, -1
    if start < 0 or length > end - start:
        return at, -1
    return start, start + length


@compiled
def _has_key(data: Any, at: int, end: int, keys: Any, ends: IntArray) -> int:
    """Return 1 if the attribute in `[at, end)` has one of the keys, 0 if not, -1 if it is no protobuf."""
    found = 0
    while at < end:
        tag, at = _varint(data, at, end)
        if at < 0:
            return -1
        start, at = _skip(data, at, end, tag & 7)
        if at < 0:
            return -1
        if tag == 10 and _is_key(data, start, at, keys, ends):
            found = 1
    return found


@compiled
def _is_key(data: Any, start: int, end: int, keys: Any, ends: IntArray) -> bool:
    for key in range(len(ends) - 1):
        first = ends[key]
        if ends[key + 1] - first != end - start:
            continue
        same = True
        for offset in range(end - start):
            if data[start + offset] != keys[first + offset]:
                same = False
                break
        if same:
            return True
    return False


@compiled
def cut_out(data: Any, size: int, messages: IntArray, cuts: IntArray, target: Any) -> int:
    """Write *data* without *cuts* into *target*, with the lengths of *messages* anew, and return how much that is."""
    loss = np.zeros(len(messages) + 1, np.int64)
    for cut in range(len(cuts)):
        loss[cuts[cut, 2]] += cuts[cut, 1] - cuts[cut, 0]
    for inverse in range(len(messages)):
        row = len(messages) - 1 - inverse  # what lies within a message stands behind it
        length_at, start, end, parent = messages[row]
        before = start - length_at
        loss[parent] += loss[row] + before - length_size(end - start - loss[row])
    at = written = row = 0
    for cut in range(len(cuts)):
        while row < len(messages) and messages[row, 0] < cuts[cut, 0]:
            length_at, start, end, _ = messages[row]
            written = _copy(data, at, length_at, target, written)
            written = write_length(end - start - loss[row], target, written)
            at = start
            row += 1
        written = _copy(data, at, cuts[cut, 0], target, written)
        at = cuts[cut, 1]
    return _copy(data, at, size, target, written)


@compiled
def _copy(source: Any, start: int, end: int, target: Any, at: int) -> int:
    target[at : at + end - start] = source[start:end]
    return int(at + end - start)
