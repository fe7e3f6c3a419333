"""Comparisons made of given counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["compared", "counted"]

IntArray = NDArray[np.int64]


def counted(cells: Sequence[int] | IntArray, slots: Mapping[Slot, int] | None = None) -> IntArray:
    """Return the counts of one column: value cells, then the slots, which are 0 unless named."""
    behind = np.zeros(N_SLOTS, dtype=np.int64)
    for slot, count in (slots or {}).items():
        behind[slot] = count
    return np.concatenate([np.asarray(cells, dtype=np.int64), behind])


def compared(
    reference: Sequence[int] | IntArray,
    current: Sequence[int] | IntArray,
    *,
    name: str = "x",
    target: MlDriftTargetValues = MlDriftTargetValues.FEATURE,
    ordered: bool = True,
    reference_slots: Mapping[Slot, int] | None = None,
    current_slots: Mapping[Slot, int] | None = None,
) -> Comparison:
    """Return one column of a window beside its reference, from the counts of their value cells and slots."""
    return Comparison(
        target, name, ordered, counted(reference, reference_slots), counted(current, current_slots)
    )
