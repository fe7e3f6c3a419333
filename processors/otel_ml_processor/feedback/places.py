"""Of a sample of predictions, where their features are counted: so that a label tells where the model is wrong."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.windows.reference import Reference

__all__ = ["MAX_KEPT", "NO_SERIAL", "KeptPlaces", "Places"]

NO_SERIAL: Final = -1
"""Of a prediction whose places never were known."""
MAX_KEPT: Final = 50_000
"""Predictions whose places are kept, of four bytes per feature each; where there are more, every second, fourth ... of all."""


_FULL: Final = 0.75
"""Where more than that share of them is left without those that have been taken, there is no room: looking for some takes as long as letting go of half."""


class Places(NamedTuple):
    """Where the features of a prediction are counted, shape (k,), and of which reference these counts are."""

    numbers: NDArray[np.int32]
    reference: Reference


class _Lot:
    """
    Predictions that came together: their serial numbers, ascending, shape (n_rows,), their places in the counts of a reference, shape (k, n_rows).

    `is_there` says of which nobody has taken these.
    """

    __slots__ = ("is_there", "places", "reference", "serials")

    def __init__(self, serials: IntArray, places: NDArray[np.int32], reference: Reference) -> None:
        self.serials = serials
        self.places = places
        self.reference = reference
        self.is_there = np.ones(len(serials), dtype=bool)

    def thinned(self, every: int) -> _Lot:
        """Return those that are still there and whose number is a multiple of *every*."""
        is_kept = self.is_there & (self.serials % every == 0)
        return _Lot(self.serials[is_kept], self.places[:, is_kept], self.reference)


class KeptPlaces:
    """Places of predictions by serial number, from 0 on; which ones are kept says nothing about what was predicted."""

    __slots__ = ("_every", "_lots", "_max_kept", "_n", "_next")

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._every = 1
        self._lots: list[_Lot] = []
        self._n = 0  # those in the lots, also where they have been taken
        self._next = 0

    def add(self, places: IntArray, reference: Reference) -> IntArray:
        """Keep the *places* of predictions in the counts of *reference*, shape (k, n_rows); return their serial numbers."""
        first, n_rows = self._next, places.shape[1]
        self._next += n_rows
        serials = np.arange(first, self._next, dtype=np.int64)
        kept = slice(-first % self._every, n_rows, self._every)
        lot = _Lot(serials[kept], places[:, kept].astype(np.int32), reference)
        if len(lot.serials):
            self._lots.append(lot)
            self._n += len(lot.serials)
        if self._n > self._max_kept:
            self._make_room()
        return serials

    def taken(self, serial: int) -> Places | None:
        """Return the places of a prediction and let go of them: its truth is told once. None where they are not kept."""
        at = bisect_right(self._lots, serial, key=lambda lot: int(lot.serials[0])) - 1
        if at < 0:
            return None
        lot = self._lots[at]
        row = int(lot.serials.searchsorted(serial))
        if row == len(lot.serials) or lot.serials[row] != serial or not lot.is_there[row]:
            return None
        lot.is_there[row] = False
        return Places(lot.places[:, row].copy(), lot.reference)

    def _make_room(self) -> None:
        """Let go of what has been taken, and, until there is room for more, of every second of the others."""
        self._thin()
        while self._n > self._max_kept * _FULL:
            self._every *= 2
            self._thin()

    def _thin(self) -> None:
        thinned = [lot.thinned(self._every) for lot in self._lots]
        self._lots = [lot for lot in thinned if len(lot.serials)]
        self._n = sum(len(lot.serials) for lot in self._lots)
