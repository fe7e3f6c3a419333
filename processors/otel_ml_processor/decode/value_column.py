"""The values of one feature, as they came out of JSON or of attributes, become one column of known kinds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.columns import FloatArray, IntArray, Kind, TextColumn, ValueColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ABSENT", "float_of", "text_column", "value_column"]


class _Absent:
    """The type of `ABSENT` alone."""


ABSENT: Final = _Absent()
"""Stands where a value was not captured; `None` stands for one that is missing."""

_KINDS: Final[dict[type, Kind]] = {
    _Absent: Kind.ABSENT,
    type(None): Kind.MISSING,
    float: Kind.NUMBER,
    int: Kind.NUMBER,
    bool: Kind.BOOLEAN,
    str: Kind.TEXT,
}
_INFINITIES: Final = {"Infinity": math.inf, "-Infinity": -math.inf}


def value_column(values: Sequence[object]) -> ValueColumn:
    """
    Return *values*, one per row, as a column.

    A number, a boolean and a text are what they are; `None` and NaN are missing, `ABSENT` is absent, and anything else is of kind
    OTHER. The texts `Infinity` and `-Infinity` are numbers: JSON has no other way to write them.
    """
    plain = [_INFINITIES.get(value, value) if isinstance(value, str) else value for value in values]
    kinds = np.array([_KINDS.get(type(value), Kind.OTHER) for value in plain], dtype=np.uint8)
    numbers = _numbers([value if isinstance(value, float | int) else math.nan for value in plain])
    kinds[(kinds == Kind.NUMBER) & np.isnan(numbers)] = Kind.MISSING
    texts = text_column([value if isinstance(value, str) else None for value in plain])
    return ValueColumn(kinds, numbers, texts.codes, texts.dictionary)


def text_column(texts: Sequence[str | None]) -> TextColumn:
    """Return *texts*, one per row, by code; None is -1. The dictionary is in the order of first appearance."""
    codes: dict[str, int] = {}
    rows: IntArray = np.array(
        [-1 if text is None else codes.setdefault(text, len(codes)) for text in texts],
        dtype=np.int64,
    )
    return TextColumn(rows, tuple(codes))


def float_of(number: float) -> float:
    """Return *number* as a float; an integer beyond the largest float is infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _numbers(numbers: list[float]) -> FloatArray:
    try:
        return np.array(numbers, dtype=np.float64)
    except OverflowError:
        return np.array([float_of(number) for number in numbers], dtype=np.float64)
