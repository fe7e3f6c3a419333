"""
An attribute's value as the type that the conventions give it, whatever a producer sent.

Every reader takes a set of causes, adds to it why a value could not be used, and answers "not said" instead of raising.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from otel_ml_processor.decode.decoder import Cause
from otel_ml_processor.sketches.categories import category_of

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

__all__ = ["MAX_ROWS", "MAX_TEXT", "elements", "number", "proportion", "text", "unpack"]

MAX_TEXT: Final = 256
"""Characters of a name or a label; a longer one is not read."""
MAX_ROWS: Final = 4096
"""Rows of one batch; more are not read."""

_ROUNDING: Final = 1e-6
"""By so much a proportion may miss [0, 1]: a sum of 32-bit floats does."""


def text(value: AnyValue | None, causes: set[Cause]) -> str | None:
    """Return *value* as text, a number the way categories are written (`1`, never `1.0`); None if it says nothing."""
    read = None if value is None else _as_text(value, causes)
    if read is not None and len(read) > MAX_TEXT:
        causes.add(Cause.OVERSIZED)
        return None
    return read


def _as_text(value: AnyValue, causes: set[Cause]) -> str | None:
    which = value.WhichOneof("value")
    if which == "string_value":
        return value.string_value
    if which == "int_value":
        return str(value.int_value)
    if which == "bool_value":
        return str(value.bool_value)
    if which == "double_value" and math.isfinite(value.double_value):
        return category_of(value.double_value)
    if which is not None:
        causes.add(Cause.WRONG_TYPE)
    return None


def number(value: AnyValue | None, causes: set[Cause]) -> float:
    """Return *value* as a number; NaN if it says none."""
    which = None if value is None else value.WhichOneof("value")
    if value is None or which is None:
        return math.nan
    if which == "int_value":
        return float(value.int_value)
    if which != "double_value":
        causes.add(Cause.WRONG_TYPE)
        return math.nan
    if math.isnan(value.double_value):
        causes.add(Cause.OUT_OF_RANGE)
    return value.double_value


def proportion(value: AnyValue | None, causes: set[Cause]) -> float:
    """Return *value* as a number in [0, 1]; NaN if it says none."""
    read = number(value, causes)
    if read < -_ROUNDING or read > 1 + _ROUNDING:
        causes.add(Cause.OUT_OF_RANGE)
        return math.nan
    return read if math.isnan(read) else min(1.0, max(0.0, read))


def elements(value: AnyValue | None, causes: set[Cause]) -> list[AnyValue] | None:
    """Return the elements of an array, one per row; None if *value* is no array, or one of more than `MAX_ROWS`."""
    which = None if value is None else value.WhichOneof("value")
    if value is None or which is None:
        return None
    if which != "array_value":
        causes.add(Cause.WRONG_TYPE)
        return None
    if len(value.array_value.values) > MAX_ROWS:
        causes.add(Cause.OVERSIZED)
        return None
    return list(value.array_value.values)


def unpack(value: AnyValue) -> object:
    """Return a scalar as a Python object, None where nothing is said; anything nested stays what it is."""
    which = value.WhichOneof("value")
    if which is None:
        return None
    return value if which in {"array_value", "kvlist_value"} else getattr(value, which)
