"""Rows of inferences as a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.columns import Kind
from otel_ml_processor.windows.reference import (
    FEWEST_ROWS,
    MAX_CATEGORY_LENGTH,
    build_profile,
    predictions_of,
    rows_by_category,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_ml_processor.columns import FloatArray, InferenceColumns, ValueColumn
    from otel_ml_processor.profile import Profile, Source
    from otel_ml_processor.windows.reference import ColumnType

__all__ = ["BuiltProfile", "profile_of_rows"]

_MOSTLY: Final = 0.9
"""Share of numbers from which on a column is numeric: what else there is are mistakes."""
_NAMED: Final = 0.5
"""Share of rows whose category must be frequent enough to have a name; else they are no categories but ids or free text."""


class BuiltProfile(NamedTuple):
    """A profile, and why features are not in it; `profile` is None where the rows say nothing that could be compared."""

    profile: Profile | None
    left_out: Mapping[str, str]


def profile_of_rows(rows: InferenceColumns, *, source: Source, created: str) -> BuiltProfile:
    """
    Return the profile of *rows*, at least one, as inferences that came as they came; what suits no cell is left out and named.

    Args:
        rows: Of one stream.
        source: Where they came from.
        created: When, in ISO 8601.
    """
    types: dict[str, ColumnType] = {n: _type(column) for n, column in rows.features.items()}
    left_out = {
        name: reason
        for name, column in rows.features.items()
        if (reason := _unsuitable(column, types[name]))
    }
    features = {name: c for name, c in rows.features.items() if name not in left_out}
    prediction = predictions_of(rows)
    confidence = _said(rows.confidences)
    if prediction is not None and _is_one_off(prediction, is_class=confidence is not None):
        prediction = None
    if not features and prediction is None and confidence is None:
        return BuiltProfile(None, left_out)
    profile = build_profile(
        features,
        model=rows.stream.model,
        version=rows.stream.version,
        created=created,
        source=source,
        types=types,
        prediction=prediction,
        # As they will be counted: classes by their labels, all else by its numbers.
        prediction_type="categorical" if (rows.labels.codes >= 0).any() else "numeric",
        confidence=confidence,
        is_learned=True,
    )
    return BuiltProfile(profile, left_out)


def _said(confidences: FloatArray) -> FloatArray | None:
    return confidences if np.isfinite(confidences).any() else None


def _type(column: ValueColumn) -> ColumnType:
    said = np.isin(column.kinds, (Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT)).sum()
    numbers = (column.kinds == Kind.NUMBER).sum()
    return "numeric" if numbers >= _MOSTLY * said else "categorical"


def _unsuitable(column: ValueColumn, of_type: ColumnType) -> str:
    """Return why *column* cannot be counted; nothing where it can."""
    said = int(np.isin(column.kinds, (Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT)).sum())
    if not said:
        return "no row has a value"
    if of_type == "numeric":
        return "" if np.isfinite(column.numbers).any() else "no number is finite"
    frequent = {n: rows for n, rows in rows_by_category(column).items() if rows >= FEWEST_ROWS}
    if sum(frequent.values()) < _NAMED * said:
        return "most values are rare: ids or free text are no categories"
    if max(map(len, frequent)) > MAX_CATEGORY_LENGTH:
        return f"texts of more than {MAX_CATEGORY_LENGTH} characters are no categories"
    return ""


def _is_one_off(prediction: ValueColumn, *, is_class: bool) -> bool:
    has_texts = bool((prediction.kinds == Kind.TEXT).any())
    return (has_texts or is_class) and bool(_unsuitable(prediction, "categorical"))
