"""
Where the messages and spans of a request lie, for compiled code.

Every length is checked against the end of what is around it. What is not plain, such as a resource in several parts, is not judged here: then the plain
decoder reads the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import lean
from otel_ml_processor.decode.fast_wire import after_field, length_at, varint_at

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["scan_framing"]


@lean
def scan_framing(
    data: ByteArray, end: int, messages: IntArray, spans: IntArray, max_fields: int
) -> tuple[int, int]:
    """
    Find the spans in `data[0:end]`; return how many messages and spans there are, or -1 where the framing is not plain.

    *messages* (n, 6) gets, for each `resource_spans` and `scope_spans` in their order, length_at, start, end, its parent (-1 for the request), and, of a
    `resource_spans`, where its resource begins and ends (0, 0 without one). *spans* (m, 4) gets length_at, start, end, and its `scope_spans`.
    """
    n_messages = n_spans = at = 0
    fields_left = max_fields
    while at < end:
        fields_left -= 1
        tag, after = varint_at(data, at, end)
        if after < 0 or fields_left < 0:
            return -1, -1
        if tag != 0x0A:
            at = _after_unknown(data, tag, after, end)
            if at < 0:
                return -1, -1
            continue
        start, stop = length_at(data, after, end)
        if start < 0 or n_messages >= len(messages):
            return -1, -1
        place = n_messages
        n_messages = _add_message(messages, n_messages, after, start, stop, -1)
        n_messages, n_spans, fields_left = _scan_resource(
            data, place, messages, spans, n_messages, n_spans, fields_left
        )
        if n_messages < 0:
            return -1, -1
        at = stop
    return n_messages, n_spans


@lean
def _add_message(
    messages: IntArray, n_messages: int, length_at: int, start: int, stop: int, parent: int
) -> int:
    messages[n_messages, 0], messages[n_messages, 1], messages[n_messages, 2] = (
        length_at,
        start,
        stop,
    )
    messages[n_messages, 3], messages[n_messages, 4], messages[n_messages, 5] = parent, 0, 0
    return n_messages + 1


@lean
def _after_unknown(data: ByteArray, tag: int, at: int, end: int) -> int:
    number = tag >> np.uint64(3)
    if number == 0 or number > np.uint64(0x1FFFFFFF):
        return -1
    return after_field(data, at, end, np.int64(tag & np.uint64(7)))


@lean
def _scan_resource(
    data: ByteArray,
    place: int,
    messages: IntArray,
    spans: IntArray,
    n_messages: int,
    n_spans: int,
    fields_left: int,
) -> tuple[int, int, int]:
    at, end = messages[place, 1], messages[place, 2]
    has_resource = False
    while at < end:
        fields_left -= 1
        tag, after = varint_at(data, at, end)
        if after < 0 or fields_left < 0:
            return -1, -1, -1
        if tag == 0x0A:
            start, stop = length_at(data, after, end)
            if start < 0 or has_resource:  # one in several parts is for the plain decoder
                return -1, -1, -1
            has_resource = True
            messages[place, 4], messages[place, 5] = start, stop
            at = stop
        elif tag == 0x12:
            start, stop = length_at(data, after, end)
            if start < 0 or n_messages >= len(messages):
                return -1, -1, -1
            scope = n_messages
            n_messages = _add_message(messages, n_messages, after, start, stop, place)
            n_spans, fields_left = _scan_scope(data, scope, messages, spans, n_spans, fields_left)
            if n_spans < 0:
                return -1, -1, -1
            at = stop
        else:
            at = _after_unknown(data, tag, after, end)
            if at < 0:
                return -1, -1, -1
    return n_messages, n_spans, fields_left


@lean
def _scan_scope(
    data: ByteArray, scope: int, messages: IntArray, spans: IntArray, n_spans: int, fields_left: int
) -> tuple[int, int]:
    at, end = messages[scope, 1], messages[scope, 2]
    while at < end:
        fields_left -= 1
        tag, after = varint_at(data, at, end)
        if after < 0 or fields_left < 0:
            return -1, -1
        if tag != 0x12:
            at = _after_unknown(data, tag, after, end)
            if at < 0:
                return -1, -1
            continue
        start, stop = length_at(data, after, end)
        if start < 0 or n_spans >= len(spans):
            return -1, -1
        spans[n_spans, 0], spans[n_spans, 1], spans[n_spans, 2] = after, start, stop
        spans[n_spans, 3] = scope
        n_spans += 1
        at = stop
    return n_spans, fields_left
