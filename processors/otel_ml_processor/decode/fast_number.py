"""
JSON numbers to the nearest 64-bit float, for compiled code.

A decimal of at most 19 digits is an integer below 2**64 times a power of ten. Both are held as the sum of two floats, exact to 2**-106,
and multiplied so (T. J. Dekker, A floating-point technique for extending the available precision, 1971). Where the error of that, which is
bounded by 2**-92 of the product, could change to which float the sum is rounded, the number is not read here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.compiled import lean
from otel_ml_processor.decode.fast_words import byte_at, word_at

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray

__all__ = ["MAX_DIGITS", "MAX_EXPONENT", "read_number", "read_plain_number"]

MAX_DIGITS: Final = 19
"""Significant digits of a number that is read here."""
MAX_EXPONENT: Final = 250
"""Largest power of ten, up and down, by which they may be shifted: products and their errors stay far from overflow and underflow."""

_SPLITTER = 134217729.0  # 2**27 + 1
_DOUBT = 2.0**-92


def _powers() -> tuple[np.ndarray, np.ndarray]:
    exact = [Fraction(10) ** power for power in range(-MAX_EXPONENT, MAX_EXPONENT + 1)]
    high = [float(power) for power in exact]
    low = [float(power - Fraction(first)) for power, first in zip(exact, high, strict=True)]
    return np.array(high), np.array(low)


_HIGH, _LOW = _powers()

_EXACT = np.uint64(1 << 53)
"""Integers below it are floats."""
_POWERS_OF_TEN = np.array([10**power for power in range(9)], dtype=np.uint64)
_NONE, _ONE = np.uint64(0), np.uint64(1)
_ZEROS, _BEYOND_NINE = np.uint64(0x3030303030303030), np.uint64(0x7676767676767676)
_HIGH_BITS, _LOW_BITS = np.uint64(0x8080808080808080), np.uint64(0x0101010101010101)
_PAIRS, _QUADRUPLES = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_MINUS, _POINT, _ZERO, _SMALL_E, _LARGE_E = 0x2D, 0x2E, 0x30, 0x65, 0x45


@lean
def _leading_digits(word: int) -> tuple[int, int]:
    """
    Return the number that the digits at the beginning of eight bytes say, and how many there are; *word* is those bytes as `word_at` reads them.

    References:
        Lemire, D. (2021). Number parsing at a gigabyte per second. Software: Practice and Experience 51 (8), "parse_eight_digits".
    """
    values = word ^ _ZEROS
    others = (values + _BEYOND_NINE | values) & _HIGH_BITS  # set in the first byte that is no digit
    count = np.int64(8)
    if others != _NONE:
        before = (others & (~others + _ONE)) - _ONE
        count = np.int64(((before & _LOW_BITS) * _LOW_BITS) >> np.uint64(56)) - 1
        if count == 0:
            return _NONE, count
        values <<= np.uint64(64 - 8 * count)
    values = (values * np.uint64(10) + (values >> np.uint64(8))) & _PAIRS
    values = (values * np.uint64(100) + (values >> np.uint64(16))) & _QUADRUPLES
    values = (values * np.uint64(10_000) + (values >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return values, count


@lean
def read_plain_number(data: ByteArray, at: int, end: int) -> tuple[float, int]:
    """
    Return what `read_number` does of a number without an exponent, of at most `MAX_DIGITS` digits, in a fraction of the time.

    The offset behind it is *at* for every other number too. *data* goes on for sixteen bytes behind *end*.
    """
    nan = float("nan")
    start = at
    is_negative = byte_at(data, at) == _MINUS
    at += is_negative
    first_digit = at
    digits, count = _leading_digits(word_at(data, at))
    at += count
    while count == 8 and at < end:
        more, count = _leading_digits(word_at(data, at))
        digits = digits * _POWERS_OF_TEN[count] + more
        at += count
    n_digits = at - first_digit
    if n_digits == 0 or (n_digits > 1 and byte_at(data, first_digit) == _ZERO):
        return nan, start
    n_decimals = 0
    if byte_at(data, at) == _POINT:
        at += 1
        count = np.int64(8)
        while count == 8 and at < end:
            more, count = _leading_digits(word_at(data, at))
            digits = digits * _POWERS_OF_TEN[count] + more
            at += count
            n_decimals += count
        if n_decimals == 0:
            return nan, start
    is_longer = byte_at(data, at) == _SMALL_E or byte_at(data, at) == _LARGE_E
    if is_longer or at > end or n_digits + n_decimals > MAX_DIGITS:
        return nan, start
    if digits < _EXACT:  # a quotient of two floats is rounded once (Clinger, 1990)
        value = float(np.int64(digits)) / _HIGH[MAX_EXPONENT + n_decimals]
        if digits == _NONE and n_decimals == 0:
            value = 0.0
            is_negative = False
    else:
        value, is_certain = _scaled(digits, -n_decimals)
        if not is_certain:
            return nan, start
    return (-value if is_negative else value), at


@lean
def read_number(data: ByteArray, at: int, end: int) -> tuple[float, int]:
    """Return the number that begins at *at*, and the offset behind it; that offset is *at* for what is no JSON number or is not read here."""
    nan = float("nan")
    start = at
    is_negative = at < end and data[at] == 0x2D
    if is_negative:
        at += 1
    first_digit = at
    digits, n_digits, at = _digits(data, at, end, 0, 0)
    if at == first_digit or (at - first_digit > 1 and data[first_digit] == 0x30):
        return nan, start
    exponent = 0
    is_integer = True
    if at < end and data[at] == 0x2E:
        is_integer = False
        point = at + 1
        digits, n_digits, at = _digits(data, point, end, digits, n_digits)
        if at == point:
            return nan, start
        exponent = point - at
    if at < end and (data[at] == 0x65 or data[at] == 0x45):
        is_integer = False
        written, after = _exponent(data, at + 1, end)
        if after < 0:
            return nan, start
        exponent += written
        at = after
    if n_digits > MAX_DIGITS or exponent < -MAX_EXPONENT or exponent > MAX_EXPONENT:
        return nan, start
    if digits == 0:
        return (-0.0 if is_negative and not is_integer else 0.0), at
    value, is_certain = _scaled(digits, exponent)
    if not is_certain:
        return nan, start
    return (-value if is_negative else value), at


@lean
def _digits(data: ByteArray, at: int, end: int, value: int, n_digits: int) -> tuple[int, int, int]:
    """Return *value* continued by the digits from *at* on, how many of all are significant, and the offset behind them."""
    value = np.uint64(value)
    while at < end and 0x30 <= data[at] <= 0x39:
        if value != 0 or data[at] != 0x30:
            n_digits += 1
        if n_digits <= 19:
            value = value * np.uint64(10) + np.uint64(data[at] - 0x30)
        at += 1
    return value, n_digits, at


@lean
def _exponent(data: ByteArray, at: int, end: int) -> tuple[int, int]:
    """Return the exponent written at *at*, and the offset behind it; -1 for the offset where there is none, or one beyond all bounds."""
    sign = 1
    if at < end and (data[at] == 0x2B or data[at] == 0x2D):
        sign = -1 if data[at] == 0x2D else 1
        at += 1
    start = at
    value = 0
    while at < end and 0x30 <= data[at] <= 0x39:
        value = value * 10 + int(data[at] - 0x30)
        if value > 9999:
            return 0, -1
        at += 1
    return sign * value, (at if at > start else -1)


@lean
def _scaled(digits: int, exponent: int) -> tuple[float, bool]:
    """Return *digits* times ten to the *exponent*, and whether that is certainly the nearest float."""
    rest_of_digits = np.uint64(0x7FF) if digits >= np.uint64(1 << 53) else np.uint64(0)
    high = float(digits & ~rest_of_digits)  # at most 53 bits: exact
    low = float(digits & rest_of_digits)
    power_high = _HIGH[exponent + 250]
    power_low = _LOW[exponent + 250]
    product, error = _product(high, power_high)
    error += high * power_low + low * power_high
    value = product + error
    rest = error - (value - product)
    doubt = value * _DOUBT
    is_certain = value + (rest + doubt) == value and value + (rest - doubt) == value
    return value, is_certain


@lean
def _product(left: float, right: float) -> tuple[float, float]:
    """Return the product of two floats and what rounding it has cut off, exactly (Dekker; Veltkamp's splitting)."""
    product = left * right
    c = _SPLITTER * left
    left_high = c - (c - left)
    left_low = left - left_high
    c = _SPLITTER * right
    right_high = c - (c - right)
    right_low = right - right_high
    error = (
        (left_high * right_high - product) + left_high * right_low + left_low * right_high
    ) + left_low * right_low
    return product, error
