"""
Where the spans of a request lie and what those say that are inferences, for compiled code.

Every length is checked against the end of what is around it before anything in it is read, and *data* goes on for `TAIL` zero bytes behind the
request, so that no read can leave it whatever the bytes say. What is not plain (a group, a field written twice, an event, a value of another type than
the conventions give) is not judged here: such a span is `ODD`, and the plain decoder reads it.
"""

from __future__ import annotations

import struct
from enum import IntEnum
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
    ML_PREDICTION_LABEL,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_MARGIN,
    ML_PREDICTION_PROBABILITIES,
    ML_PREDICTION_VALUE,
    ML_PREDICTION_VALUES,
)
from otel_ml_processor.compiled import compiled
from otel_ml_processor.decode.fast_calls import call_process
from otel_ml_processor.decode.fast_text import find_text, is_ascii, is_utf8, same_text
from otel_ml_processor.decode.fast_trace_state import threshold_at
from otel_ml_processor.decode.fast_wire import after_field, length_at, varint_at
from otel_ml_processor.decode.fast_words import BLOCK, padded, word_at
from otel_ml_processor.decode.spans import INFERENCES, VERDICT_PREFIX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = [
    "N_FACTS",
    "N_FLAGS",
    "TAIL",
    "Fact",
    "Flag",
    "State",
    "scan_framing",
    "scan_spans",
]

TAIL = BLOCK
"""Zero bytes behind the request: more than the longest number, and as many as are read at once."""


class State(IntEnum):
    """What came of a span."""

    OTHER = 0
    """No inference: nothing is to be said of it."""
    PLAIN = 1
    """An inference of one sample, read."""
    ODD = 2
    """To be read by the plain decoder, whatever it is."""


class Fact(IntEnum):
    """What is said of a plain span in 64 bits: the lines of a block of shape (N_FACTS, n_spans)."""

    END_TIME = 0
    MODEL = 1
    VERSION = 2
    """The number of the text, -1 without; likewise LABEL."""
    LABEL = 3
    CONFIDENCE = 4
    """The bits of a float, of four in a row: confidence, entropy and margin, clipped to [0, 1], and value; NaN where not said."""
    FEATURES = 8
    """Where the JSON text begins, and in the next line where it ends; -1 without."""
    IDS = 10
    """In three lines, as `InferenceSpans.ids` has them: the trace id and the span id. Of odd spans too, as far as they were read."""
    CALL = 13
    """In two lines, as `InferenceColumns.calls` has them: the process and the number of the call."""
    HASHES = 15
    """In two lines, as `InferenceColumns.hashes` has them: of the input and of its schema."""
    PROBABILITIES = 17
    """Where the JSON text of those of all classes begins, and in the next line where it ends; -1 without."""
    THRESHOLD = 19
    """As `InferenceColumns.thresholds` has it."""


N_FACTS: Final = 20


class Flag(IntEnum):
    """What is so or not of a span: the lines of a block of shape (N_FLAGS, n_spans)."""

    HAS_VERDICT = 0
    IS_CUT = 1
    IS_FAILED = 2


N_FLAGS: Final = 3

_OTHER, _PLAIN, _ODD = int(State.OTHER), int(State.PLAIN), int(State.ODD)
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
    ML_INPUT_ROWS,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_VALUES,
)
"""The attributes that are read; those of a batch are the last."""
_OPERATION, _MODEL, _VERSION, _LABEL = 0, 1, 2, 3
_CONFIDENCE, _FEATURES, _VALUES, _TRUNCATED = 4, 8, 9, 10
_CALL_STREAM, _CALL_SEQUENCE, _INPUT, _SCHEMA, _CLASSES, _FIRST_OF_BATCH = 11, 12, 13, 14, 15, 16
_DIGITS, _COLON = 16, 58
_N_KEYS = len(_READ)
_TRACE_STATE = _N_KEYS
"""No attribute, but found beside them."""
_ERROR = 2
_N_NUMBERS, _N_PROPORTIONS = 4, 3

_EMPTY, _STRING, _BOOL, _INT, _DOUBLE, _ARRAY, _MAP, _BYTES, _IRREGULAR = 0, 1, 2, 3, 4, 5, 6, 7, -1
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


