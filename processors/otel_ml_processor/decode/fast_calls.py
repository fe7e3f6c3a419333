"""Which process made a call, for compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import compiled

if TYPE_CHECKING:
    from otel_ml_processor.columns import ByteArray

__all__ = ["call_process"]

_DIGITS = 16


@compiled
def call_process(data: ByteArray, start: int, end: int) -> tuple[bool, int]:
    """Return whether the text in `[start, end)` is sixteen hexadecimal digits, and which number these are."""
    bits = np.uint64(0)
    if end - start != _DIGITS:
        return False, bits
    for place in range(start, end):
        byte = data[place]
        if 48 <= byte <= 57:  # 0 to 9
            digit = byte - 48
        elif 97 <= (byte | 32) <= 102:  # a to f, A to F
            digit = (byte | 32) - 87
        else:
            return False, bits
        bits = (bits << np.uint64(4)) | np.uint64(digit)
    return True, bits
