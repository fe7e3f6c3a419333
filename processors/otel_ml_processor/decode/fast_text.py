"""
Texts within the bytes of a request, for compiled code: are they text, are they equal, which of those seen before are they.

All read whole blocks: behind the last text of an array at least `BLOCK` bytes more must follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import folded, lean
from otel_ml_processor.decode.fast_words import BLOCK, differing, not_ascii, word_at

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["find_text", "is_ascii", "is_utf8", "same_text"]

_ONE = np.uint64(1)
_BITS = np.uint64(64)
_MIXER = np.uint64(0x9E3779B97F4A7C15)
"""Two to the 64th by the golden ratio (D. E. Knuth, The Art of Computer Programming, volume 3, section 6.4)."""
_FOLD = np.uint64(32)


@folded
def is_ascii(data: ByteArray, start: int, end: int) -> bool:
    """Return whether the bytes in `[start, end)` are ASCII. Whoever asks whether they are text asks this first: most are."""
    at = start
    while at + BLOCK < end:
        if not_ascii(data, at) != 0:
            return False
        at += BLOCK
    return bool(not_ascii(data, at) & ((_ONE << np.uint64(end - at)) - _ONE) == 0)


@lean
def is_utf8(data: ByteArray, start: int, end: int) -> bool:
    """Return whether the bytes in `[start, end)` are UTF-8, as strictly as Python and protobuf take it (RFC 3629)."""
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


@folded
def same_text(
    data: ByteArray, start: int, end: int, other: ByteArray, other_start: int, other_end: int
) -> bool:
    """Return whether the two ranges hold the same bytes."""
    if end - start != other_end - other_start:
        return False
    while start + BLOCK < end:
        if differing(data, start, other, other_start) != 0:
            return False
        start += BLOCK
        other_start += BLOCK
    rest = (_ONE << np.uint64(end - start)) - _ONE
    return bool(differing(data, start, other, other_start) & rest == 0)


@lean
def find_text(
    data: ByteArray, start: int, end: int, table: IntArray, texts: IntArray, n_texts: int
) -> tuple[int, int]:
    """
    Return the number of the text in `[start, end)` among those seen, and how many have been seen now.

    *texts*, shape (capacity, 3), holds the range of each text seen, and its place in *table*, which says where to look. That has a power of two of
    entries, more than there are texts, and need not be cleared: an entry counts where the text that it names says its place. The number
    is -1 where there is no room for another.
    """
    hashed = np.uint64(end - start)
    at = start
    while at + 8 <= end:
        hashed = (hashed ^ word_at(data, at)) * _MIXER
        hashed ^= hashed >> _FOLD
        at += 8
    if at < end:
        rest = _BITS - np.uint64(8 * (end - at))
        hashed = (hashed ^ (word_at(data, at) << rest)) * _MIXER
        hashed ^= hashed >> _FOLD
    last = len(table) - 1
    place = np.int64(hashed & np.uint64(last))
    known = table[place]
    while 0 <= known < n_texts and texts[known, 2] == place:
        if same_text(data, start, end, data, texts[known, 0], texts[known, 1]):
            return known, n_texts
        place = (place + 1) & last
        known = table[place]
    if n_texts >= len(texts):
        return -1, n_texts
    texts[n_texts, 0], texts[n_texts, 1], texts[n_texts, 2] = start, end, place
    table[place] = n_texts
    return n_texts, n_texts + 1
