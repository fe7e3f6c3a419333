"""Where the rows go that hold nothing a cell could be found for."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.columns import Kind
from otel_ml_processor.sketches.slots import Slot

if TYPE_CHECKING:
    from otel_ml_processor.columns import IntArray

__all__ = ["slots_by_kind"]


@lru_cache(maxsize=256)
def slots_by_kind(n_cells: int) -> IntArray:
    """
    Return, indexed by `Kind`, where a row goes whose value has no cell; read-only.

    -1 for ABSENT, the slot MISSING for MISSING, NON_FINITE for a NUMBER (only an infinity has no cell), else TYPE_ERROR.
    """
    slots = np.full(len(Kind), n_cells + Slot.TYPE_ERROR, dtype=np.int64)
    slots[Kind.ABSENT] = -1
    slots[Kind.MISSING] = n_cells + Slot.MISSING
    slots[Kind.NUMBER] = n_cells + Slot.NON_FINITE
    slots.flags.writeable = False
    return slots
