"""Where a model failed, as it is written: counts by place of a reference."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.assess.error_patterns import Failure, PatternMemory
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.state.counts import counts_of, packed
from otel_ml_processor.state.stored_streams import Stored

__all__ = ["StoredPatterns"]


class StoredPatterns(Stored, frozen=True):
    """A `PatternMemory`."""

    key: tuple[str, ...]
    reference: str
    failure: Failure
    n_counts: int
    rows: bytes
    hits: bytes
    all_rows: int
    all_hits: int

    @classmethod
    def of(cls, memory: PatternMemory) -> StoredPatterns:
        """Return *memory* as it is written."""
        return cls(
            key=memory.stream.texts,
            reference=memory.reference,
            failure=memory.failure,
            n_counts=len(memory.rows),
            rows=packed(memory.rows),
            hits=packed(memory.hits),
            all_rows=memory.all_rows,
            all_hits=memory.all_hits,
        )

    def memory(self, n_counts: int) -> PatternMemory:
        """Return what was written of a reference of *n_counts*; ValueError where it is not of as many counts, or more rows fail than there are."""
        if self.n_counts != n_counts:
            raise ValueError(f"expected {n_counts} counts, found {self.n_counts}")
        rows, hits = counts_of(self.rows, n_counts), counts_of(self.hits, n_counts)
        if np.any(hits > rows) or not 0 <= self.all_hits <= self.all_rows:
            raise ValueError("expected at most as many rows that fail as there are")
        return PatternMemory(
            StreamKey(*self.key),
            self.reference,
            self.failure,
            rows,
            hits,
            self.all_rows,
            self.all_hits,
        )
