"""
What the spans of a request say that are inferences, for compiled code.

Every length is checked against the end of what is around it before anything in it is read, and *data* goes on for `BLOCK` zero bytes behind the
request, so that no read can leave it whatever the bytes say. What is not plain (a group, a field written twice, an event, a value of another type than
the conventions give) is not judged here: such a span is `ODD`, and the plain decoder reads it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.attributes import (
    ML_CALL_SEQUENCE,
    ML_CALL_STREAM,
    ML_CONTENT_TRUNCATED,
    ML_INPUT_FEATURES,
    ML_INPUT_HASH,
    ML_INPUT_ROWS,
    ML_INPUT_SCHEMA_HASH,
    ML_INPUT_VALUES,
    ML_MODEL_NAME,
    ML_MODEL_VERSION,
    ML_OPERATION_NAME,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_ENTROPY,
    ML_PREDICTION_ID,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_MARGIN,
    ML_PREDICTION_PROBABILITIES,
    ML_PREDICTION_VALUE,
    ML_PREDICTION_VALUES,
    ML_TASK_TYPE,
)
from otel_ml_processor.compiled import folded, lean
from otel_ml_processor.decode.fast_calls import hexadecimal_in
from otel_ml_processor.decode.fast_lines import Fact, Flag, State
from otel_ml_processor.decode.fast_text import find_text, is_ascii, is_utf8, same_text
from otel_ml_processor.decode.fast_trace_state import threshold_at
from otel_ml_processor.decode.fast_wire import length_at, varint_at
from otel_ml_processor.decode.fast_words import padded, word_at
from otel_ml_processor.decode.said import FEEDBACK_MARK, LIST_MARKS, Said
from otel_ml_processor.decode.spans import INFERENCES, VERDICT_PREFIX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["N_SCRATCH", "scan_spans"]

_OTHER, _PLAIN, _ODD = int(State.OTHER), int(State.PLAIN), int(State.ODD)
_SAYS_FEEDBACK, _SAYS_IDS, _SAYS_LISTS = (
    int(Said.FEEDBACK),
    int(Said.PREDICTION_IDS),
    int(Said.LISTS),
)
_END_TIME, _TEXT, _NUMBER, _JSON = (
    int(Fact.END_TIME),
    int(Fact.MODEL),
    int(Fact.CONFIDENCE),
    int(Fact.FEATURES),
)
_IDS, _CALL, _HASHES = int(Fact.IDS), int(Fact.CALL), int(Fact.HASHES)
_PROBABILITIES, _THRESHOLD = int(Fact.PROBABILITIES), int(Fact.THRESHOLD)
_HAS_VERDICT, _IS_CUT, _IS_FAILED = int(Flag.HAS_VERDICT), int(Flag.IS_CUT), int(Flag.IS_FAILED)

_READ = (
    ML_OPERATION_NAME,
    ML_MODEL_NAME,
    ML_MODEL_VERSION,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_ENTROPY,
    ML_PREDICTION_MARGIN,
    ML_PREDICTION_VALUE,
    ML_INPUT_FEATURES,
    ML_INPUT_VALUES,
    ML_CONTENT_TRUNCATED,
    ML_CALL_STREAM,
    ML_CALL_SEQUENCE,
    ML_INPUT_HASH,
    ML_INPUT_SCHEMA_HASH,
    ML_PREDICTION_PROBABILITIES,
    ML_PREDICTION_ID,
    ML_TASK_TYPE,
    ML_INPUT_ROWS,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_VALUES,
)
"""The attributes that are read; those of a batch are the last."""
_OPERATION, _MODEL, _VERSION, _LABEL = 0, 1, 2, 3
_CONFIDENCE, _FEATURES, _VALUES, _TRUNCATED = 4, 8, 9, 10
_CALL_STREAM, _CALL_SEQUENCE, _INPUT, _SCHEMA, _CLASSES, _NAME, _TASK = 11, 12, 13, 14, 15, 16, 17
_FIRST_OF_BATCH, _TRACE_STATE = 18, len(_READ)
_TRACE_ID, _SPAN_ID, _END, _STATUS, _VERDICTS, _FEEDBACKS, _OTHERS = range(
    _TRACE_STATE + 1, _TRACE_STATE + 8
)
"""No attributes, but found beside them: fields, what begins as `_PREFIXES` do, and what nobody asks for."""
_N_FOUND = _OTHERS + 1
_PLACE, _VALUE, _SIZE, _KIND, _KEY = range(5)
"""Of an attribute: where it lies, where in it its value begins, how long it is, and what it is."""
_MAX_SHAPES, _NO_SHAPE = 128, 1 << 40
_N_LATEST = 4
N_SCRATCH: Final = _N_FOUND + _MAX_SHAPES + _N_LATEST
_DIGITS, _COLON = 16, 58
_ATTRIBUTE = 0x4A
_ERROR = 2
_N_NUMBERS, _N_PROPORTIONS = 4, 3

_EMPTY, _STRING, _BOOL, _INT, _DOUBLE, _ARRAY, _BYTES, _IRREGULAR, _MISSING = *range(7), -1, -2
_NAN, _INFINITY = 0x7FF8000000000000, 0x7FF0000000000000
_MAGNITUDE, _LATEST = 0x7FFFFFFFFFFFFFFF, np.uint64(0x7FFFFFFFFFFFFFFF)
# Floats of one sign are ordered as their bits are.
_ONE, _ABOVE_ONE, _BELOW_ZERO = (
    int.from_bytes(struct.pack("<d", number), "little") for number in (1.0, 1.0 + 1e-6, 1e-6)
)
_MAX_NAME = 256
_MAX_SPAN_BYTES = 2 << 20
_MAX_ATTRIBUTES = 1024
_MAX_JSON = 1 << 20


def _bytes_of(texts: tuple[bytes, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts one after the other, and where each begins and the last ends."""
    return padded(b"".join(texts)), np.cumsum([0, *map(len, texts)])


