"""Where spans say a prediction id, and how large a batch was, for compiled code: nearly all that a span says is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.attributes import ML_BATCH_SIZE, ML_PREDICTION_ID
from otel_ml_processor.compiled import lean
from otel_ml_processor.decode.fast_wire import after_field, length_at, varint_at

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["UNUSUAL", "found_names"]

UNUSUAL: Final = -1
"""In place of where a name begins: the span is to be read as a whole."""

_NAME: Final = np.frombuffer(ML_PREDICTION_ID.encode(), np.uint8)
_SIZE: Final = np.frombuffer(ML_BATCH_SIZE.encode(), np.uint8)
# Tags of length-delimited fields: attributes of a span, key and value of an attribute; the text of a value, and its number.
_ATTRIBUTE: Final = np.uint64(0x4A)
_KEY: Final = 0x0A
_VALUE: Final = 0x12
_TEXT: Final = 0x0A
_NUMBER: Final = 0x18
_WIRE_TYPE: Final = np.uint64(7)


def found_names(request: bytes, places: IntArray) -> IntArray:
    """
    Return where the text of the prediction id of each span begins and ends, and the size of its batch, 0 for what it does not say, shape (n, 3).

    *places* (n, 2) are begin and end of the spans in *request*. What encoders do not write, an attribute with two keys or an id that is no text, is
    `UNUSUAL`.
    """
    found = np.zeros((len(places), 3), dtype=np.int64)
    _find(np.frombuffer(request, np.uint8), np.ascontiguousarray(places), _NAME, _SIZE, found)
    return found


@lean
def _find(
    data: ByteArray, places: IntArray, name: ByteArray, size: ByteArray, found: IntArray
) -> None:
    for row in range(len(places)):
        at, end = places[row, 0], places[row, 1]
        while at < end:
            tag, at = varint_at(data, at, end)
            if at >= 0 and tag != _ATTRIBUTE:
                at = after_field(data, at, end, np.int64(tag & _WIRE_TYPE))
            elif at >= 0:
                start, at = length_at(data, at, end)
                if at >= 0 and not _read(data, start, at, name, size, found, row):
                    at = -1
            if at < 0:
                found[row, 0] = UNUSUAL
                break


@lean
def _read(
    data: ByteArray,
    start: int,
    end: int,
    name: ByteArray,
    size: ByteArray,
    found: IntArray,
    row: int,
) -> bool:
    """Write what the attribute in `[start, end)` says into that *row*, if it is one of the two; return False where it is not written as encoders do."""
    if start == end or data[start] != _KEY:
        return start == end
    key, key_end = length_at(data, start + 1, end)
    if key < 0 or key_end == end or data[key_end] != _VALUE:
        return key_end == end
    value, value_end = length_at(data, key_end + 1, end)
    if value < 0 or value_end != end:
        return False
    if _is_same(data, key, key_end, name):
        text, text_end = length_at(data, value + 1, end) if value < end else (-1, -1)
        found[row, 0], found[row, 1] = text, text_end
        return text >= 0 and data[value] == _TEXT and text_end == end
    if _is_same(data, key, key_end, size):
        number, number_end = varint_at(data, value + 1, end) if value < end else (np.uint64(0), -1)
        found[row, 2] = np.int64(number)
        return number_end == end and data[value] == _NUMBER
    return True


@lean
def _is_same(data: ByteArray, start: int, end: int, text: ByteArray) -> bool:
    if end - start != len(text):
        return False
    for offset in range(len(text)):  # noqa: SIM110 - a generator is no loop for the compiler
        if data[start + offset] != text[offset]:
            return False
    return True
