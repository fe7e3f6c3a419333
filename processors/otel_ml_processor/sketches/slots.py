"""The slots that every counted column has behind its value cells; they are tested on their own, never as cells."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["N_EXCLUSIVE", "N_SLOTS", "Slot"]


class Slot(IntEnum):
    """
    Position of a slot behind the value cells.

    A row is in exactly one value cell or one of the first four slots; the last two say that a row in an outer cell lies outside
    the range of the reference, so they are counted besides.
    """

    MISSING = 0
    NON_FINITE = 1
    UNSEEN = 2
    TYPE_ERROR = 3
    BELOW_RANGE = 4
    ABOVE_RANGE = 5


N_EXCLUSIVE: Final = 4
N_SLOTS: Final = 6
