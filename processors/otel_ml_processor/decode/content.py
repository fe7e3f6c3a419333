"""Captured inputs, as JSON text or as native maps and arrays: one mapping of names to values per row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from otel_ml_conventions.attributes import (
    ML_CONTENT_TRUNCATED,
    ML_INPUT_FEATURES,
    ML_INPUT_ROWS,
    ML_INPUT_VALUES,
)
from otel_ml_processor.decode.attributes import MAX_ROWS, elements, unpack
from otel_ml_processor.decode.decoder import Cause
from otel_ml_processor.decode.value_column import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

__all__ = [
    "CONTENT_KEYS",
    "MAX_JSON",
    "NOTHING",
    "Content",
    "content_of_row",
    "content_of_rows",
    "structure",
]

CONTENT_KEYS: Final = frozenset(
    {ML_CONTENT_TRUNCATED, ML_INPUT_FEATURES, ML_INPUT_ROWS, ML_INPUT_VALUES}
)
"""Every attribute that is read here."""
MAX_JSON: Final = 1 << 20
"""Characters of one JSON text; a longer one is not read."""


class Content(NamedTuple):
    """The captured values of one row by name, and what a name stands for that is not among them."""

    values: Mapping[str, object]
    default: object


NOTHING: Final = Content({}, ABSENT)
"""A row of which nothing was captured."""


def content_of_row(
    attributes: Mapping[str, AnyValue], names: Sequence[str], causes: set[Cause]
) -> Content:
    """
    Return what was captured of a single row: `ml.input.features`, or `ml.input.values` in the order of *names*.

    A name that complete content does not have is missing (None); of content that was cut, or could not be read, it is absent.
    """
    default = _default(attributes, causes)
    if ML_INPUT_FEATURES in attributes:
        return _content(structure(attributes[ML_INPUT_FEATURES], causes), default, causes)
    values = elements(attributes.get(ML_INPUT_VALUES), causes)
    if values is None:
        return NOTHING
    if len(values) > len(names) or (len(values) < len(names) and default is not ABSENT):
        causes.add(Cause.MISMATCHED_LENGTHS)
        return NOTHING
    return Content(dict(zip(names, map(unpack, values), strict=False)), default)


def content_of_rows(attributes: Mapping[str, AnyValue], causes: set[Cause]) -> list[Content] | None:
    """Return what was captured of each row of a batch (`ml.input.rows`); None if nothing was, or nothing that can be read."""
    if ML_INPUT_ROWS not in attributes:
        return None
    rows = structure(attributes[ML_INPUT_ROWS], causes)
    if rows is None:
        return None
    if not isinstance(rows, list):
        causes.add(Cause.WRONG_TYPE)
        return None
    if len(rows) > MAX_ROWS:
        causes.add(Cause.OVERSIZED)
        return None
    default = _default(attributes, causes)
    return [_content(row, default, causes) for row in rows]


def _default(attributes: Mapping[str, AnyValue], causes: set[Cause]) -> object:
    flag = attributes.get(ML_CONTENT_TRUNCATED)
    if flag is None:
        return None
    if flag.WhichOneof("value") != "bool_value":
        causes.add(Cause.WRONG_TYPE)
        return ABSENT  # Whether it is complete cannot be known, and absent claims nothing.
    return ABSENT if flag.bool_value else None


def _content(row: object, default: object, causes: set[Cause]) -> Content:
    if isinstance(row, dict):
        return Content(row, default)
    if row is not None:
        causes.add(Cause.WRONG_TYPE)
    return NOTHING


def structure(value: AnyValue, causes: set[Cause]) -> object:
    """Return the dict or list that *value* is or that its text says; None if it says nothing, or nothing that can be read."""
    which = value.WhichOneof("value")
    if which == "string_value":
        return _parsed(value.string_value, causes)
    if which == "kvlist_value":
        return {entry.key: unpack(entry.value) for entry in value.kvlist_value.values}
    if which == "array_value":
        rows = elements(value, causes)
        return None if rows is None else [structure(row, causes) for row in rows]
    if which is not None:
        causes.add(Cause.WRONG_TYPE)
    return None


def _parsed(text: str, causes: set[Cause]) -> object:
    if len(text) > MAX_JSON:
        causes.add(Cause.OVERSIZED)
        return None
    try:
        return _decoded(text)
    except (ValueError, RecursionError):
        causes.add(Cause.MALFORMED_JSON)
        return None


def _decoded(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # What msgspec refuses and producers write: NaN and Infinity, numbers beyond the largest float.
        found = json.dumps(json.loads(text, parse_int=float), ensure_ascii=False)
        # Half of a surrogate pair, which JSON can say, is in no text that can be written down or sent on.
        return json.loads(found.encode(errors="replace"))
