"""Rows that were added to a provisional profile, as counts in the order in which they came."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from otel_ml_processor.assess.calibrate import rung_of
from otel_ml_processor.assess.calibration import FEWEST_WINDOWS
from otel_ml_processor.assess.self_test import TargetWindows, self_test
from otel_ml_processor.profile import CellReference, Profile, sealed
from otel_ml_processor.sketches.label_counts import MAX_LABELS
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.windows.reference import with_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.profile import RungReference, SelfTest
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.summary import Summary

__all__ = ["CountedRows"]

_MAX_BLOCKS: Final = 128
"""Windows that are kept for the self-test; beyond, two neighbours become one."""
_FEWEST_BLOCKS: Final = 2


class CountedRows:
    """
    Counts of the cells of *reference*, in blocks of at least *block_rows* rows as they came.

    Memory is at most 129 blocks of `reference.n_counts` integers.
    """

    __slots__ = ("_block_rows", "_blocks", "_open", "_ranges", "_reference", "_rows", "_schemas")

    def __init__(self, reference: Reference, block_rows: int) -> None:
        self._reference = reference
        self._block_rows = block_rows
        self._blocks: list[tuple[int, IntArray]] = []
        self._rows = 0
        self._ranges: dict[str, tuple[float, float]] = {}
        self._schemas: dict[str, None] = {}
        self._open: IntArray = np.zeros(reference.n_counts, dtype=np.int64)

    @property
    def rows(self) -> int:
        """How many there are."""
        return self._rows + sum(rows for rows, _ in self._blocks)

    def add(self, summary: Summary) -> bool:
        """Add what *summary* counted against the same reference; return whether that completed a block."""
        if len(self._schemas) < MAX_LABELS:
            self._schemas.update(dict.fromkeys(summary.quality.schemas.by_class()))
        self._open += summary.counts
        self._rows += summary.rows
        if self._rows < self._block_rows:
            return False
        self._blocks.append((self._rows, self._open))
        self._rows, self._open = 0, np.zeros_like(self._open)
        if len(self._blocks) > _MAX_BLOCKS:
            self._join_neighbours()
        return True

    def widen(self, placed: PlacedRows) -> None:
        """Have the ranges of numeric features hold the values of *placed*, which are of the same reference, too."""
        for at in np.unique(placed.outside_rows).tolist():
            for feature in self._reference.features:
                number = float(placed.rows.features[feature.name].numbers[at])
                if feature.ordered and math.isfinite(number):
                    low, high = self._ranges.get(feature.name, (number, number))
                    self._ranges[feature.name] = min(low, number), max(high, number)

    def _join_neighbours(self) -> None:
        self._block_rows *= 2
        # One that is left over is open again, so that all blocks stay of one size.
        if len(self._blocks) % 2:
            rows, counts = self._blocks.pop()
            self._rows, self._open = self._rows + rows, self._open + counts
        pairs = zip(self._blocks[::2], self._blocks[1::2], strict=True)
        self._blocks = [(a + b, first + second) for (a, first), (b, second) in pairs]

    def added_to(self, profile: Profile) -> Profile:
        """Return *profile*, whose cells are those of the reference, with these rows."""
        total = sum((counts for _, counts in self._blocks), start=self._open)
        columns = self._columns(profile, total)
        source = msgspec.structs.replace(profile.source, rows=profile.source.rows + self.rows)
        return sealed(
            msgspec.structs.replace(
                profile,
                source=source,
                schemas=list(dict.fromkeys([*profile.schemas, *self._schemas])),
                features=[self._widened(next(columns)) for _ in profile.features],
                prediction=next(columns) if profile.prediction else None,
                confidence=next(columns) if profile.confidence else None,
            )
        )

    def _widened(self, column: CellReference) -> CellReference:
        found = self._ranges.get(column.name)
        return column if found is None else with_range(column, *found)

    def _columns(self, profile: Profile, total: IntArray) -> Iterator[CellReference]:
        outputs = [column for column in (profile.prediction, profile.confidence) if column]
        for column, place in zip(
            [*profile.features, *outputs], self._reference.places, strict=True
        ):
            yield _with_counts(column, total[place])

    def tested(self, effect_floor: float) -> tuple[list[SelfTest], list[RungReference]]:
        """Return the self-test of these rows, block by block, and what it calibrates; nothing of too few blocks."""
        if len(self._blocks) < _FEWEST_BLOCKS:
            return [], []
        counts = np.stack([counts for _, counts in self._blocks])
        windows = [
            TargetWindows(target.target, target.name, target.ordered, counts[:, place])
            for target, place in zip(self._reference.targets, self._reference.places, strict=True)
        ]
        rows = min(rows for rows, _ in self._blocks)
        test = self_test(windows, order="time", window=f"{rows} rows", effect_floor=effect_floor)
        if len(self._blocks) < FEWEST_WINDOWS:
            return [test], []
        totals = [window.counts.sum(axis=0) for window in windows]
        return [test], [rung_of(windows, totals, rows=rows, effect_floor=effect_floor)]


def _with_counts(column: CellReference, counts: IntArray) -> CellReference:
    n_cells = len(column.counts)
    slots = counts[n_cells:]
    return msgspec.structs.replace(
        column,
        counts=(np.array(column.counts) + counts[:n_cells]).tolist(),
        missing=column.missing + int(slots[Slot.MISSING]),
        non_finite=column.non_finite + int(slots[Slot.NON_FINITE]),
        unseen=column.unseen + int(slots[Slot.UNSEEN]),
        type_error=column.type_error + int(slots[Slot.TYPE_ERROR]),
    )