def _by_length(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first text of each length, up to one more than the longest has, and the next of the same length after each text; -1 for none."""
    lengths = np.diff(ends).tolist()
    first = np.full(max(lengths) + 2, -1)
    following = np.full(len(lengths), -1)
    for text, length in reversed(list(enumerate(lengths))):
        first[length], following[text] = text, first[length]
    return first, following


# Constants of this module are part of the machine code: no function has to hand them on.
_KEYS, _KEY_ENDS = _bytes_of(tuple(key.encode() for key in _READ))
_FIRST_KEY, _NEXT_KEY = _by_length(_KEY_ENDS)
_LONGEST_KEY = len(_FIRST_KEY) - 2
_OPERATIONS, _OPERATION_ENDS = _bytes_of(tuple(name.encode() for name in sorted(INFERENCES)))
_PREFIXES, _PREFIX_ENDS = _bytes_of((VERDICT_PREFIX.encode(), FEEDBACK_MARK))
_LISTS, _LIST_ENDS = _bytes_of(LIST_MARKS)


@lean
def scan_spans(
    data: ByteArray,
    spans: IntArray,
    table: IntArray,
    texts: IntArray,
    scratch: IntArray,
    states: ByteArray,
    facts: IntArray,
    flags: NDArray[np.bool_],
) -> tuple[int, int]:
    """
    Read each of *spans* into *states*, *facts* and *flags*; return how many different texts there were, and what they say beyond these.

    That is `InferenceSpans.said`, or -1 where a span could not be read. Text k lies in `texts[k]`; *table* is that of `find_text`, *scratch* has shape (N_SCRATCH, 5). What is not said of a span is undefined, and so is all of
    one that is not plain.
    """
    n_texts = said = 0
    found, shapes = scratch[:_N_FOUND], scratch[_N_FOUND : _N_FOUND + _MAX_SHAPES]
    latest = scratch[_N_FOUND + _MAX_SHAPES :]
    shapes[:, _SIZE] = _NO_SHAPE
    latest[:, 0], latest[:, 1] = 0, -1  # the same as no text, not even as the empty one
    for row in range(len(spans)):
        start, end = spans[row, 1], spans[row, 2]
        states[row] = _ODD
        if end - start > _MAX_SPAN_BYTES or not _read_span(data, start, end, found, shapes):
            said = -1  # and stays that, whatever others say
            continue
        said |= _said(data, found)
        _read_ids(data, row, found, facts)
        flags[_HAS_VERDICT, row] = found[_VERDICTS, 0] != _MISSING
        flags[_IS_FAILED, row] = found[_STATUS, 0] == _ERROR
        states[row], n_texts = _read_inference(
            data, row, found, table, texts, n_texts, latest, facts, flags
        )
    return n_texts, said


@lean
def _read_span(data: ByteArray, at: int, end: int, found: IntArray, shapes: IntArray) -> bool:
    """
    Write what the span has to *found*; return whether it is plain.

    An attribute is read as the one in its place in the last span was, where it begins with the same bytes; see `_read_alike`.
    """
    found[:, 0] = _MISSING
    n_attributes = 0
    while at < end:
        if data[at] != _ATTRIBUTE:
            at = _read_field(data, at, end, found)
        else:
            place = min(n_attributes, _MAX_SHAPES - 1)
            n_attributes += 1
            after = _read_alike(data, at, end, found, shapes[place])
            if after < 0 and n_attributes <= _MAX_ATTRIBUTES:
                after = _read_attribute(data, at, end, found, shapes[place])
            at = after
        if at < 0:
            return False
    return True


@folded
def _read_alike(data: ByteArray, at: int, end: int, found: IntArray, shape: IntArray) -> int:
    """
    Return the offset behind the attribute at *at* where it is of that *shape*, which is written to *found*; -1 where it is not.

    It is where it has the same bytes up to its value as the one that the shape was taken from: then key, type and all lengths are the
    same, and nothing but the value has to be read.
    """
    first: int = at + shape[_VALUE]
    second: int = at + shape[_SIZE]
    if second > end or not same_text(
        data, at, first, data, shape[_PLACE], shape[_PLACE] + shape[_VALUE]
    ):
        return -1
    kind, value = shape[_KIND], first
    if kind == _DOUBLE:
        value = np.int64(word_at(data, first))
    elif kind == _INT:
        number, stop = varint_at(data, first, second)
        if stop != second:
            return -1
        value = np.int64(number)
    elif not is_ascii(data, first, second):
        return -1
    key = shape[_KEY]
    found[key, 0], found[key, 1], found[key, 2] = kind, value, second
    return second


@lean
def _read_attribute(data: ByteArray, at: int, end: int, found: IntArray, shape: IntArray) -> int:
    """Return the offset behind the attribute at *at*, which is written to *found*, as is what it is like to *shape*; -1 where it is not plain."""
    start, stop = length_at(data, at + 1, end)
    if start < 0 or start >= stop or data[start] != 0x0A:
        return -1
    key_start, key_end = length_at(data, start + 1, stop)
    if key_start < 0 or not _is_text(data, key_start, key_end):
        return -1
    kind, value, first, second = _EMPTY, key_end, key_end, key_end
    if key_end < stop:
        start, second = length_at(data, key_end + 1, stop)
        if data[key_end] != 0x12 or start < 0 or second != stop:
            return -1
        kind, value, first, second = _read_value(data, start, stop)
        if kind == _IRREGULAR:
            return -1
    key = _key(data, key_start, key_end)
    found[key, 0], found[key, 1], found[key, 2] = kind, first, second
    shape[_PLACE], shape[_VALUE], shape[_SIZE] = at, value - at, stop - at
    shape[_KIND], shape[_KEY] = kind, key
    if kind != _STRING and kind != _DOUBLE and kind != _INT:
        shape[_SIZE] = _NO_SHAPE
    return stop


@lean
def _key(data: ByteArray, start: int, end: int) -> int:
    """Return the row of the attribute whose key lies in `[start, end)`."""
    key: int = _FIRST_KEY[min(end - start, _LONGEST_KEY + 1)]
    while key >= 0:
        if same_text(data, start, end, _KEYS, _KEY_ENDS[key], _KEY_ENDS[key + 1]):
            return key
        key = _NEXT_KEY[key]
    for prefix in range(len(_PREFIX_ENDS) - 1):
        first, last = _PREFIX_ENDS[prefix], _PREFIX_ENDS[prefix + 1]
        stop = start + last - first
        if stop <= end and same_text(data, start, stop, _PREFIXES, first, last):
            return _VERDICTS + prefix
    return _OTHERS


@lean
def _read_value(data: ByteArray, at: int, end: int) -> tuple[int, int, int, int]:
    """Return the kind of the value in `[at, end)`, where what it says begins, and its range or its bits."""
    if at == end:
        return _EMPTY, at, at, end
    tag = data[at]
    if tag == 0x0A:
        start, stop = length_at(data, at + 1, end)
        if start >= 0 and stop == end and _is_text(data, start, stop):
            return _STRING, start, start, stop
    elif tag == 0x21:
        if at + 9 == end:
            return _DOUBLE, at + 1, np.int64(word_at(data, at + 1)), end
    elif tag == 0x10 or tag == 0x18:
        value, stop = varint_at(data, at + 1, end)
        if stop == end:
            return (_BOOL if tag == 0x10 else _INT), at + 1, np.int64(value), end
    elif tag == 0x2A or tag == 0x3A:
        start, stop = length_at(data, at + 1, end)
        if start >= 0 and stop == end and (tag == 0x3A or _is_flat_array(data, start, stop)):
            return (_ARRAY if tag == 0x2A else _BYTES), start, start, stop
    return _IRREGULAR, at, at, end


@lean
def _read_field(data: ByteArray, at: int, end: int, found: IntArray) -> int:
    """Return the offset behind a field of a span that is no attribute, and write it to *found* where it says something; -1 where it is not plain."""
    tag, after = varint_at(data, at, end)
    if after < 0:
        return -1
    if tag == 0x41 or tag == 0x39:  # end_time_unix_nano, start_time_unix_nano
        if after + 8 > end:
            return -1
        if tag == 0x41:
            found[_END, 0], found[_END, 1] = _INT, np.int64(min(word_at(data, after), _LATEST))
        return after + 8
    if tag == 0x30 or tag == 0x50 or tag == 0x60 or tag == 0x70:  # kind, and what was dropped
        return varint_at(data, after, end)[1]
    if tag == 0x85:  # flags, field 16
        return after + 4 if after + 4 <= end else -1
    start, stop = length_at(data, after, end)
    if start < 0:
        return -1
    if tag == 0x0A or tag == 0x12:  # trace_id, span_id
        key, size = (_TRACE_ID, 16) if tag == 0x0A else (_SPAN_ID, 8)
        found[key, 0], found[key, 1] = (_BYTES if stop - start == size else _MISSING), start
        return stop
    if tag == 0x22:  # parent_span_id
        return stop
    if tag == 0x7A:
        return stop if _read_status(data, start, stop, found) else -1
    if (tag != 0x1A and tag != 0x2A) or not _is_text(data, start, stop):
        return -1
    if tag == 0x1A:
        found[_TRACE_STATE, 0], found[_TRACE_STATE, 1] = _STRING, start
        found[_TRACE_STATE, 2] = stop
    return stop


@lean
def _read_status(data: ByteArray, at: int, end: int, found: IntArray) -> bool:
    """Write its code to *found*; return whether the status in `[at, end)` is plain. Of several, against the rules, each field's last value holds."""
    while at < end:
        tag, after = varint_at(data, at, end)
        if after < 0:
            return False
        if tag == 0x12:
            start, at = length_at(data, after, end)
            if start < 0 or not _is_text(data, start, at):
                return False
        elif tag == 0x18:
            code, at = varint_at(data, after, end)
            if at < 0:
                return False
            found[_STATUS, 0] = _ERROR if code == _ERROR else _MISSING
        else:
            return False
    return True


@lean
def _is_text(data: ByteArray, start: int, end: int) -> bool:
    return is_ascii(data, start, end) or is_utf8(data, start, end)


@lean
def _is_flat_array(data: ByteArray, at: int, end: int) -> bool:
    while at < end:
        if data[at] != 0x0A:
            return False
        start, stop = length_at(data, at + 1, end)
        if start < 0 or not _is_scalar(data, start, stop):
            return False
        at = stop
    return True


@lean
def _is_scalar(data: ByteArray, at: int, end: int) -> bool:
    if at == end:
        return True
    tag = data[at]
    at += 1
    if tag == 0x0A or tag == 0x3A:
        start, stop = length_at(data, at, end)
        return start >= 0 and stop == end and (tag == 0x3A or _is_text(data, start, stop))
    if tag == 0x10 or tag == 0x18:
        return varint_at(data, at, end)[1] == end
    return tag == 0x21 and at + 8 == end


@lean
def _said(data: ByteArray, found: IntArray) -> int:
    """Return what the span with that in *found* says beyond its columns."""
    said = 0
    if found[_FEEDBACKS, 0] != _MISSING:
        said |= _SAYS_FEEDBACK
    if found[_NAME, 0] != _MISSING:
        said |= _SAYS_IDS
    if found[_TASK, 0] == _STRING:
        for task in range(len(_LIST_ENDS) - 1):
            first, last = _LIST_ENDS[task], _LIST_ENDS[task + 1]
            if same_text(data, found[_TASK, 1], found[_TASK, 2], _LISTS, first, last):
                said |= _SAYS_LISTS
    return said


@lean
def _read_ids(data: ByteArray, row: int, found: IntArray, facts: IntArray) -> None:
    """Write ids and end time; 0 where they are not said."""
    facts[_END_TIME, row] = found[_END, 1] if found[_END, 0] == _INT else 0
    facts[_IDS, row], facts[_IDS + 1, row], facts[_IDS + 2, row] = 0, 0, 0
    if found[_TRACE_ID, 0] == _BYTES:
        facts[_IDS, row] = np.int64(word_at(data, found[_TRACE_ID, 1]))
        facts[_IDS + 1, row] = np.int64(word_at(data, found[_TRACE_ID, 1] + 8))
    if found[_SPAN_ID, 0] == _BYTES:
        facts[_IDS + 2, row] = np.int64(word_at(data, found[_SPAN_ID, 1]))


@lean
def _read_inference(
    data: ByteArray,
    row: int,
    found: IntArray,
    table: IntArray,
    texts: IntArray,
    n_texts: int,
    latest: IntArray,
    facts: IntArray,
    flags: NDArray[np.bool_],
) -> tuple[int, int]:
    """
    Return the state of the span with that in *found*, and how many texts have been seen.

    *latest* is where operation, model and version of the one before lie, and which texts these are: most often they are the same.
    """
    if found[_OPERATION, 0] == _MISSING or found[_OPERATION, 0] == _EMPTY:
        return _OTHER, n_texts
    if found[_OPERATION, 0] != _STRING:
        return _ODD, n_texts
    if not _is_inference(data, found[_OPERATION, 1], found[_OPERATION, 2], latest[_OPERATION]):
        return (
            _OTHER if found[_OPERATION, 2] - found[_OPERATION, 1] <= _MAX_NAME else _ODD
        ), n_texts
    if found[_MODEL, 0] != _STRING or found[_MODEL, 1] == found[_MODEL, 2]:
        return _ODD, n_texts
    for key in range(_FIRST_OF_BATCH, _TRACE_STATE):
        if found[key, 0] != _MISSING:
            return _ODD, n_texts
    for key in range(_MODEL, _LABEL + 1):
        start, end, number = found[key, 1], found[key, 2], -1
        is_there = found[key, 0] != _MISSING and found[key, 0] != _EMPTY
        if is_there and (found[key, 0] != _STRING or end - start > _MAX_NAME):
            return _ODD, n_texts
        if is_there and (key == _LABEL or start < end):
            if same_text(data, start, end, data, latest[key, 0], latest[key, 1]):
                number = latest[key, 2]
            else:
                number, n_texts = find_text(data, start, end, table, texts, n_texts)
                if number < 0:
                    return _ODD, n_texts
                latest[key, 0], latest[key, 1], latest[key, 2] = start, end, number
        facts[_TEXT + key - _MODEL, row] = number
    if not _read_numbers(row, found, facts):
        return _ODD, n_texts
    _read_call(data, row, found, facts)
    _read_hashes(data, row, found, facts)
    facts[_THRESHOLD, row] = -1
    if found[_TRACE_STATE, 0] == _STRING:
        facts[_THRESHOLD, row] = threshold_at(data, found[_TRACE_STATE, 1], found[_TRACE_STATE, 2])
    if not _read_probabilities(row, found, facts):
        return _ODD, n_texts
    return _read_content(row, found, facts, flags), n_texts


@lean
def _is_inference(data: ByteArray, start: int, end: int, latest: IntArray) -> bool:
    if same_text(data, start, end, data, latest[0], latest[1]):
        return True
    for known in range(len(_OPERATION_ENDS) - 1):
        first, last = _OPERATION_ENDS[known], _OPERATION_ENDS[known + 1]
        if same_text(data, start, end, _OPERATIONS, first, last):
            latest[0], latest[1] = start, end
            return True
    return False


@lean
def _read_call(data: ByteArray, row: int, found: IntArray, facts: IntArray) -> None:
    facts[_CALL, row], facts[_CALL + 1, row] = 0, -1
    if found[_CALL_STREAM, 0] == _STRING and found[_CALL_SEQUENCE, 0] == _INT:
        number = found[_CALL_SEQUENCE, 1]
        is_read, process = hexadecimal_in(data, found[_CALL_STREAM, 1], found[_CALL_STREAM, 2])
        if is_read and number >= 0:
            facts[_CALL, row], facts[_CALL + 1, row] = process, number


@lean
def _read_hashes(data: ByteArray, row: int, found: IntArray, facts: IntArray) -> None:
    facts[_HASHES, row], facts[_HASHES + 1, row] = 0, 0
    start, end = found[_INPUT, 1], found[_INPUT, 2]
    digits = end - _DIGITS
    if found[_INPUT, 0] == _STRING and digits > start + 1 and data[digits - 1] == _COLON:
        is_read, bits = hexadecimal_in(data, digits, end)
        facts[_HASHES, row] = bits if is_read else 0
    if found[_SCHEMA, 0] == _STRING:
        is_read, bits = hexadecimal_in(data, found[_SCHEMA, 1], found[_SCHEMA, 2])
        facts[_HASHES + 1, row] = bits if is_read else 0


@lean
def _read_numbers(row: int, found: IntArray, facts: IntArray) -> bool:
    """Write the bits of the four numbers; return whether each is a float in its range, or not there."""
    for index in range(_N_NUMBERS):
        kind = found[_CONFIDENCE + index, 0]
        bits = np.int64(_NAN)
        if kind == _DOUBLE:
            bits = found[_CONFIDENCE + index, 1]
            size = bits & _MAGNITUDE
            if size > _INFINITY:  # a NaN that was said
                return False
            if index < _N_PROPORTIONS:
                if size > (_ABOVE_ONE if bits >= 0 else _BELOW_ZERO):
                    return False
                if bits < 0 and size > 0:
                    bits = np.int64(0)
                elif size > _ONE:
                    bits = np.int64(_ONE)
        elif kind != _MISSING and kind != _EMPTY:
            return False
        facts[_NUMBER + index, row] = bits
    return True


@lean
def _read_probabilities(row: int, found: IntArray, facts: IntArray) -> bool:
    """Write where the probabilities of all classes lie; return whether they are a text of a size that is read, or not there."""
    facts[_PROBABILITIES, row], facts[_PROBABILITIES + 1, row] = -1, -1
    if found[_CLASSES, 0] == _MISSING:
        return True
    if found[_CLASSES, 0] != _STRING or found[_CLASSES, 2] - found[_CLASSES, 1] > _MAX_JSON:
        return False
    facts[_PROBABILITIES, row] = found[_CLASSES, 1]
    facts[_PROBABILITIES + 1, row] = found[_CLASSES, 2]
    return True


@lean
def _read_content(row: int, found: IntArray, facts: IntArray, flags: NDArray[np.bool_]) -> int:
    """Write where the features lie, and whether they were cut; return the state of the span."""
    flags[_IS_CUT, row] = False
    facts[_JSON, row], facts[_JSON + 1, row] = -1, -1
    if found[_TRUNCATED, 0] != _MISSING:
        if found[_TRUNCATED, 0] != _BOOL:
            return _ODD
        flags[_IS_CUT, row] = found[_TRUNCATED, 1] != 0
    if found[_FEATURES, 0] == _STRING:
        if found[_FEATURES, 2] - found[_FEATURES, 1] > _MAX_JSON:
            return _ODD
        facts[_JSON, row], facts[_JSON + 1, row] = found[_FEATURES, 1], found[_FEATURES, 2]
    elif found[_FEATURES, 0] != _MISSING or found[_VALUES, 0] != _MISSING:
        return _ODD
    return _PLAIN
