"""
Keys of 64 bits, and the row that each leads to: nothing is done for a key until there are many, or until one is looked up.

They lie in sorted runs of `RUN` keys; a look-up asks one after the other, and before that sorts what has come since the last full run. Twelve bytes per
key, where a dictionary takes a hundred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.feedback.keys import Keys

__all__ = ["RUN", "SortedKeys"]

RUN: Final = 1 << 16
"""Keys of a run: 4 million are 64 of them, and sorting one takes a few milliseconds."""


class _Run(NamedTuple):
    keys: Keys
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, parts: list[_Run]) -> _Run:
        """Return *parts* as one run, sorted; of equal keys the first that came is the first."""
        keys = np.concatenate([part.keys for part in parts])
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], np.concatenate([part.rows for part in parts])[order])


class SortedKeys:
    """Where keys lead to; of one that was added twice, the row that it was first added with."""

    __slots__ = ("_latest", "_n_latest", "_runs")

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._latest: list[_Run] = []
        self._n_latest = 0

    def add(self, keys: Keys, rows: NDArray[np.int32]) -> None:
        """Add *keys*, each with its row, arrays of the same shape (n,)."""
        if not len(keys):
            return
        self._latest.append(_Run(keys, rows))
        self._n_latest += len(keys)
        if self._n_latest >= RUN:
            self._runs.append(_Run.of(self._latest))
            self._latest, self._n_latest = [], 0

    def rows(self, keys: Keys) -> NDArray[np.int32]:
        """Return where each of *keys* leads to, shape (n,); -1 for one that is not there."""
        found = np.full(len(keys), -1, dtype=np.int32)
        if self._latest:
            self._latest = [_Run.of(self._latest)]
        for run in (*self._runs, *self._latest):
            at = np.minimum(np.searchsorted(run.keys, keys), len(run.keys) - 1)
            is_here = (run.keys[at] == keys) & (found < 0)
            found[is_here] = run.rows[at[is_here]]
        return found
