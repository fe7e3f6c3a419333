"""Which stream each span of a request is of, and the texts of a column as small numbers, for compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import compiled
from otel_ml_processor.decode.fast_scan import Fact, State

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["number_streams", "number_texts"]

_PLAIN = int(State.PLAIN)
_MODEL, _VERSION = int(Fact.MODEL), int(Fact.VERSION)
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(32)


@compiled
def number_streams(
    messages: IntArray,
    spans: IntArray,
    states: ByteArray,
    facts: IntArray,
    groups: IntArray,
    group_of: IntArray,
    stream_of: IntArray,
    keys: IntArray,
    table: IntArray,
) -> tuple[int, int]:
    """
    Write which `resource_spans` and which stream each span is of; return how many of both there are.

    *groups* gets which messages are a `resource_spans` that has spans, *group_of* the position there of each span's; *keys* (n, 3) group, model and
    version of each stream, *stream_of* the position there of each plain span's, -1 of all others. *table* has a power of two of entries that are -1,
    more than there are spans.
    """
    n_groups = n_streams = 0
    last = len(table) - 1
    for row in range(len(spans)):
        parent = messages[spans[row, 3], 3]
        if n_groups == 0 or groups[n_groups - 1] != parent:  # they lie one behind the other
            groups[n_groups] = parent
            n_groups += 1
        group = n_groups - 1
        group_of[row] = group
        stream_of[row] = -1
        if states[row] != _PLAIN:
            continue
        model, version = facts[_MODEL, row], facts[_VERSION, row]
        hashed = (np.uint64(group) ^ np.uint64(model) << np.uint64(20)) * _MIXER
        hashed = (hashed ^ hashed >> _FOLD ^ np.uint64(version)) * _MIXER
        place = np.int64((hashed >> _FOLD) & np.uint64(last))
        while table[place] >= 0:
            known = table[place]
            if keys[known, 0] == group and keys[known, 1] == model and keys[known, 2] == version:
                break
            place = (place + 1) & last
        if table[place] < 0:
            keys[n_streams, 0], keys[n_streams, 1], keys[n_streams, 2] = group, model, version
            table[place] = n_streams
            n_streams += 1
        stream_of[row] = table[place]
    return n_groups, n_streams


@compiled
def number_texts(texts: IntArray, n_texts: int, codes: IntArray, used: IntArray) -> int:
    """
    Number those of *n_texts* texts that are in *texts* in the order in which they come there; return how many these are.

    *codes* gets the new numbers, *used* which texts they are of; what is negative becomes -1.
    """
    n_used = 0
    code_of = np.full(n_texts, -1, np.int64)
    for row in range(len(texts)):
        text = texts[row]
        codes[row] = -1
        if text >= 0:
            if code_of[text] < 0:
                code_of[text] = n_used
                used[n_used] = text
                n_used += 1
            codes[row] = code_of[text]
    return n_used
