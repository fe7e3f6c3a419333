"""Texts within the bytes of a request, for compiled code: are they text, are they equal, which of those seen before are they."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.decode.compiled import compiled

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["begins_with", "find_text", "is_text", "same_text"]

_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193
_MASK = 0xFFFFFFFF


@compiled
def is_text(data: ByteArray, start: int, end: int) -> bool:
    """Return whether the bytes in `[start, end)` are UTF-8, as strictly as Python and protobuf take it (RFC 3629)."""
    # Most texts are ASCII; this much is folded into the loops around it.
    seen = 0
    for at in range(start, end):
        seen |= data[at]
    return seen < 0x80 or _is_utf8(data, start, end)


@compiled
def _is_utf8(data: ByteArray, start: int, end: int) -> bool:
    at = start
    while at < end:
        first = data[at]
        if first < 0x80:
            at += 1
            continue
        if 0xC2 <= first <= 0xDF:
            size, low, high = 2, 0x80, 0xBF
        elif 0xE0 <= first <= 0xEF:
            size = 3
            low = 0xA0 if first == 0xE0 else 0x80
            high = 0x9F if first == 0xED else 0xBF
        elif 0xF0 <= first <= 0xF4:
            size = 4
            low = 0x90 if first == 0xF0 else 0x80
            high = 0x8F if first == 0xF4 else 0xBF
        else:
            return False
        if at + size > end or not low <= data[at + 1] <= high:
            return False
        for following in range(at + 2, at + size):
            if not 0x80 <= data[following] <= 0xBF:
                return False
        at += size
    return True


@compiled
def begins_with(
    data: ByteArray, start: int, end: int, other: ByteArray, other_start: int, other_end: int
) -> bool:
    """Return whether the bytes in `[start, end)` of *data* begin with those in `[other_start, other_end)` of *other*."""
    if end - start < other_end - other_start:
        return False
    for offset in range(other_end - other_start):
        if data[start + offset] != other[other_start + offset]:
            return False
    return True


@compiled
def same_text(
    data: ByteArray, start: int, end: int, other: ByteArray, other_start: int, other_end: int
) -> bool:
    """Return whether the two ranges hold the same bytes."""
    # Not by way of `begins_with`: a call within a call is not folded into the loop around it, and costs thirty times as much.
    if end - start != other_end - other_start:
        return False
    for offset in range(end - start):
        if data[start + offset] != other[other_start + offset]:
            return False
    return True


@compiled
def find_text(
    data: ByteArray, start: int, end: int, table: IntArray, texts: IntArray, n_texts: int
) -> tuple[int, int]:
    """
    Return the number of the text in `[start, end)` among those seen, and how many have been seen now.

    *texts*, shape (capacity, 2), holds the range of each text seen; *table*, of a power of two of entries that are -1 at first, says
    where to look. The number is -1 where there is no room for another.
    """
    hashed = _FNV_OFFSET
    for at in range(start, end):
        hashed = ((hashed ^ data[at]) * _FNV_PRIME) & _MASK
    last = len(table) - 1
    place = hashed & last
    while table[place] >= 0:
        known = table[place]
        if same_text(data, start, end, data, texts[known, 0], texts[known, 1]):
            return known, n_texts
        place = (place + 1) & last
    if n_texts >= len(texts):
        return -1, n_texts
    texts[n_texts, 0], texts[n_texts, 1] = start, end
    table[place] = n_texts
    return n_texts, n_texts + 1
