"""A table of attributions, a row per prediction and a column per feature, as the part of a profile that says what is usual of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.assess.explanations import MAX_FEATURES
from otel_ml_processor.commands.table_columns import value_column
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import CellReference, Source
from otel_ml_processor.windows.reference import build_profile

if TYPE_CHECKING:
    import pyarrow as pa

    from otel_ml_processor.columns import FloatArray

__all__ = ["TOLD", "explanation_columns"]

TOLD: Final = 10
"""Attributions that an explanation tells, the largest ones; as many as the instrumentation does unless told otherwise."""


def explanation_columns(table: pa.Table) -> list[CellReference]:
    """
    Return how the attributions in *table* are distributed, of the features that count most; none of a table without rows.

    Of every row the ten largest by absolute value are told, as in an explanation that is sent; the others are missing.

    Raises:
        TableError: If a column holds no numbers.
    """
    if not table.num_rows:
        return []
    values = np.stack([_numbers(table, name) for name in table.column_names], axis=1)
    sizes = np.abs(np.nan_to_num(values))
    importance = sizes.mean(axis=0)
    smallest_told = -np.sort(-sizes, axis=1)[:, min(TOLD, values.shape[1]) - 1]
    told = np.where(sizes >= smallest_told[:, np.newaxis], values, np.nan)
    heaviest = sorted(range(values.shape[1]), key=lambda i: -importance[i])
    columns = {table.column_names[i]: told[:, i] for i in heaviest if np.isfinite(told[:, i]).any()}
    kept = dict(list(columns.items())[:MAX_FEATURES])
    source = Source(kind="explanations", uri="", rows=table.num_rows)
    return build_profile(kept, model="", source=source, created="").features


def _numbers(table: pa.Table, name: str) -> FloatArray:
    column = value_column(table, name)
    if len(column.dictionary):
        raise TableError(f"column {name!r}: expected attributions, which are numbers, found texts")
    return np.where(np.isfinite(column.numbers), column.numbers, np.nan)
