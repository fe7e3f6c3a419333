"""Columns made of plain Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ABSENT", "inferences", "value_column"]

ABSENT = ...
"""Stands for a value that was not captured."""


def value_column(values: Sequence[object]) -> ValueColumn:
    """Return *values* as a decoder would: None and NaN are missing, a list is neither number nor text."""
    dictionary = tuple(dict.fromkeys(value for value in values if isinstance(value, str)))
    numbers = [float(v) if isinstance(v, (bool, int, float)) else np.nan for v in values]
    return ValueColumn(
        kinds=np.array([_kind(value) for value in values], dtype=np.uint8),
        numbers=np.array(numbers, dtype=np.float64),
        texts=np.array(
            [dictionary.index(v) if isinstance(v, str) else -1 for v in values], dtype=np.int64
        ),
        dictionary=dictionary,
    )


def inferences(
    rows: int,
    *,
    labels: Sequence[str | None] | None = None,
    confidences: Sequence[float] | None = None,
    entropies: Sequence[float] | None = None,
    margins: Sequence[float] | None = None,
    values: Sequence[float] | None = None,
    features: Mapping[str, Sequence[object]] | None = None,
) -> InferenceColumns:
    """Return *rows* inferences that say what is given and nothing else."""
    names = [None] * rows if labels is None else labels
    dictionary = tuple(dict.fromkeys(name for name in names if name is not None))
    codes = [-1 if name is None else dictionary.index(name) for name in names]
    return InferenceColumns(
        stream=StreamKey("shop", "production", "fraud", "1"),
        spans=np.arange(rows),
        end_times_ns=np.arange(rows, dtype=np.int64),
        labels=TextColumn(np.array(codes, dtype=np.int64), dictionary),
        confidences=_floats(rows, confidences),
        entropies=_floats(rows, entropies),
        margins=_floats(rows, margins),
        values=_floats(rows, values),
        features={name: value_column(column) for name, column in (features or {}).items()},
    )


def _floats(rows: int, values: Sequence[float] | None) -> np.ndarray:
    """Return *values* as floats, or as many NaN."""
    return np.full(rows, np.nan) if values is None else np.array(values, dtype=np.float64)


def _kind(value: object) -> Kind:
    """Return what a decoder would call *value*."""
    if value is ABSENT:
        return Kind.ABSENT
    if value is None or value != value:  # noqa: PLR0124  only NaN differs from itself
        return Kind.MISSING
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, (int, float)):
        return Kind.NUMBER
    return Kind.TEXT if isinstance(value, str) else Kind.OTHER
