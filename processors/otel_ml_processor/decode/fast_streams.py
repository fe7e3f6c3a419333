"""Which stream each span of a request is of, and the rows of each stream behind one another, for compiled code."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.compiled import lean
from otel_ml_processor.decode.fast_lines import Fact, Flag, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import ByteArray, IntArray

__all__ = ["N_LINES", "N_SUMS", "Line", "Sum", "number_streams", "number_texts", "sort_rows"]


class Line(IntEnum):
    """What `sort_rows` says of each row: the lines of a block of shape (N_LINES, n_rows)."""

    ROW = 0
    """Which span it is among all of the request."""
    SPAN = 1
    """Which it is among those that are inferences."""
    LABEL = 2
    """Its label, as a number among those of its stream; -1 without."""
    USED = 3
    """No row: the texts that are the labels of the streams, one stream behind the other."""


N_LINES: Final = 4


class Sum(IntEnum):
    """What `sort_rows` says of each stream: the columns of an array of shape (n_streams, N_SUMS)."""

    END = 0
    """Behind its last row, where that of the next one is."""
    LABELS_END = 1
    """Behind its last label."""
    FAILED = 2
    """How many rows are of calls that failed; and how many say a call, a hash, and a threshold."""
    CALLS = 3
    HASHES = 4
    THRESHOLDS = 5


N_SUMS: Final = 6

_PLAIN, _ODD = int(State.PLAIN), int(State.ODD)
_MODEL, _VERSION, _GROUP, _STREAM = (
    int(Fact.MODEL),
    int(Fact.VERSION),
    int(Fact.GROUP),
    int(Fact.STREAM),
)
_TEXT, _CALL, _HASHES, _THRESHOLD = (
    int(Fact.LABEL),
    int(Fact.CALL),
    int(Fact.HASHES),
    int(Fact.THRESHOLD),
)
_IS_FAILED = int(Flag.IS_FAILED)
_ROW, _SPAN, _LABEL, _USED = int(Line.ROW), int(Line.SPAN), int(Line.LABEL), int(Line.USED)
_END, _LABELS_END, _N_FAILED = int(Sum.END), int(Sum.LABELS_END), int(Sum.FAILED)
_N_CALLS, _N_HASHES, _N_THRESHOLDS = int(Sum.CALLS), int(Sum.HASHES), int(Sum.THRESHOLDS)
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(32)


@lean
def number_streams(
    messages: IntArray,
    spans: IntArray,
    states: ByteArray,
    facts: IntArray,
    groups: IntArray,
    keys: IntArray,
    table: IntArray,
) -> tuple[int, int, int, int]:
    """
    Write to *facts* which `resource_spans` and which stream each span is of; return how many there are of both, of plain spans, and of odd ones.

    *groups* gets which messages are a `resource_spans` that has spans, *keys* (n, 4) group, model and version of each stream, and its place in *table*,
    which is one as that of `find_text`, for so many streams.
    """
    n_groups = n_streams = n_plain = n_odd = 0
    last, latest = len(table) - 1, 0
    for row in range(len(spans)):
        parent = messages[spans[row, 3], 3]
        if n_groups == 0 or groups[n_groups - 1] != parent:  # they lie one behind the other
            groups[n_groups] = parent
            n_groups += 1
        group = n_groups - 1
        facts[_GROUP, row] = group
        facts[_STREAM, row] = -1
        if states[row] != _PLAIN:
            n_odd += states[row] == _ODD
            continue
        n_plain += 1
        model, version = facts[_MODEL, row], facts[_VERSION, row]
        if n_streams == 0 or not _is_stream(keys, latest, group, model, version):
            hashed = (np.uint64(group) ^ np.uint64(model) << np.uint64(20)) * _MIXER
            hashed = (hashed ^ hashed >> _FOLD ^ np.uint64(version)) * _MIXER
            place = np.int64((hashed >> _FOLD) & np.uint64(last))
            latest = table[place]
            while 0 <= latest < n_streams and keys[latest, 3] == place:
                if _is_stream(keys, latest, group, model, version):
                    break
                place = (place + 1) & last
                latest = table[place]
            else:
                latest = table[place] = n_streams
                keys[latest, 0], keys[latest, 1] = group, model
                keys[latest, 2], keys[latest, 3] = version, place
                n_streams += 1
        facts[_STREAM, row] = latest
    return n_groups, n_streams, n_plain, n_odd


@lean
def _is_stream(keys: IntArray, known: int, group: int, model: int, version: int) -> bool:
    return bool(keys[known, 0] == group and keys[known, 1] == model and keys[known, 2] == version)


@lean
def sort_rows(
    states: ByteArray,
    facts: IntArray,
    flags: NDArray[np.bool_],
    code_of: IntArray,
    lines: IntArray,
    sums: IntArray,
) -> None:
    """
    Write the plain spans to *lines*, those of one stream behind one another and in their order, and of each stream its *sums*.

    *code_of* has room for all texts, whatever is in it; *sums* is cleared. A span that is of a stream and not plain counts among the inferences.
    """
    n = len(states)
    for row in range(n):
        if states[row] == _PLAIN:
            sums[facts[_STREAM, row], _END] += 1
    begin = 0
    for stream in range(len(sums)):
        size, sums[stream, _END] = sums[stream, _END], begin
        begin += size
    n_spans = 0
    for row in range(n):
        if states[row] == _PLAIN:
            stream = facts[_STREAM, row]
            at = sums[stream, _END]
            lines[_ROW, at], lines[_SPAN, at] = row, n_spans
            sums[stream, _END] = at + 1
        n_spans += facts[_STREAM, row] >= 0
    at = n_used = 0
    for stream in range(len(sums)):
        first_used = n_used
        while at < sums[stream, _END]:
            row = lines[_ROW, at]
            text, code = facts[_TEXT, row], -1
            if text >= 0:
                code = code_of[text]
                if not (first_used <= code < n_used and lines[_USED, code] == text):
                    code = code_of[text] = n_used
                    lines[_USED, code] = text
                    n_used += 1
                code -= first_used
            lines[_LABEL, at] = code
            sums[stream, _N_FAILED] += flags[_IS_FAILED, row]
            sums[stream, _N_CALLS] += facts[_CALL + 1, row] >= 0
            sums[stream, _N_HASHES] += facts[_HASHES, row] != 0 or facts[_HASHES + 1, row] != 0
            sums[stream, _N_THRESHOLDS] += facts[_THRESHOLD, row] >= 0
            at += 1
        sums[stream, _LABELS_END] = n_used


@lean
def number_texts(texts: IntArray, code_of: IntArray, codes: IntArray, used: IntArray) -> int:
    """
    Number those texts that are in *texts* in the order in which they come there; return how many these are.

    *codes* gets the new numbers, *used* which texts they are of; what is negative becomes -1. *code_of* has room for all texts, whatever is in it.
    """
    n_used = 0
    for row in range(len(texts)):
        text, code = texts[row], -1
        if text >= 0:
            code = code_of[text]
            if not (0 <= code < n_used and used[code] == text):
                code = code_of[text] = n_used
                used[code] = text
                n_used += 1
        codes[row] = code
    return n_used
