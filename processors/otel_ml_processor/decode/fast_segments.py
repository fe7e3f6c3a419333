"""
What spans say under names that the operator chose, for compiled code.

Only of spans that `scan_spans` found plain: their framing has been checked, so that every length holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import lean
from otel_ml_processor.decode.fast_lines import State
from otel_ml_processor.decode.fast_text import find_text, same_text
from otel_ml_processor.decode.fast_wire import after_field, length_at, varint_at

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["scan_segments"]

_PLAIN, _ODD = int(State.PLAIN), int(State.ODD)
_MAX_NAME = 256


@lean
def scan_segments(
    data: ByteArray,
    spans: IntArray,
    states: ByteArray,
    names: ByteArray,
    ends: IntArray,
    table: IntArray,
    texts: IntArray,
    found: IntArray,
) -> None:
    """
    Write into *found*, shape (n_names, n_spans), the number of the text that each plain span says under each name.

    -1 where its value is empty; what it does not have is left as it is. Text k lies in `texts[k]`, name i is `names[ends[i]:ends[i + 1]]`. A span that
    says something else than a text there becomes an odd one.
    """
    n_texts = 0
    for row in range(len(spans)):
        if states[row] != _PLAIN:
            continue
        at, end = spans[row, 1], spans[row, 2]
        while at < end:
            tag, after = varint_at(data, at, end)
            if tag != 0x4A:
                at = after_field(data, after, end, np.int64(tag & np.uint64(7)))
                continue
            start, at = length_at(data, after, end)
            key_start, key_end = length_at(data, start + 1, at)
            for name in range(len(ends) - 1):
                if same_text(data, key_start, key_end, names, ends[name], ends[name + 1]):
                    number, n_texts = _value(data, key_end, at, table, texts, n_texts)
                    if number < -1:
                        states[row] = _ODD
                    found[name, row] = number


@lean
def _value(
    data: ByteArray, at: int, end: int, table: IntArray, texts: IntArray, n_texts: int
) -> tuple[int, int]:
    """Return the number of the text that the value at *at* is, and how many there are; -1 for an empty value, -2 for what is no text."""
    if at == end:
        return -1, n_texts
    start, stop = length_at(data, at + 1, end)
    if start == stop:
        return -1, n_texts
    if data[start] != 0x0A:
        return -2, n_texts
    start, stop = length_at(data, start + 1, stop)
    if stop - start > _MAX_NAME:
        return -2, n_texts
    number, n_texts = find_text(data, start, stop, table, texts, n_texts)
    return (-2 if number < 0 else number), n_texts
