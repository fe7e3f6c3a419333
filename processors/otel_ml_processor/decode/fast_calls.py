"""Sixteen hexadecimal digits as a number, for compiled code: which process made a call, and by what an input is known again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import lean
from otel_ml_processor.decode.fast_words import word_at

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray

__all__ = ["hexadecimal_in"]

_DIGITS = 16
_ONE, _SIX, _LOW, _BIT_5, _THIRTY, _HIGH = (
    np.uint64(byte * 0x0101010101010101) for byte in (0x01, 0x06, 0x0F, 0x20, 0x30, 0xF0)
)
"""In each of eight bytes."""
_PAIRS, _FOURS, _EIGHT = (
    np.uint64(0x00FF00FF00FF00FF),
    np.uint64(0x0000FFFF0000FFFF),
    np.uint64(0xFFFFFFFF),
)


@lean
def hexadecimal_in(data: ByteArray, start: int, end: int) -> tuple[bool, int]:
    """Return whether the text in `[start, end)` is sixteen hexadecimal digits, in capitals or not, and which number these are, 64 bits as a signed one."""
    if end - start != _DIGITS:
        return False, 0
    are_first, first = _eight_digits(word_at(data, start))
    are_last, last = _eight_digits(word_at(data, start + 8))
    return are_first and are_last, np.int64(first << np.uint64(32) | last)


@lean
def _eight_digits(word: np.uint64) -> tuple[bool, np.uint64]:
    """Return whether all bytes of *word* are digits, and their number, the first byte's before all others: of all eight at once."""
    small = word | _BIT_5  # makes small letters of capitals, and leaves digits as they are
    letters = small >> np.uint64(6) & _ONE
    low = small & _LOW
    # A digit is 0x30 and up to nine, a letter 0x60 and one to six.
    beyond = low + _SIX + np.uint64(3) * letters | small ^ (_THIRTY + np.uint64(0x30) * letters)
    nothing = letters & ~(low + _LOW >> np.uint64(4))
    made = ~(word | word >> np.uint64(1)) & _BIT_5  # what only the bit for small letters makes one
    digits = low + np.uint64(9) * letters
    pairs = (digits << np.uint64(4) | digits >> np.uint64(8)) & _PAIRS
    fours = (pairs << np.uint64(8) | pairs >> np.uint64(16)) & _FOURS
    number = (fours << np.uint64(16) | fours >> np.uint64(32)) & _EIGHT
    return bool(beyond & _HIGH | nothing | made == 0), number
