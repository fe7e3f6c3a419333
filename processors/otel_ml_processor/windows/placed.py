"""Rows with their places: what windows count and verdicts look up, found once per request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.windows.fast_places import place_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import BoolArray, FloatArray, InferenceColumns, IntArray
    from otel_ml_processor.windows.expected_errors import ErrorCells
    from otel_ml_processor.windows.multivariate import Multivariate
    from otel_ml_processor.windows.reference import Reference, TargetReference

__all__ = ["PlacedRows", "place"]

_BYTES_OF_ARRAYS: Final = 4096
_BYTES_OF_FEATURE: Final = 512
"""However few the rows: some thirty arrays, and three more per feature. Where a request is of a thousand models, that is nearly all."""
_BYTES_PER_ROW: Final = 96
_BYTES_PER_FEATURE: Final = 17
"""Its kind, its number and its text."""
_NO_CELLS: Final[IntArray] = np.zeros((0, 0), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class PlacedRows:
    """
    *rows* of a stream, and where in the block of counts of its *reference* each of them is counted.

    `places` has shape (n_targets, n_rows), with one more line for the scores where the reference knows what they mean, and then one for those of
    each class where it knows that, and holds positions
    in that block, or its length where a row says nothing of the target; without a reference it has shape (0, n_rows). A row outside the range of the reference is counted once more, in a slot for that:
    row `outside_rows[k]` at position `outside_places[k]`, in any order.
    """

    rows: InferenceColumns
    reference: Reference | None
    places: IntArray
    outside_rows: IntArray
    outside_places: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> PlacedRows:
        begin, end, _ = rows.indices(len(self))
        if begin == 0 and end == len(self):
            return self
        is_within = (self.outside_rows >= begin) & (self.outside_rows < end)
        return PlacedRows(
            rows=self.rows[rows],
            reference=self.reference,
            places=self.places[:, rows],
            outside_rows=self.outside_rows[is_within] - begin,
            outside_places=self.outside_places[is_within],
        )

    @classmethod
    def joined(cls, parts: Sequence[PlacedRows], rows: InferenceColumns) -> PlacedRows:
        """Return *parts*, all of the same reference, as one; *rows* are theirs, one part behind the other."""
        first_rows = np.cumsum([0, *map(len, parts[:-1])]).tolist()
        return cls(
            rows=rows,
            reference=parts[0].reference,
            places=np.concatenate([part.places for part in parts], axis=1),
            outside_rows=np.concatenate(
                [part.outside_rows + n for part, n in zip(parts, first_rows, strict=True)]
            ),
            outside_places=np.concatenate([part.outside_places for part in parts]),
        )

    @property
    def n_bytes(self) -> int:
        """About how many bytes the rows and their places take, and what holds them."""
        rows = self.rows
        columns = len(self.places) + len(rows.segments) + len(rows.probabilities)
        of_row = _BYTES_PER_ROW + 8 * columns + _BYTES_PER_FEATURE * len(rows.features)
        return _BYTES_OF_ARRAYS + _BYTES_OF_FEATURE * len(rows.features) + len(rows) * of_row

    @property
    def outputs(self) -> IntArray:
        """Where among the outputs' counts each row is counted, shape (0 .. 2, n_rows); what lies outside of them says nothing."""
        if self.reference is None:
            return self.places
        places: IntArray = self.places[self.reference.outputs] - self.reference.output_place.start
        return places

    def of_spans(self, is_kept: BoolArray) -> PlacedRows:
        """Return the rows of the spans for which *is_kept* (shape (n_spans,)) holds."""
        kept = is_kept[self.rows.spans]
        if kept.all():
            return self
        number = np.cumsum(kept) - 1
        is_within = kept[self.outside_rows]
        return PlacedRows(
            rows=self.rows[kept],
            reference=self.reference,
            places=self.places[:, kept],
            outside_rows=number[self.outside_rows[is_within]],
            outside_places=self.outside_places[is_within],
        )


def place(rows: InferenceColumns, reference: Reference | None) -> PlacedRows:
    """Return where each of *rows* is counted; never raises, whatever the values are."""
    targets = reference.targets if reference is not None else ()
    nowhere = reference.n_counts if reference is not None else 0
    scores = reference.scores if reference is not None else None
    of_classes = _class_cells(rows, reference)
    n_lines = len(targets) + (scores is not None) + len(of_classes)
    places = np.full((n_lines, len(rows)), nowhere, dtype=np.int64)
    if reference is not None and scores is not None:
        cells = scores.cells(rows.labels, rows.confidences)
        line = places[len(targets)]
        np.add(cells, reference.score_place.start, out=line, where=cells >= 0)
    if reference is not None and len(of_classes):
        lines = places[-len(of_classes) :]
        np.add(of_classes, reference.class_place.start, out=lines, where=of_classes >= 0)
    outside: list[tuple[IntArray, IntArray]] = []
    if reference is not None:
        usual = _place_usual(rows, reference, places)
        for index, (target, block) in enumerate(zip(targets, reference.places, strict=True)):
            if index not in usual:
                outside += _place(rows, target, block.start, places[index])
    if reference is not None and reference.expected is not None:
        _place_expected(reference, reference.expected, places)
    if reference is not None and reference.multivariate is not None:
        _place_errors(rows, reference, reference.multivariate, places)
    return PlacedRows(
        rows=rows,
        reference=reference,
        places=places,
        outside_rows=_joined([at for at, _ in outside]),
        outside_places=_joined([slots for _, slots in outside]),
    )


