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

from otel_ml_processor.decode.compiled import compiled

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray

__all__ = ["MAX_DIGITS", "MAX_EXPONENT", "read_number"]

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


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
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
