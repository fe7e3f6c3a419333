"""Of a sample of predictions, where their features are counted: so that a label tells where the model is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import IntArray

__all__ = ["MAX_KEPT", "NO_SERIAL", "KeptPlaces"]

NO_SERIAL: Final = -1
"""Of a prediction whose places never were known."""
MAX_KEPT: Final = 50_000
"""Predictions whose places are kept, of two bytes per feature each; where there are more, every second, fourth ... of all."""


class KeptPlaces:
    """Places of predictions by serial number, from 0 on; which ones are kept says nothing about what was predicted."""

    __slots__ = ("_every", "_kept", "_max_kept", "_next")

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._every = 1
        self._kept: dict[int, NDArray[np.int32]] = {}
        self._next = 0

    def add(self, places: IntArray) -> IntArray:
        """Keep the *places* of predictions, shape (k, n_rows); return their serial numbers."""
        serials = np.arange(self._next, self._next + places.shape[1], dtype=np.int64)
        self._next += places.shape[1]
        for row in np.flatnonzero(serials % self._every == 0).tolist():
            self._kept[int(serials[row])] = places[:, row].astype(np.int32)
        while len(self._kept) > self._max_kept:
            self._every *= 2
            self._kept = {s: kept for s, kept in self._kept.items() if s % self._every == 0}
        return serials

    def taken(self, serial: int) -> NDArray[np.int32] | None:
        """Return the places of a prediction and let go of them: its truth is told once. None where they are not kept."""
        return self._kept.pop(serial, None)
