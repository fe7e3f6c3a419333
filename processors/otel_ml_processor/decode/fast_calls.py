"""Which call of which process a span is, for compiled code; of spans that `scan_spans` found plain, so that every length holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_conventions.attributes import ML_CALL_SEQUENCE, ML_CALL_STREAM
from otel_ml_processor.decode.compiled import compiled
from otel_ml_processor.decode.fast_scan import State, after_field, length_at, varint_at
from otel_ml_processor.decode.fast_text import same_text
from otel_ml_processor.decode.fast_words import padded

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["scan_calls"]

_PLAIN = int(State.PLAIN)
_PROCESS, _PROCESS_SIZE = padded(ML_CALL_STREAM.encode()), len(ML_CALL_STREAM)
_NUMBER, _NUMBER_SIZE = padded(ML_CALL_SEQUENCE.encode()), len(ML_CALL_SEQUENCE)
_DIGITS = 16
_STRING, _INT = 0x0A, 0x18


@compiled
def scan_calls(data: ByteArray, spans: IntArray, states: ByteArray, calls: IntArray) -> None:
    """Write into *calls*, shape (n_spans, 2), what `call_of` says of each plain span, and (0, -1) of all others."""
    for row in range(len(spans)):
        process, number, is_named = np.uint64(0), np.int64(-1), False
        at, end = spans[row, 1], spans[row, 2]
        while states[row] == _PLAIN and at < end:
            tag, after = varint_at(data, at, end)
            if tag != 0x4A:
                at = after_field(data, after, end, np.int64(tag & np.uint64(7)))
                continue
            start, at = length_at(data, after, end)
            key_start, key_end = length_at(data, start + 1, at)
            size = key_end - key_start
            if size == _PROCESS_SIZE and same_text(data, key_start, key_end, _PROCESS, 0, size):
                is_named, process = _process(data, key_end, at)
            elif size == _NUMBER_SIZE and same_text(data, key_start, key_end, _NUMBER, 0, size):
                number = _number(data, key_end, at)
        is_said = is_named and number >= 0
        calls[row, 0] = np.int64(process) if is_said else 0
        calls[row, 1] = number if is_said else -1


@compiled
def _number(data: ByteArray, at: int, end: int) -> int:
    """Return the integer that the value at *at* is; -1 where it is none."""
    number: int = np.int64(-1)
    if at < end:
        start, stop = length_at(data, at + 1, end)
        if start < stop and data[start] == _INT:
            number = np.int64(varint_at(data, start + 1, stop)[0])
    return number


@compiled
def _process(data: ByteArray, at: int, end: int) -> tuple[bool, int]:
    """Return whether the value at *at* is sixteen hexadecimal digits, and which number these are."""
    bits = np.uint64(0)
    if at == end:
        return False, bits
    start, stop = length_at(data, at + 1, end)
    if start == stop or data[start] != _STRING:
        return False, bits
    start, stop = length_at(data, start + 1, stop)
    if stop - start != _DIGITS:
        return False, bits
    for place in range(start, stop):
        byte = data[place]
        if 48 <= byte <= 57:  # 0 to 9
            digit = byte - 48
        elif 97 <= (byte | 32) <= 102:  # a to f, A to F
            digit = (byte | 32) - 87
        else:
            return False, bits
        bits = (bits << np.uint64(4)) | np.uint64(digit)
    return True, bits
