"""Rows with their places: what windows count and verdicts look up, found once per request."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.columns import TextColumn
from otel_ml_processor.compiled import IS_COMPILED, plain
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.windows.fast_places import Found, place_numbers, place_scores
from otel_ml_processor.windows.place_plan import plan_of, text_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import BoolArray, ByteArray, InferenceColumns, IntArray
    from otel_ml_processor.windows.class_scores import ClassScores
    from otel_ml_processor.windows.expected_errors import ErrorCells
    from otel_ml_processor.windows.multivariate import Multivariate
    from otel_ml_processor.windows.place_plan import Plan
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.score_reference import ScoreReference

__all__ = ["PlacedRows", "place"]

_BYTES_OF_ARRAYS: Final = 4096
_BYTES_OF_FEATURE: Final = 512
"""However few the rows: some thirty arrays, and three more per feature. Where a request is of a thousand models, that is nearly all."""
_BYTES_PER_ROW: Final = 96
_BYTES_PER_FEATURE: Final = 17
"""Its kind, its number and its text."""
_CELLS, _NOTHING = int(Found.CELLS), int(Found.NOTHING)
_NONE_OUTSIDE: Final[IntArray] = np.zeros((2, 0), dtype=np.int64)
_NO_KINDS: Final[ByteArray] = np.zeros((0, 0), dtype=np.uint8)


@dataclass(slots=True, eq=False)
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
    unusual: Sequence[int] | None = None
    """The lines of `places` in which not every row has a cell, or nobody knows; None: they may be any."""

    def __len__(self) -> int:
        return len(self.rows.spans)

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
            unusual=self.unusual,
        )

    @classmethod
    def joined(cls, parts: Sequence[PlacedRows], rows: InferenceColumns) -> PlacedRows:
        """Return *parts*, all of the same reference, as one; *rows* are theirs, one part behind the other."""
        outside = [part.outside_rows for part in parts]
        lengths = [part.places.shape[1] for part in parts]
        first_rows = [0, *accumulate(lengths[:-1])]
        return cls(
            rows=rows,
            reference=parts[0].reference,
            places=np.concatenate([part.places for part in parts], axis=1),
            outside_rows=np.concatenate(outside) + np.repeat(first_rows, list(map(len, outside))),
            outside_places=np.concatenate([part.outside_places for part in parts]),
        )

    @property
    def n_bytes(self) -> int:
        """About how many bytes the rows and their places take, and what holds them."""
        rows = self.rows
        n_features = len(rows.features)
        columns = len(self.places) + len(rows.segments) + len(rows.probabilities)
        of_row = _BYTES_PER_ROW + 8 * columns + _BYTES_PER_FEATURE * n_features
        return _BYTES_OF_ARRAYS + _BYTES_OF_FEATURE * n_features + len(rows.spans) * of_row

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
            unusual=self.unusual,
        )


def place(rows: InferenceColumns, reference: Reference | None) -> PlacedRows:
    """Return where each of *rows* is counted; never raises, whatever the values are."""
    if reference is None:
        nowhere = np.empty((0, len(rows)), dtype=np.int64)
        return PlacedRows(rows, None, nowhere, _NONE_OUTSIDE[0], _NONE_OUTSIDE[1], ())
    plan = plan_of(reference)
    places = np.empty((len(plan.found), len(rows)), dtype=np.int64)
    found = plan.found.copy()
    outside = _place_numbers(rows, plan, places, found) if IS_COMPILED else []
    unusual = (found != _CELLS).nonzero()[0].tolist()
    for line in unusual:
        if found[line] == _NOTHING:
            outside += _place(rows, reference, line, places[line])
    if plan.label_line is not None:
        _place_texts(rows.labels, reference, plan.label_line, places[plan.label_line])
    if reference.scores is not None:
        _place_scores(rows, reference, reference.scores, places)
    if reference.class_scores is not None:
        _place_classes(rows, reference, reference.class_scores, places)
    if plan.by_score is not None:
        line, expected = places[len(reference.targets)], places[reference.expected_at]
        plan.by_score.take(line, out=expected, mode="clip")  # nothing is; "raise" would copy
    elif reference.expected is not None:
        _place_expected(reference, reference.expected, places)
    if reference.multivariate is not None:
        _place_errors(rows, reference, reference.multivariate, places)
    at, slots = np.concatenate(outside, axis=1) if outside else _NONE_OUTSIDE
    return PlacedRows(rows, reference, places, at, slots, unusual)


def _place_numbers(
    rows: InferenceColumns, plan: Plan, places: IntArray, found: ByteArray
) -> list[IntArray]:
    """Write into *places*, and into *found* what that is, the columns of numbers that are placed all at once; return rows and places of what lies outside."""
    said = [rows.features.get(name) for name in plan.features]
    features = [column for column in said if column is not None]
    if not len(rows) or len(features) < len(said):
        return []
    numbers = [column.numbers for column in features]
    if plan.has_values:
        numbers.append(rows.values)
    if plan.has_confidences:
        numbers.append(rows.confidences)
    if not numbers:
        return []
    kinds = np.array([column.kinds for column in features]) if features else _NO_KINDS
    outside = np.empty((2, len(rows)), dtype=np.int64)
    n_outside = place_numbers(np.array(numbers), kinds, *plan.where, places, found, outside)
    return [outside[:, :n_outside].copy()] if n_outside else []


def _place(
    rows: InferenceColumns, reference: Reference, line: int, places: IntArray
) -> list[IntArray]:
    """Write into *places* where the rows of the target on *line* are counted; return rows and places of what lies outside."""
    target, start = reference.targets[line], reference.places[line].start
    column = target.column(rows)
    if column is None:
        places[:] = reference.n_counts
        return []
    if not target.ordered and len(rows) and column.texts.min() >= 0:  # all of them are texts
        _place_texts(TextColumn(column.texts, column.dictionary), reference, line, places)
        return []
    cells = target.cells.assign(column)
    places[:] = np.where(cells >= 0, cells + start, reference.n_counts)
    sides = target.cells.outside(column)
    at = np.flatnonzero(sides)
    if not len(at):
        return []
    below, above = (start + target.cells.n_cells + s for s in (Slot.BELOW_RANGE, Slot.ABOVE_RANGE))
    return [np.array([at, np.where(sides[at] < 0, below, above)])]


def _place_texts(texts: TextColumn, reference: Reference, line: int, places: IntArray) -> None:
    """Write into *places* where the *texts* of the target on *line*, which has categories, are counted."""
    of_text = text_places(reference, line, texts.dictionary)
    of_text.take(texts.codes, out=places, mode="wrap")  # -1 is the last: of no text


def _place_scores(
    rows: InferenceColumns, reference: Reference, scores: ScoreReference, places: IntArray
) -> None:
    """Write into *places* where the scores are counted."""
    line, start = places[len(reference.targets)], reference.score_place.start
    if IS_COMPILED:
        codes, signs = plain(rows.labels.codes), scores.signs(rows.labels.dictionary)
        confidences = plain(rows.confidences)
        place_scores(confidences, codes, signs, scores.edges, start, reference.n_counts, line)
    else:
        cells = scores.cells(rows.labels, rows.confidences)
        line[:] = np.where(cells >= 0, cells + start, reference.n_counts)


def _place_classes(
    rows: InferenceColumns, reference: Reference, scores: ClassScores, places: IntArray
) -> None:
    """Write into *places* where the probabilities of all classes are counted."""
    cells = scores.cells(rows.labels, rows.probabilities)
    start, nowhere = reference.class_place.start, reference.n_counts
    places[-len(cells) :] = np.where(cells >= 0, cells + start, nowhere)


def _place_expected(reference: Reference, expected: ErrorCells, places: IntArray) -> None:
    """Write into *places* how wrong the rows are expected to be, once all is placed that this follows from."""
    at = reference.expected_at
    if at is None:
        return
    bins = expected.bins(places, None)
    places[at] = np.where(bins >= 0, bins + reference.places[at].start, reference.n_counts)


def _place_errors(
    rows: InferenceColumns, reference: Reference, multivariate: Multivariate, places: IntArray
) -> None:
    """Write into *places* where the reconstruction errors are counted, of the rows that tell something of every feature."""
    # A row is nowhere, behind all other places, where nothing was captured; the features come first.
    complete = places[: len(reference.features)].max(axis=0) < reference.n_counts
    last = len(reference.targets) - 1
    places[last] = reference.n_counts
    if not complete.any():
        return
    points = multivariate.points(
        lambda i: rows.features[reference.targets[i].name].numbers,
        lambda i: np.where(complete, places[i] - reference.places[i].start, -1),
    )
    cells = reference.places[last].start + multivariate.cells(multivariate.errors(points))
    np.copyto(places[last], cells, where=complete)
