"""Where the rows go that hold nothing a cell could be found for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.columns import Kind
from otel_ml_processor.sketches.slots import Slot

if TYPE_CHECKING:
    from otel_ml_processor.columns import IntArray, ValueColumn

__all__ = ["slots_by_kind"]


def slots_by_kind(column: ValueColumn, n_cells: int) -> IntArray:
    """Return -1 for ABSENT, the slot MISSING for MISSING, the slot TYPE_ERROR for every other row, shape (n_rows,)."""
    slots = np.full(len(Kind), n_cells + Slot.TYPE_ERROR, dtype=np.int64)
    slots[Kind.ABSENT] = -1
    slots[Kind.MISSING] = n_cells + Slot.MISSING
    return slots[column.kinds]