def _class_cells(rows: InferenceColumns, reference: Reference | None) -> IntArray:
    """Return where rows are counted of each class, shape (n_classes, n_rows), -1 where nowhere; of no class where nobody knows what its probability means."""
    if reference is None or reference.class_scores is None:
        return _NO_CELLS
    return reference.class_scores.cells(rows.labels, rows.probabilities)


def _place_usual(rows: InferenceColumns, reference: Reference, places: IntArray) -> set[int]:
    """
    Write into *places* the features of which every row has a finite number within the reference's range; return their positions.

    Most features of most requests are such; what is found out of all of them at once takes a fifth of the time, and compiled a tenth of that.
    """
    ranged = _ranged(reference)
    said = [rows.features.get(name) for name in ranged.names]
    if not len(rows) or not ranged.names or any(column is None for column in said):
        return set()
    numbers = np.array([column.numbers for column in said if column is not None])
    place_all = place_numbers if IS_COMPILED else _place_numbers_plain
    is_placed = place_all(numbers, *ranged.where, places)
    return set(ranged.where.positions[is_placed].tolist())


def _place_numbers_plain(
    numbers: FloatArray,
    ranges: FloatArray,
    edges: FloatArray,
    bounds: IntArray,
    starts: IntArray,
    positions: IntArray,
    places: IntArray,
) -> BoolArray:
    """Do as `place_numbers` does."""
    is_within: BoolArray = (numbers.min(axis=1) >= ranges[0]) & (numbers.max(axis=1) <= ranges[1])
    for k in np.flatnonzero(is_within).tolist():
        bins = edges[bounds[k] : bounds[k + 1]].searchsorted(numbers[k])
        np.add(bins, starts[k], out=places[positions[k]])
    return is_within


class _Where(NamedTuple):
    """Ranges, edges and places of features as `place_numbers` takes them."""

    ranges: FloatArray
    edges: FloatArray
    bounds: IntArray
    starts: IntArray
    positions: IntArray


class _Ranged(NamedTuple):
    """The features of a reference that are counted in bins."""

    names: list[str]
    where: _Where


@lru_cache(maxsize=1024)
def _ranged(reference: Reference) -> _Ranged:
    found = [
        (feature.name, position, feature.cells)
        for position, feature in enumerate(reference.features)
        if isinstance(feature.cells, Bins)
    ]
    bins = [cells for _, _, cells in found]
    positions = [position for _, position, _ in found]
    where = _Where(
        ranges=np.array([[b.minimum for b in bins], [b.maximum for b in bins]], dtype=float),
        edges=np.concatenate([np.zeros(0), *(cells.edges for cells in bins)]),
        bounds=np.cumsum([0, *(len(cells.edges) for cells in bins)]),
        starts=np.array([reference.places[position].start for position in positions], dtype=int),
        positions=np.array(positions, dtype=int),
    )
    return _Ranged([name for name, _, _ in found], where)


def _place(
    rows: InferenceColumns, target: TargetReference, start: int, places: IntArray
) -> list[tuple[IntArray, IntArray]]:
    """Write into *places* where the rows of *target* are counted; return which of them lie outside, and where that is counted."""
    column = target.column(rows)
    if column is None:
        return []
    cells = target.cells.assign(column)
    np.add(cells, start, out=places, where=True if cells.min(initial=0) >= 0 else cells >= 0)
    sides = target.cells.outside(column)
    at = np.flatnonzero(sides)
    if not len(at):
        return []
    below, above = (start + target.cells.n_cells + s for s in (Slot.BELOW_RANGE, Slot.ABOVE_RANGE))
    return [(at, np.where(sides[at] < 0, below, above))]


def _place_expected(reference: Reference, expected: ErrorCells, places: IntArray) -> None:
    """Write into *places* how wrong the rows are expected to be, once all is placed that this follows from."""
    at = reference.expected_at
    if at is None:
        return
    scores = None
    if reference.scores is not None:
        line = places[len(reference.targets)]
        is_said = line < reference.n_counts
        scores = np.where(is_said, line - reference.score_place.start, -1)
    bins = expected.bins(places, scores)
    np.add(bins, reference.places[at].start, out=places[at], where=bins >= 0)


def _place_errors(
    rows: InferenceColumns, reference: Reference, multivariate: Multivariate, places: IntArray
) -> None:
    """Write into *places* where the reconstruction errors are counted, of the rows that tell something of every feature."""
    # A row is nowhere, behind all other places, where nothing was captured; the features come first.
    complete = places[: len(reference.features)].max(axis=0) < reference.n_counts
    if not complete.any():
        return
    points = multivariate.points(
        lambda i: rows.features[reference.targets[i].name].numbers,
        lambda i: np.where(complete, places[i] - reference.places[i].start, -1),
    )
    last = len(reference.targets) - 1
    cells = reference.places[last].start + multivariate.cells(multivariate.errors(points))
    np.copyto(places[last], cells, where=complete)


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
