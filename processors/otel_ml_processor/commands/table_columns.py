"""Columns of an Arrow table as the values that features are counted from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from otel_ml_processor.columns import Kind, ValueColumn
from otel_ml_processor.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import FloatArray, IntArray

__all__ = ["FeatureColumns", "is_coded", "times_ns_of", "value_column"]


class FeatureColumns(Mapping[str, ValueColumn]):
    """The columns of a table by name, each converted when it is asked for, so that one at a time is held; `on_column` is told."""

    __slots__ = ("_names", "_on_column", "_table")

    def __init__(
        self, table: pa.Table, names: Sequence[str], on_column: Callable[[str], None]
    ) -> None:
        self._table = table
        self._names = tuple(names)
        self._on_column = on_column

    def __getitem__(self, name: str) -> ValueColumn:
        self._on_column(name)
        return value_column(self._table, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def is_coded(table: pa.Table, name: str) -> bool:
    """Return whether a column is dictionary-coded: a category by declaration, also where its values are numbers."""
    return bool(pa.types.is_dictionary(table.schema.field(name).type))


def value_column(table: pa.Table, name: str) -> ValueColumn:
    """
    Return a column of numbers, booleans or texts; null and NaN are missing.

    Raises:
        TableError: If it is of another type.
    """
    column = _plain(table[name])
    kind = column.type
    if pa.types.is_null(kind):
        return _no_values(len(column))
    if pa.types.is_boolean(kind):
        return _of_numbers(_floats(column.cast(pa.uint8())), Kind.BOOLEAN)
    if _is_number(kind):
        return _of_numbers(_floats(column), Kind.NUMBER)
    if pa.types.is_dictionary(kind) or _is_text(kind):
        return _of_texts(column)
    raise TableError(
        f"column {name!r}: expected numbers, booleans or texts, found {kind}; leave it out with "
        f"--ignore {name}, or use it with --time {name} if it says when"
    )


def times_ns_of(table: pa.Table, name: str) -> tuple[IntArray, NDArray[np.bool_]]:
    """
    Return the nanoseconds since 1970 of each row, and which rows have a time; one without a zone is taken as UTC.

    Raises:
        TableError: If the column holds neither timestamps, nor dates, nor texts in ISO 8601.
    """
    column = _plain(table[name])
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.large_string())
    if not (_is_text(column.type) or _is_time(column.type)):
        raise TableError(
            f"column {name!r}: expected timestamps, dates or ISO 8601 texts, found {column.type}"
        )
    try:
        times = _timestamps(column).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise TableError(f"column {name!r}: expected times in ISO 8601: {error}") from None
    return times.fill_null(0).to_numpy(), times.is_valid().to_numpy()


def _timestamps(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not _is_text(column.type):
        return column.cast(pa.timestamp("ns"))
    try:
        return column.cast(pa.timestamp("ns", "UTC"))
    except pa.ArrowInvalid:
        # Texts without a zone are refused above, texts with one here.
        return column.cast(pa.timestamp("ns"))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose texts are of one kind, and whose dictionary holds texts or is gone."""
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if not pa.types.is_dictionary(column.type):
        return column
    if _is_text(column.type.value_type):
        chunks = [_with_large_strings(chunk) for chunk in column.chunks]
        return pa.chunked_array(chunks, type=pa.dictionary(pa.int64(), pa.large_string()))
    return column.cast(column.type.value_type)


def _with_large_strings(chunk: pa.DictionaryArray) -> pa.DictionaryArray:
    # Not every kernel knows every kind of text, and polars' codes are unsigned.
    codes = chunk.indices.cast(pa.int64())
    return pa.DictionaryArray.from_arrays(codes, chunk.dictionary.cast(pa.large_string()))


def _is_text(kind: pa.DataType) -> bool:
    of_type = pa.types
    return bool(
        of_type.is_string(kind) or of_type.is_large_string(kind) or of_type.is_string_view(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    of_type = pa.types
    return bool(of_type.is_integer(kind) or of_type.is_floating(kind) or of_type.is_decimal(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _floats(column: pa.ChunkedArray) -> FloatArray:
    # Not `safe`: an integer beyond 2**53 is rounded, as it is on the wire.
    numbers: FloatArray = column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy()
    return numbers


def _of_numbers(numbers: FloatArray, kind: Kind) -> ValueColumn:
    kinds = np.where(np.isnan(numbers), Kind.MISSING, kind).astype(np.uint8)
    return ValueColumn(kinds, numbers, _constant(-1, len(numbers)))


def _of_texts(column: pa.ChunkedArray) -> ValueColumn:
    coded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    whole = coded.unify_dictionaries().combine_chunks()
    codes = whole.indices.fill_null(-1).to_numpy().astype(np.int64)
    dictionary = whole.dictionary.to_pylist()
    is_text = np.array([text is not None for text in dictionary] + [False])[codes]
    return ValueColumn(
        kinds=np.where(is_text, Kind.TEXT, Kind.MISSING).astype(np.uint8),
        numbers=_constant(np.nan, len(codes)),
        texts=np.where(is_text, codes, -1),
        dictionary=tuple(text or "" for text in dictionary),
    )


def _no_values(rows: int) -> ValueColumn:
    kinds = np.full(rows, Kind.MISSING, dtype=np.uint8)
    return ValueColumn(kinds, _constant(np.nan, rows), _constant(-1, rows))


def _constant(value: float, rows: int) -> NDArray[Any]:
    """Return an array of one value that takes no memory per row; it is only read."""
    return np.broadcast_to(np.array(value), (rows,))
