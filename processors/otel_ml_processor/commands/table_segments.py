"""A table's rows apart by the values of some columns: what segments of a stream are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.columns import Kind
from otel_ml_processor.commands.table_columns import value_column
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import SegmentReference, SegmentsReference
from otel_ml_processor.sketches.categories import category_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from otel_ml_processor.columns import BoolArray, FloatArray, IntArray, ValueColumn
    from otel_ml_processor.commands.self_tests import AssignedTarget
    from otel_ml_processor.commands.table_roles import Roles
    from otel_ml_processor.profile import Profile

__all__ = ["MAX_SEGMENT_VALUES", "segments_of"]

MAX_SEGMENT_VALUES: Final = 16
"""The most frequent values of a column, each with a reference of its own; the others have one together."""
_MAX_LENGTH: Final = 256


def segments_of(
    table: pa.Table,
    roles: Roles,
    profile: Profile,
    targets: Sequence[AssignedTarget],
    confidences: FloatArray | None,
) -> list[SegmentsReference]:
    """
    Return the rows of *table* by the values of each of the segment columns of *roles*; a row without a value is in none.

    Raises:
        TableError: If a column has no value at all, or a value is longer than a name may be.
    """
    sure = np.full(table.num_rows, np.nan) if confidences is None else confidences
    is_low = sure < (profile.low_confidence or 0.0)
    are_classes = profile.prediction is not None and profile.prediction.type == "categorical"
    unknown = np.full(table.num_rows, np.nan)
    is_right = _is_right(roles, table) if are_classes and roles.segments else unknown
    outputs = [t for t in targets if t.target.target in _OUTPUTS]
    return [
        _segments(name, value_column(table, name), outputs, sure, is_low, is_right)
        for name in roles.segments
    ]


_OUTPUTS: Final = {MlDriftTargetValues.PREDICTION, MlDriftTargetValues.CONFIDENCE}


def _segments(
    name: str,
    column: ValueColumn,
    outputs: Sequence[AssignedTarget],
    sure: FloatArray,
    is_low: BoolArray,
    is_right: FloatArray,
) -> SegmentsReference:
    values, codes = _coded(name, column)
    rows_of = np.bincount(codes[codes >= 0], minlength=len(values))
    ranked = sorted(range(len(values)), key=lambda code: (-rows_of[code], values[code]))
    parts = [(values[code], codes == code) for code in ranked[:MAX_SEGMENT_VALUES]]
    if ranked[MAX_SEGMENT_VALUES:]:
        parts.append(("", np.isin(codes, ranked[MAX_SEGMENT_VALUES:])))
    references = []
    for value, is_in in parts:
        judged = is_right[is_in]
        references.append(
            SegmentReference(
                value=value,
                rows=int(is_in.sum()),
                outputs=[count for t in outputs for count in _counts(t, is_in)],
                confident=int((~np.isnan(sure[is_in])).sum()),
                low=int(is_low[is_in].sum()),
                labelled=int((~np.isnan(judged)).sum()),
                wrong=int((judged == 0).sum()),
            )
        )
    return SegmentsReference(name=name, values=references)


def _counts(target: AssignedTarget, is_in: BoolArray) -> list[int]:
    n_counts = len(target.target.counts)
    cells = target.cells[is_in]
    counts: list[int] = np.bincount(cells[cells >= 0], minlength=n_counts)[:n_counts].tolist()
    return counts


def _coded(name: str, column: ValueColumn) -> tuple[list[str], IntArray]:
    """Return the different values as text, none of them empty, and the number of each row's, -1 where there is none."""
    codes = np.where(column.kinds == Kind.TEXT, column.texts, -1)
    texts = list(column.dictionary)
    for kind in (Kind.NUMBER, Kind.BOOLEAN):
        rows = np.flatnonzero((column.kinds == kind) & np.isfinite(column.numbers))
        numbers, inverse = np.unique(column.numbers[rows], return_inverse=True)
        codes[rows] = len(texts) + inverse
        texts += [str(bool(n)) if kind is Kind.BOOLEAN else category_of(float(n)) for n in numbers]
    numbers_of: dict[str, int] = {}
    renumbered = [numbers_of.setdefault(text, len(numbers_of)) for text in texts]
    is_empty = np.array([not text for text in texts] + [True])[codes]
    codes = np.where(is_empty, -1, np.array([*renumbered, -1], dtype=np.int64)[codes])
    used, codes = np.unique(codes, return_inverse=True)
    said = used[used >= 0]
    values = [list(numbers_of)[number] for number in said.tolist()]
    if not values:
        raise TableError(f"segment {name!r}: expected values, found none")
    if max(map(len, values)) > _MAX_LENGTH:
        raise TableError(
            f"segment {name!r}: expected values of at most {_MAX_LENGTH} characters, found {max(map(len, values))}"
        )
    return values, codes - (len(used) - len(said))


def _is_right(roles: Roles, table: pa.Table) -> FloatArray:
    """Return 1 where the prediction came true, 0 where not, NaN where that is not known."""
    said, true = roles.predictions(table), roles.truths(table)
    if said is None or true is None:
        return np.full(table.num_rows, np.nan)
    (names, codes), (true_names, true_codes) = _coded("label", said), _coded("target", true)
    number_of = {name: number for number, name in enumerate(names)}
    as_said = np.array([number_of.get(name, -1) for name in true_names])[true_codes]
    is_known = (codes >= 0) & (true_codes >= 0)
    return np.where(is_known, codes == as_said, np.nan)
