"""Numbers and lengths within the bytes of a request, for compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import lean

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray

__all__ = ["after_field", "length_at", "length_size", "varint_at", "write_length"]


@lean
def varint_at(data: ByteArray, at: int, end: int) -> tuple[int, int]:
    """Return the number at *at* and the offset behind it; -1 for the offset where it does not end before *end*, or is no number of 64 bits."""
    # Most tags and lengths; short enough to be folded into the loops around it.
    if at < end and data[at] < 0x80:
        return np.uint64(data[at]), at + 1
    return _long_varint(data, at, end)


@lean
def _long_varint(data: ByteArray, at: int, end: int) -> tuple[int, int]:
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift < np.uint64(70):
        byte = data[at]
        at += 1
        value |= np.uint64(byte & 0x7F) << shift
        if byte < 0x80:
            return value, (-1 if shift == np.uint64(63) and byte > 1 else at)
        shift += np.uint64(7)
    return value, -1


@lean
def length_at(data: ByteArray, at: int, end: int) -> tuple[int, int]:
    """Return where the message with its length at *at* begins and ends; -1 for both where that goes beyond *end*."""
    size, start = varint_at(data, at, end)
    if start < 0 or size > np.uint64(end - start):
        return -1, -1
    return start, start + np.int64(size)


@lean
def after_field(data: ByteArray, at: int, end: int, wire_type: int) -> int:
    """Return the offset behind the value at *at*, of a field that is skipped; -1 for one that goes too far or is a group."""
    if wire_type == 0:
        return varint_at(data, at, end)[1]
    if wire_type == 1:
        return at + 8 if at + 8 <= end else -1
    if wire_type == 5:
        return at + 4 if at + 4 <= end else -1
    if wire_type == 2:
        return length_at(data, at, end)[1]
    return -1


@lean
def length_size(length: int) -> int:
    """Return how many bytes *length* (>= 0) is written in."""
    size = 1
    while length >= 0x80:
        length >>= 7
        size += 1
    return size


@lean
def write_length(length: int, target: ByteArray, at: int) -> int:
    """Write *length* (>= 0) to *at* of *target*; return the offset behind it."""
    while length >= 0x80:
        target[at] = length & 0x7F | 0x80
        length >>= 7
        at += 1
    target[at] = length
    return at + 1
