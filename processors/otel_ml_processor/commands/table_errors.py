"""What errors a table's truth lets expect of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.columns import Kind, TextColumn
from otel_ml_processor.commands.self_tests import AssignedTarget
from otel_ml_processor.sketches.categories import category_of
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.statistics.estimated_errors import CellColumn
from otel_ml_processor.windows.expected_errors import (
    ErrorCells,
    errors_of_classes,
    errors_of_numbers,
)
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.score_reference import ScoreReference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import FloatArray, IntArray, ValueColumn
    from otel_ml_processor.profile import Calibration, ExpectedErrors, Profile
    from otel_ml_processor.windows.reference import TargetReference

__all__ = ["with_expected_errors"]

_ASKED: Final = frozenset({MlDriftTargetValues.FEATURE, MlDriftTargetValues.PREDICTION})


def with_expected_errors(
    profile: Profile,
    targets: Sequence[AssignedTarget],
    predictions: ValueColumn | None,
    truths: ValueColumn | None,
    confidences: FloatArray | None,
) -> tuple[Profile, list[AssignedTarget]]:
    """
    Return *profile*, which says what its truth is, with what errors are to be expected, and these as a further target; as it is where none are.

    *targets* are its features, its prediction and its confidence, as far as it has them; all are of the rows of one table.
    """
    if predictions is None or truths is None:
        return profile, []
    columns = [_cell_column(t) for t in targets if t.target.target in _ASKED]
    score_cells = None
    expected: ExpectedErrors | None = None
    if profile.calibration is not None and confidences is not None:
        score_cells = _score_cells(profile.calibration, predictions, confidences)
        expected = errors_of_classes(profile.calibration, score_cells)
    elif profile.prediction is not None and profile.prediction.type == "numeric":
        expected = _of_numbers(columns, predictions, truths)
    if expected is None:
        return profile, []
    known = msgspec.structs.replace(profile, expected=expected)
    return known, [
        AssignedTarget(_target(known), _bins(known, columns, score_cells).astype(np.int16))
    ]


def _target(profile: Profile) -> TargetReference:
    reference = Reference.of(profile)
    return next(t for t in reference.targets if t.target is MlDriftTargetValues.PERFORMANCE)


def _cell_column(assigned: AssignedTarget) -> CellColumn:
    n_cells = assigned.target.cells.n_cells + N_SLOTS
    return CellColumn(assigned.cells, n_cells, assigned.target.ordered)


def _of_numbers(
    columns: Sequence[CellColumn], predictions: ValueColumn, truths: ValueColumn
) -> ExpectedErrors | None:
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest there is
        errors = np.abs(predictions.numbers - truths.numbers)
        is_known = np.isfinite(errors**2)
    is_known &= np.all([column.cells >= 0 for column in columns], axis=0)
    if not is_known.any():
        return None
    known = [column._replace(cells=column.cells[is_known]) for column in columns]
    return errors_of_numbers(known, errors[is_known])


def _score_cells(
    calibration: Calibration, predictions: ValueColumn, confidences: FloatArray
) -> IntArray:
    """Return where the score of each row is counted, -1 where it has none."""
    scores = ScoreReference.of(calibration)
    return scores.cells(_labels(predictions), confidences)


def _labels(predictions: ValueColumn) -> TextColumn:
    """Return predictions as classes are written; a row without one says none."""
    codes, names = predictions.texts.copy(), list(predictions.dictionary)
    for kind, written in ((Kind.NUMBER, category_of), (Kind.BOOLEAN, _boolean)):
        of_kind = (predictions.kinds == kind) & np.isfinite(predictions.numbers)
        distinct, inverse = np.unique(predictions.numbers[of_kind], return_inverse=True)
        codes[of_kind] = len(names) + inverse
        names += map(written, distinct.tolist())
    return TextColumn(codes, tuple(names))


def _boolean(number: float) -> str:
    return str(bool(number))


def _bins(
    profile: Profile, columns: Sequence[CellColumn], score_cells: IntArray | None
) -> IntArray:
    """Return the bin of expected error of each row, -1 where it has none."""
    cells = ErrorCells.of(profile)
    if cells is None:
        return np.full(len(columns[0].cells), -1)
    starts = np.cumsum([0, *(column.n_cells for column in columns)])
    nowhere = int(starts[-1])
    places = np.stack(
        [
            np.where(c.cells >= 0, c.cells + start, nowhere)
            for c, start in zip(columns, starts.tolist(), strict=False)
        ]
    )
    return cells.bins(places, score_cells)
