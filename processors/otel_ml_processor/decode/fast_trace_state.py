"""The threshold of a consistent sampler, for compiled code; it reads what `threshold_of` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.compiled import lean

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray

__all__ = ["threshold_at"]

_NO_THRESHOLD = -1
_DIGITS = 14
_COMMA, _SEMICOLON, _SPACE, _TAB = 44, 59, 32, 9


@lean
def threshold_at(data: ByteArray, at: int, end: int) -> int:
    """Return the rejection threshold in the trace state in `[at, end)`, -1 where it says none."""
    while at < end:
        stop = _until(data, at, end, _COMMA)
        while at < stop and (data[at] == _SPACE or data[at] == _TAB):
            at += 1
        if _begins(data, at, stop, 111, 116, 61):  # ot=
            # At most back to the equals sign.
            while data[stop - 1] == _SPACE or data[stop - 1] == _TAB:
                stop -= 1
            return _threshold_in(data, at + 3, stop)
        at = stop + 1
    return _NO_THRESHOLD


@lean
def _threshold_in(data: ByteArray, at: int, end: int) -> int:
    """Return the first threshold among the fields in `[at, end)`."""
    while at < end:
        stop = _until(data, at, end, _SEMICOLON)
        if _begins(data, at, stop, 116, 104, 58):  # th:
            return _digits(data, at + 3, stop)
        at = stop + 1
    return _NO_THRESHOLD


@lean
def _digits(data: ByteArray, at: int, end: int) -> int:
    if at >= end or end - at > _DIGITS:
        return _NO_THRESHOLD
    threshold = 0
    for place in range(at, end):
        byte = int(data[place])
        if 48 <= byte <= 57:  # 0 to 9
            digit = byte - 48
        elif 97 <= byte <= 102:  # a to f
            digit = byte - 87
        else:
            return _NO_THRESHOLD
        threshold = threshold << 4 | digit
    return threshold << 4 * (_DIGITS - (end - at))


@lean
def _until(data: ByteArray, at: int, end: int, separator: int) -> int:
    while at < end and data[at] != separator:
        at += 1
    return at


@lean
def _begins(data: ByteArray, at: int, end: int, first: int, second: int, third: int) -> bool:
    return at + 3 <= end and data[at] == first and data[at + 1] == second and data[at + 2] == third
