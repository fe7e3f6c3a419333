"""Explanations of a stream, as they are written."""

from __future__ import annotations

from typing import Final

import numpy as np

from otel_ml_processor.assess.explanations import ExplainedMemory
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.feedback.explained_memory import ExplainingMemory
from otel_ml_processor.profile import CellReference
from otel_ml_processor.state.counts import counts_of, packed
from otel_ml_processor.state.stored_streams import Stored

__all__ = ["StoredExplanations"]

_MOST_COUNTS: Final = 1 << 16


class StoredExplained(Stored, frozen=True):
    """An `ExplainedMemory`."""

    rows: int
    n_counts: int
    counts: bytes
    sums: dict[str, float]
    near: int
    agreement: float

    @classmethod
    def of(cls, memory: ExplainedMemory) -> StoredExplained:
        """Return *memory* as it is written."""
        counts = packed(memory.counts)
        return cls(
            memory.rows, len(memory.counts), counts, memory.sums, memory.near, memory.agreement
        )

    def memory(self) -> ExplainedMemory:
        """Return what was written; ValueError where it is none."""
        if not 0 <= self.n_counts <= _MOST_COUNTS:
            raise ValueError(f"expected at most {_MOST_COUNTS} counts, found {self.n_counts}")
        counts = counts_of(self.counts, self.n_counts)
        return ExplainedMemory(self.rows, counts, self.sums, self.near, self.agreement)


class StoredExplanations(Stored, frozen=True):
    """An `ExplainingMemory`."""

    key: tuple[str, ...]
    usual: tuple[CellReference, ...]
    first: tuple[dict[str, float], ...]
    windows: dict[str, StoredExplained]
    keys: bytes
    cells: bytes
    alike: tuple[tuple[tuple[int, ...], tuple[str, ...]], ...]

    @classmethod
    def of(cls, memory: ExplainingMemory) -> StoredExplanations:
        """Return *memory* as it is written."""
        return cls(
            key=memory.stream.texts,
            usual=memory.usual,
            first=memory.first,
            windows={name: StoredExplained.of(w) for name, w in memory.windows.items()},
            keys=memory.keys.astype("<u8").tobytes(),
            cells=memory.cells.astype("<i8").tobytes(),
            alike=memory.alike,
        )

    def memory(self) -> ExplainingMemory:
        """Return what was written; ValueError where it is none."""
        keys = np.frombuffer(self.keys, dtype="<u8").astype(np.uint64)
        cells = np.frombuffer(self.cells, dtype="<i8").astype(np.int64)
        return ExplainingMemory(
            stream=StreamKey(*self.key),
            usual=self.usual,
            first=self.first,
            windows={name: window.memory() for name, window in self.windows.items()},
            keys=keys,
            cells=cells.reshape(len(keys), -1) if len(keys) else cells.reshape(0, 0),
            alike=self.alike,
        )