def _bytes_of(texts: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts one after the other, and where each begins and the last ends."""
    encoded = [text.encode() for text in texts]
    return padded(b"".join(encoded)), np.cumsum([0, *map(len, encoded)])


def _by_length(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first text of each length, up to one more than the longest has, and the next of the same length after each text; -1 for none."""
    lengths = np.diff(ends).tolist()
    first = np.full(max(lengths) + 2, -1)
    following = np.full(len(lengths), -1)
    for text, length in reversed(list(enumerate(lengths))):
        first[length], following[text] = text, first[length]
    return first, following


# Constants of this module are part of the machine code; as arguments they would be counted at every call, which takes longer than the call.
_KEYS, _KEY_ENDS = _bytes_of(_READ)
_FIRST_KEY, _NEXT_KEY = _by_length(_KEY_ENDS)
_LONGEST_KEY = len(_FIRST_KEY) - 2
_OPERATIONS, _OPERATION_ENDS = _bytes_of(tuple(sorted(INFERENCES)))
_VERDICT, _VERDICT_SIZE = padded(VERDICT_PREFIX.encode()), len(VERDICT_PREFIX)


@compiled
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


@compiled
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


@compiled
def _after_unknown(data: ByteArray, tag: int, at: int, end: int) -> int:
    number = tag >> np.uint64(3)
    if number == 0 or number > np.uint64(0x1FFFFFFF):
        return -1
    return after_field(data, at, end, np.int64(tag & np.uint64(7)))


@compiled
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


@compiled
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


@compiled
def scan_spans(
    data: ByteArray,
    spans: IntArray,
    table: IntArray,
    texts: IntArray,
    states: ByteArray,
    facts: IntArray,
    flags: NDArray[np.bool_],
) -> int:
    """
    Read each of *spans* into *states*, *facts* and *flags*; return how many different texts there were.

    Text k lies in `texts[k]`; *table* is that of `find_text`. What is not said of a span is undefined, but of every one the flags and the ids are said.
    """
    n_texts = 0
    found = np.empty((_N_KEYS + 1, 3), np.int64)
    for row in range(len(spans)):
        found[:, 0] = _EMPTY - 2  # not there
        facts[_END_TIME, row] = 0
        facts[_IDS : _IDS + 3, row] = 0
        flags[:, row] = False
        states[row] = _ODD
        is_plain = False
        if spans[row, 2] - spans[row, 1] <= _MAX_SPAN_BYTES:
            is_plain, has_verdict, is_failed, end_time, trace_at, span_at = _read_span(
                data, spans[row, 1], spans[row, 2], found
            )
        if is_plain:
            flags[_HAS_VERDICT, row], flags[_IS_FAILED, row] = has_verdict, is_failed
            facts[_END_TIME, row] = np.int64(min(end_time, _LATEST))
            if trace_at >= 0:
                facts[_IDS, row] = np.int64(word_at(data, trace_at))
                facts[_IDS + 1, row] = np.int64(word_at(data, trace_at + 8))
            if span_at >= 0:
                facts[_IDS + 2, row] = np.int64(word_at(data, span_at))
            states[row], n_texts = _read_inference(
                data, row, found, table, texts, n_texts, facts, flags
            )
    return n_texts


@compiled
def _read_span(
    data: ByteArray, at: int, end: int, found: IntArray
) -> tuple[bool, bool, bool, int, int, int]:
    """
    Return whether the span is plain, whether it carries a verdict, whether it failed, its end time, and where its trace id and its span id lie.

    An id that is not there, or not as long as OTLP has it, lies at -1. The attributes are written to *found*.

    One long function, because a call that is not folded into its caller counts the references to every array it is given, which takes
    longer than reading an attribute.
    """
    end_time = np.uint64(0)
    n_attributes = 0
    has_verdict = is_failed = False
    trace_at, span_at = -1, -1
    while at < end:
        tag, after = varint_at(data, at, end)
        if after < 0:
            return False, False, False, end_time, -1, -1
        if tag != 0x4A:  # no attribute
            if tag == 0x41 and after + 8 <= end:
                end_time = word_at(data, after)
                at = after + 8
                continue
            if tag == 0x0A or tag == 0x12:  # trace_id, span_id
                start, stop = length_at(data, after, end)
                if tag == 0x0A:
                    trace_at = start if stop - start == 16 else -1
                else:
                    span_at = start if stop - start == 8 else -1
                at = stop if start >= 0 else -1
            elif (
                tag == 0x7A
            ):  # status; of several, against the rules, each field's last value holds
                start, at = length_at(data, after, end)
                is_plain, is_failed = _read_status(data, start, at, is_failed)
                at = at if is_plain else -1
            else:
                at = _after_other(data, tag, after, end)
                if tag == 0x1A:
                    found[_TRACE_STATE, 0], found[_TRACE_STATE, 1] = _STRING, after
                    found[_TRACE_STATE, 2] = at
            if at < 0:
                return False, False, False, end_time, -1, -1
            continue
        start, stop = length_at(data, after, end)
        n_attributes += 1
        if start < 0 or n_attributes > _MAX_ATTRIBUTES or start >= stop or data[start] != 0x0A:
            return False, False, False, end_time, -1, -1
        key_start, key_end = length_at(data, start + 1, stop)
        if key_start < 0 or not (
            is_ascii(data, key_start, key_end) or is_utf8(data, key_start, key_end)
        ):
            return False, False, False, end_time, -1, -1
        kind, first, second = _EMPTY, key_end, key_end
        if key_end < stop:
            first, second = length_at(data, key_end + 1, stop)
            if data[key_end] != 0x12 or first < 0 or second != stop:
                return False, False, False, end_time, -1, -1
            if first < stop and data[first] == 0x0A:  # most values are texts
                kind = _STRING
                first, second = length_at(data, first + 1, stop)
                if (
                    first < 0
                    or second != stop
                    or not (is_ascii(data, first, second) or is_utf8(data, first, second))
                ):
                    return False, False, False, end_time, -1, -1
            elif first + 9 == stop and data[first] == 0x21:
                kind, first, second = _DOUBLE, np.int64(word_at(data, first + 1)), stop
            elif first + 2 == stop and data[first] == 0x18 and data[first + 1] < 0x80:
                kind, first, second = _INT, np.int64(data[first + 1]), stop
            else:
                kind, first, second = _read_value(data, first, stop)
                if kind == _IRREGULAR:
                    return False, False, False, end_time, -1, -1
        key = _FIRST_KEY[min(key_end - key_start, _LONGEST_KEY + 1)]
        while key >= 0 and not same_text(
            data, key_start, key_end, _KEYS, _KEY_ENDS[key], _KEY_ENDS[key + 1]
        ):
            key = _NEXT_KEY[key]
        if key >= 0:
            found[key, 0], found[key, 1], found[key, 2] = kind, first, second
        elif key_end - key_start >= _VERDICT_SIZE and same_text(
            data, key_start, key_start + _VERDICT_SIZE, _VERDICT, 0, _VERDICT_SIZE
        ):
            has_verdict = True
        at = stop
    return True, has_verdict, is_failed, end_time, trace_at, span_at


@compiled
def _read_value(data: ByteArray, at: int, end: int) -> tuple[int, int, int]:
    """Return the kind of the value in `[at, end)`, which is no text, and its range or its bits."""
    if at == end:
        return _EMPTY, at, end
    tag = data[at]
    if tag == 0x21 and at + 9 == end:
        return _DOUBLE, np.int64(word_at(data, at + 1)), end
    if tag == 0x10 or tag == 0x18:
        value, stop = varint_at(data, at + 1, end)
        if stop == end:
            return (_BOOL if tag == 0x10 else _INT), np.int64(value), end
    elif tag == 0x2A or tag == 0x3A:
        start, stop = length_at(data, at + 1, end)
        if start >= 0 and stop == end and (tag == 0x3A or _is_flat_array(data, start, stop)):
            return (_ARRAY if tag == 0x2A else _BYTES), start, stop
    return _IRREGULAR, at, end


@compiled
def _after_other(data: ByteArray, tag: int, at: int, end: int) -> int:
    """Return the offset behind a field of a span that says nothing here; -1 where the plain decoder must look at it."""
    if tag == 0x1A or tag == 0x2A:  # trace_state, name
        start, stop = length_at(data, at, end)
        return (
            stop
            if start >= 0 and (is_ascii(data, start, stop) or is_utf8(data, start, stop))
            else -1
        )
    if tag == 0x22:  # parent_span_id
        return length_at(data, at, end)[1]
    if tag == 0x39:  # start_time_unix_nano
        return at + 8 if at + 8 <= end else -1
    if (
        tag == 0x30 or tag == 0x50 or tag == 0x60 or tag == 0x70
    ):  # kind and the counts of what was dropped
        return varint_at(data, at, end)[1]
    if tag == 0x85:  # flags, field 16
        return at + 4 if at + 4 <= end else -1
    return -1


@compiled
def _read_status(data: ByteArray, at: int, end: int, is_failed: bool) -> tuple[bool, bool]:
    """Return whether the status in `[at, end)` is plain, -1 for *at* where it is not, and whether it is an error; *is_failed* where it does not say."""
    if at < 0:
        return False, is_failed
    while at < end:
        tag, after = varint_at(data, at, end)
        if after < 0:
            return False, is_failed
        if tag == 0x12:
            start, stop = length_at(data, after, end)
            if start < 0 or not (is_ascii(data, start, stop) or is_utf8(data, start, stop)):
                return False, is_failed
            at = stop
        elif tag == 0x18:
            code, at = varint_at(data, after, end)
            if at < 0:
                return False, is_failed
            is_failed = code == _ERROR
        else:
            return False, is_failed
    return True, is_failed


@compiled
def _is_flat_array(data: ByteArray, at: int, end: int) -> bool:
    while at < end:
        if data[at] != 0x0A:
            return False
        start, stop = length_at(data, at + 1, end)
        if start < 0 or not _is_scalar(data, start, stop):
            return False
        at = stop
    return True


@compiled
def _is_scalar(data: ByteArray, at: int, end: int) -> bool:
    if at == end:
        return True
    tag = data[at]
    at += 1
    if tag == 0x0A or tag == 0x3A:
        start, stop = length_at(data, at, end)
        return (
            start >= 0
            and stop == end
            and (tag == 0x3A or (is_ascii(data, start, stop) or is_utf8(data, start, stop)))
        )
    if tag == 0x10 or tag == 0x18:
        return varint_at(data, at, end)[1] == end
    return tag == 0x21 and at + 8 == end


@compiled
def _read_inference(
    data: ByteArray,
    row: int,
    found: IntArray,
    table: IntArray,
    texts: IntArray,
    n_texts: int,
    facts: IntArray,
    flags: NDArray[np.bool_],
) -> tuple[int, int]:
    """Return the state of the span with the attributes in *found*, and how many texts have been seen."""
    if found[_OPERATION, 0] == _EMPTY - 2 or found[_OPERATION, 0] == _EMPTY:
        return _OTHER, n_texts
    if found[_OPERATION, 0] != _STRING:
        return _ODD, n_texts
    if not _is_inference(data, found[_OPERATION, 1], found[_OPERATION, 2]):
        return (
            _OTHER if found[_OPERATION, 2] - found[_OPERATION, 1] <= _MAX_NAME else _ODD
        ), n_texts
    if found[_MODEL, 0] != _STRING or found[_MODEL, 1] == found[_MODEL, 2]:
        return _ODD, n_texts
    for key in range(_FIRST_OF_BATCH, _N_KEYS):
        if found[key, 0] != _EMPTY - 2:
            return _ODD, n_texts
    for key in (_MODEL, _VERSION, _LABEL):
        is_there = found[key, 0] != _EMPTY - 2 and found[key, 0] != _EMPTY
        if is_there and (found[key, 0] != _STRING or found[key, 2] - found[key, 1] > _MAX_NAME):
            return _ODD, n_texts
        number = -1
        if is_there and (key == _LABEL or found[key, 1] < found[key, 2]):
            number, n_texts = find_text(data, found[key, 1], found[key, 2], table, texts, n_texts)
            if number < 0:
                return _ODD, n_texts
        facts[_TEXT + key - _MODEL, row] = number
    if not _read_numbers(row, found, facts):
        return _ODD, n_texts
    _read_call(data, row, found, facts)
    _read_hashes(data, row, found, facts)
    facts[_THRESHOLD, row] = -1
    if found[_TRACE_STATE, 0] == _STRING:
        start, end = length_at(data, found[_TRACE_STATE, 1], found[_TRACE_STATE, 2])
        facts[_THRESHOLD, row] = threshold_at(data, start, end)
    if not _read_probabilities(row, found, facts):
        return _ODD, n_texts
    return _read_content(row, found, facts, flags), n_texts


@compiled
def _read_call(data: ByteArray, row: int, found: IntArray, facts: IntArray) -> None:
    facts[_CALL, row], facts[_CALL + 1, row] = 0, -1
    if found[_CALL_STREAM, 0] == _STRING and found[_CALL_SEQUENCE, 0] == _INT:
        number = found[_CALL_SEQUENCE, 1]
        is_process, process = call_process(data, found[_CALL_STREAM, 1], found[_CALL_STREAM, 2])
        if is_process and number >= 0:
            facts[_CALL, row], facts[_CALL + 1, row] = np.int64(process), number


@compiled
def _read_hashes(data: ByteArray, row: int, found: IntArray, facts: IntArray) -> None:
    facts[_HASHES, row], facts[_HASHES + 1, row] = 0, 0
    start, end = found[_INPUT, 1], found[_INPUT, 2]
    digits = end - _DIGITS
    if found[_INPUT, 0] == _STRING and digits > start + 1 and data[digits - 1] == _COLON:
        is_hash, bits = call_process(data, digits, end)
        if is_hash:
            facts[_HASHES, row] = np.int64(bits)
    if found[_SCHEMA, 0] == _STRING:
        is_hash, bits = call_process(data, found[_SCHEMA, 1], found[_SCHEMA, 2])
        if is_hash:
            facts[_HASHES + 1, row] = np.int64(bits)


@compiled
def _is_inference(data: ByteArray, start: int, end: int) -> bool:
    for known in range(len(_OPERATION_ENDS) - 1):
        first, last = _OPERATION_ENDS[known], _OPERATION_ENDS[known + 1]
        if same_text(data, start, end, _OPERATIONS, first, last):
            return True
    return False


@compiled
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
        elif kind != _EMPTY - 2 and kind != _EMPTY:
            return False
        facts[_NUMBER + index, row] = bits
    return True


@compiled
def _read_probabilities(row: int, found: IntArray, facts: IntArray) -> bool:
    """Write where the probabilities of all classes lie; return whether they are a text of a size that is read, or not there."""
    facts[_PROBABILITIES, row], facts[_PROBABILITIES + 1, row] = -1, -1
    if found[_CLASSES, 0] == _EMPTY - 2:
        return True
    if found[_CLASSES, 0] != _STRING or found[_CLASSES, 2] - found[_CLASSES, 1] > _MAX_JSON:
        return False
    facts[_PROBABILITIES, row] = found[_CLASSES, 1]
    facts[_PROBABILITIES + 1, row] = found[_CLASSES, 2]
    return True


@compiled
def _read_content(row: int, found: IntArray, facts: IntArray, flags: NDArray[np.bool_]) -> int:
    facts[_JSON, row], facts[_JSON + 1, row] = -1, -1
    if found[_TRUNCATED, 0] != _EMPTY - 2:
        if found[_TRUNCATED, 0] != _BOOL:
            return _ODD
        flags[_IS_CUT, row] = found[_TRUNCATED, 1] != 0
    if found[_FEATURES, 0] == _STRING:
        if found[_FEATURES, 2] - found[_FEATURES, 1] > _MAX_JSON:
            return _ODD
        facts[_JSON, row], facts[_JSON + 1, row] = found[_FEATURES, 1], found[_FEATURES, 2]
    elif found[_FEATURES, 0] != _EMPTY - 2 or found[_VALUES, 0] != _EMPTY - 2:
        return _ODD
    return _PLAIN
