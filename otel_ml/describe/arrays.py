"""
What an input says of itself: its shape, its types, its missing values, and single rows of it.

Only what the user's own objects offer is used, and only of kinds that are known to answer at once
(numpy, pandas, polars, scipy.sparse, lists). Anything else, say a remote array, tells its shape and
is left alone. Nothing is converted as a whole, no iterator is consumed.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final

from otel_ml.describe.soundness import (
    FEW_BYTES,
    MAX_COUNTED_CELLS,
    NEVER_ODD,
    is_finite,
    is_surely_finite,
)
from otel_ml.describe.values import is_infinite, is_missing


def _unmarked(**_said: bool) -> Callable[[type], type]:
    return lambda kind: kind


try:  # it tells who compiles something, and is there where that is done
    from mypy_extensions import mypyc_attr
except ModuleNotFoundError:
    mypyc_attr = _unmarked  # type: ignore[assignment]  # it takes less

__all__ = ["Table", "read_table"]

_MAX_COUNTED_OBJECTS: Final = 10_000  # as MAX_COUNTED_CELLS, where each value is a Python object
_NEVER_MISSING: Final = "biuSU"  # kinds of numpy types without a missing value
_NUMBERS: Final = "biuf"
_PLAIN_NUMBERS: Final = frozenset({bool, float, int})
_FEW_OBJECTS: Final = 1000  # up to here Python's objects are looked at sooner than columns
_DOUBLE_BYTES: Final = 8
_TABLE_AXES: Final = 2
_LISTED: Final = frozenset({"array", "numpy", "pandas"})

_Types = tuple[str, ...]


@mypyc_attr(allow_interpreted_subclasses=True)  # extensions have kinds of their own
class Table:
    """
    One input, seen as samples in rows and features in columns; of this kind only the shape is told.

    Each of `rows` and `columns` is None where it cannot be told without touching the data;
    `tensor_shape` is set where the input has other than one or two axes.
    """

    __slots__ = ("columns", "rows", "tensor_shape")

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        axes = len(shape or ())
        self.rows: int | None = shape[0] if shape else None
        self.columns: int | None = 1 if axes == 1 else None
        self.tensor_shape: tuple[int, ...] | None = None
        if shape is not None and axes == _TABLE_AXES:
            self.columns = shape[1]
        elif axes > _TABLE_AXES:
            self.tensor_shape = shape

    def layout(self) -> Hashable | None:
        """
        Return what is another one where number, names or types of the columns are others.

        None where names and types are had as quickly, or the input is a tensor.
        """
        return None

    def names(self) -> tuple[str, ...] | None:
        """Return the names of the columns where the input carries them."""
        return None

    def is_ordered(self) -> bool:
        """Return whether the order of the columns means anything; not where samples are mappings."""
        return True

    def types(self) -> _Types | None:
        """Return the types of the columns, one for all where they are alike, None where unknown."""
        return None

    def missing(self) -> int | None:
        """Return the number of null and NaN cells, None where counting would take long."""
        return None

    def is_sound(self) -> bool | None:
        """Return whether each cell has a value and each number is finite; None as for `missing`."""
        return None

    def copy(self, rows: Sequence[int] | None = None, max_bytes: int = FEW_BYTES) -> Any:  # noqa: ARG002 - kinds that have values use them
        """
        Return a numpy array of its own with all values, or those of *rows* alone, to be looked at later.

        None where it is no array of numbers or texts with one or two axes, or takes more than *max_bytes*.
        """
        return None

    def cells(self) -> Any:
        """
        Return what can be read by column, None where there is nothing, or more than is counted.

        A numpy array with two axes where all columns are numbers of one type, else a list of
        columns, each a numpy array with one axis or a list.
        """
        return None

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:  # noqa: ARG002 - kinds that have values use them
        """Return the first *width* values of each of *rows*, None where they cannot be had."""
        return None


def read_table(data: Any) -> Table:
    """Return *data* as a table."""
    reader = _READERS.get(type(data)) or _reader_of(type(data))
    return reader(data)


@lru_cache(maxsize=64)
def _type_name(dtype: Any) -> str:
    return str(dtype)


def _once_if_alike(types: _Types) -> _Types:
    return types[:1] if len(set(types)) == 1 else types


def _count_missing(values: Sequence[Any]) -> int | None:
    return sum(map(is_missing, values)) if len(values) <= _MAX_COUNTED_OBJECTS else None


def _count_nans(array: Any) -> int:
    return int((array != array).sum())  # noqa: PLR0124 - NaN and NaT differ from themselves


def _are_sound(values: list[Any]) -> bool:
    # Python's own numbers, the usual case: a single NaN or infinity would stay in their sum.
    if _PLAIN_NUMBERS.issuperset(map(type, values)):
        with suppress(OverflowError):
            if math.isfinite(sum(values)):
                return True
    return not any(is_missing(value) or is_infinite(value) for value in values)


class _Nothing(Table):
    """None, in the place of an input or an output."""

    __slots__ = ()

    def __init__(self, _none: None) -> None:
        super().__init__(None)

    def is_sound(self) -> bool:
        return False


class _Array(Table):
    """A numpy array."""

    __slots__ = ("_array", "_is_finite")

    def __init__(self, array: Any) -> None:
        shape = array.shape
        if len(shape) == _TABLE_AXES:  # most calls, in the caller's time
            self.rows, self.columns = shape
            self.tensor_shape = None
        else:
            super().__init__(shape)
        self._array = array
        self._is_finite: bool | None = None  # looked at once: that is a pass over the array

    def layout(self) -> Hashable | None:
        return None if self.columns is None else (self._array.dtype, self.columns)

    def types(self) -> _Types:
        return (_type_name(self._array.dtype),)

    def missing(self) -> int | None:
        return self._looked_at()[0]

    def is_sound(self) -> bool | None:
        if self._is_finite is not None:
            return self._is_finite
        array = self._array
        if array.nbytes <= FEW_BYTES and is_surely_finite(
            array
        ):  # most calls, in the caller's time
            self._is_finite = True
            return True
        missing, are_finite = self._looked_at()
        if missing is None or are_finite is not None:
            return are_finite
        return missing == 0 and (array.dtype.kind != "O" or _are_sound(array.ravel().tolist()))

    def _looked_at(self) -> tuple[int | None, bool | None]:
        """Return the number of missing values, and of floating numbers whether all are finite."""
        array = self._array
        kind, cells = array.dtype.kind, array.size
        if kind == "f" and cells <= MAX_COUNTED_CELLS:
            if self._is_finite is None:
                self._is_finite = is_finite(array)
            return (0 if self._is_finite else _count_nans(array)), self._is_finite
        if kind in _NEVER_MISSING:
            return 0, None
        if kind == "O":
            missing = _count_missing(array.ravel()) if cells <= _MAX_COUNTED_OBJECTS else None
            return missing, None
        if cells > MAX_COUNTED_CELLS or kind == "V":
            return None, None
        return _count_nans(array), None

    def copy(self, rows: Sequence[int] | None = None, max_bytes: int = FEW_BYTES) -> Any:
        array = self._array
        if not self._is_finite and array.dtype.kind not in NEVER_ODD:
            return None
        if self.columns is None:  # it has other than one or two axes
            return None
        if rows is None or len(rows) == len(array):
            return array.copy() if array.nbytes <= max_bytes else None
        is_small = len(rows) * array.nbytes <= max_bytes * len(array)
        return array[list(rows)] if is_small else None

    def cells(self) -> Any:
        array = self._array
        if array.size > MAX_COUNTED_CELLS or array.dtype.kind == "V":
            return None
        by_column = array if len(array.shape) == _TABLE_AXES else array.reshape(-1, 1)
        return by_column if array.dtype.kind in _NUMBERS else list(by_column.T)

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:
        array = self._array
        kind = array.dtype.kind
        # Records, times, complex: none has a JSON number.
        if self.columns is None or kind in "VMmc":
            return None
        if kind == "f" and array.dtype.itemsize > _DOUBLE_BYTES:
            array = array[list(rows)].astype("float64")
        elif len(rows) != self.rows:
            array = array[list(rows)]
        if array.ndim == 1:
            return [[value] for value in array.tolist()]
        values: list[list[Any]] = (array if width >= self.columns else array[:, :width]).tolist()
        return values


class _Frame(Table):
    """A pandas data frame."""

    __slots__ = ("_few", "_frame", "_is_sound", "_missing", "_types")

    def __init__(self, frame: Any) -> None:
        super().__init__(frame.shape)
        self._frame = frame
        # Looked at once: each is a pass over the frame, some of them with a copy.
        self._types: _Types | None = None
        self._missing: int | None = None
        self._is_sound: bool | None = None
        # Of few values an array, of objects where types differ, is had sooner than anything else.
        is_few = (self.rows or 0) * (self.columns or 0) <= _FEW_OBJECTS
        self._few = _Array(frame.to_numpy()) if is_few else None

    def names(self) -> tuple[str, ...] | None:
        names = self._frame.columns.tolist()
        return tuple(names) if all(isinstance(name, str) for name in names) else None

    def types(self) -> _Types:
        if self._types is None:
            self._types = _once_if_alike(tuple(map(_type_name, self._frame.dtypes.tolist())))
        return self._types

    def missing(self) -> int | None:
        if self._few is not None:
            return self._few.missing()
        if (self.rows or 0) * (self.columns or 0) > MAX_COUNTED_CELLS:
            return None
        if self._missing is None:
            self._missing = int(self._frame.isna().to_numpy().sum())
        return self._missing

    def is_sound(self) -> bool | None:
        if self._few is not None:
            return self._few.is_sound()
        missing = self.missing()
        if missing != 0:
            return None if missing is None else False
        if self._is_sound is None:
            is_plain = self.types() in _NUMPY_NUMBERS
            floats = self._frame if is_plain else self._frame.select_dtypes("floating")
            self._is_sound = _Array(floats.to_numpy()).is_sound()
        return self._is_sound

    def cells(self) -> Any:
        if self._few is not None:
            return self._few.cells()
        if (self.rows or 0) * (self.columns or 0) > MAX_COUNTED_CELLS:
            return None
        if self.types() in _NUMPY_NUMBERS:
            return self._frame.to_numpy()
        return [column.to_numpy() for _, column in self._frame.items()]

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:
        frame = self._frame if width >= (self.columns or 0) else self._frame.iloc[:, :width]
        if len(rows) != self.rows:
            frame = frame.iloc[list(rows)]
        if self.types() not in _NUMPY_NUMBERS:
            # As objects, or an integer in a row with a float would become a float.
            frame = frame.astype(object)
        values: list[list[Any]] = frame.to_numpy().tolist()
        return values


_NUMPY_NUMBERS: Final = frozenset(
    {("bool",), ("int64",), ("int32",), ("uint8",), ("float32",), ("float64",)}
)


class _Column(Table):
    """A pandas or polars series: one feature, often a text."""

    __slots__ = ("_series",)

    def __init__(self, series: Any) -> None:
        super().__init__((len(series),))
        self._series = series

    def names(self) -> tuple[str, ...] | None:
        name = self._series.name
        index: Any = getattr(self._series, "index", ())
        # A row of a data frame has the names of the columns there, and its own name in place of theirs.
        if len(index) and isinstance(index[0], str):
            return None
        return (name,) if isinstance(name, str) and name else None

    def types(self) -> _Types:
        return (str(self._series.dtype),)

    def missing(self) -> int | None:
        return _count_missing(self._series) if len(self._series) <= _MAX_COUNTED_OBJECTS else None

    def is_sound(self) -> bool | None:
        return _are_sound(list(self._series)) if len(self._series) <= _MAX_COUNTED_OBJECTS else None

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]]:  # noqa: ARG002 - it has one column
        by_position = getattr(self._series, "iloc", self._series)  # pandas', or polars itself
        return [[value] for value in by_position[list(rows)].to_list()]


class _PolarsFrame(Table):
    """A polars data frame."""

    __slots__ = ("_frame", "_missing")

    def __init__(self, frame: Any) -> None:
        super().__init__(frame.shape)
        self._frame = frame
        self._missing: int | None = None

    def names(self) -> tuple[str, ...]:
        return tuple(self._frame.columns)

    def types(self) -> _Types:
        return _once_if_alike(tuple(map(str, self._frame.dtypes)))

    def missing(self) -> int | None:
        if (self.rows or 0) * (self.columns or 0) > MAX_COUNTED_CELLS:
            return None
        if self._missing is None:
            self._missing = sum(map(_missing_in_polars, self._frame.iter_columns()))
        return self._missing

    def is_sound(self) -> bool | None:
        missing = self.missing()
        if missing is None:
            return None
        return missing == 0 and not any(map(_is_endless_in_polars, self._frame.iter_columns()))

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]]:
        frame = self._frame if width >= (self.columns or 0) else self._frame[:, :width]
        chosen = frame if len(rows) == self.rows else frame[list(rows)]
        return [list(row) for row in chosen.rows()]


def _missing_in_polars(column: Any) -> int:
    nans = column.is_nan().sum() if column.dtype.is_float() else 0
    return int(column.null_count()) + int(nans or 0)


def _is_endless_in_polars(column: Any) -> bool:
    return bool(column.dtype.is_float() and column.is_infinite().any())


class _Sparse(Table):
    """A scipy sparse matrix or array; what it does not store is zero, not missing."""

    __slots__ = ("_matrix", "_stored")

    def __init__(self, matrix: Any) -> None:
        super().__init__(tuple(map(int, matrix.shape)))
        self._matrix = matrix
        # Those keep lists of numbers, or numbers by their position: what is missing there is not known.
        is_array = matrix.format not in {"dok", "lil"}
        self._stored = _Array(matrix.data) if is_array else None

    def types(self) -> _Types:
        return (_type_name(self._matrix.dtype),)

    def missing(self) -> int | None:
        return None if self._stored is None else self._stored.missing()

    def is_sound(self) -> bool | None:
        return None if self._stored is None else self._stored.is_sound()

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:
        # Rows of another format can only be had by converting the whole matrix.
        if self._matrix.format != "csr" or len(self._matrix.shape) != _TABLE_AXES:
            return None
        values: list[list[Any]] = self._matrix[list(rows)][:, :width].toarray().tolist()
        return values


class _Samples(Table):
    """A list or tuple of samples, each a sequence, an array, a mapping, or a single value."""

    __slots__ = ("_is_sound", "_samples")

    def __init__(self, samples: Sequence[Any]) -> None:
        super().__init__((len(samples),))
        self._samples = samples
        self._is_sound: bool | None = None
        self.columns = _width(samples[0]) if samples else None

    def names(self) -> tuple[str, ...] | None:
        first = self._samples[0] if self._samples else None
        if isinstance(first, dict) and all(isinstance(name, str) for name in first):
            return tuple(first)
        return None

    def is_ordered(self) -> bool:
        return self.names() is None

    def missing(self) -> int | None:
        is_large = len(self._samples) * (self.columns or 1) > _MAX_COUNTED_OBJECTS
        if is_large or (self._samples and self.columns is None):
            return None
        values = [value for sample in self._samples for value in _sample_values(sample)]
        self._is_sound = _are_sound(values)
        return 0 if self._is_sound else sum(map(is_missing, values))

    def is_sound(self) -> bool | None:
        if self._is_sound is None:
            self.missing()
        return self._is_sound

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:
        names = self.names()
        chosen = [self._samples[row] for row in rows]
        if any(isinstance(sample, dict) is (names is None) for sample in chosen):
            return None  # of some the values have places, of others names
        if names is None:
            values = [_sample_values(sample) for sample in chosen]
            # Of samples of different lengths, lists of words say, the columns are no features.
            is_ragged = any(len(each) != self.columns for each in values)
            return None if is_ragged else [each[:width] for each in values]
        return [[sample.get(name) for name in names[:width]] for sample in chosen]


def _width(sample: Any) -> int | None:
    """Return how many values a sample has, 1 for a single one, None for an image or what is not known to be a row."""
    if isinstance(sample, (dict, list, tuple)):
        return len(sample)
    shape = getattr(sample, "shape", None) if _package(type(sample)) in _LISTED else None
    if shape is None:
        is_single = isinstance(sample, (str, bytes)) or not hasattr(sample, "__len__")
        return 1 if is_single else (len(sample) if _is_listed(sample) else None)
    width: int | None = None if len(shape) > 1 else (*shape, 1)[0]
    return width


def _sample_values(sample: Any) -> list[Any]:
    if isinstance(sample, dict):
        return list(sample.values())
    if isinstance(sample, (list, tuple)):
        return list(sample)
    values = sample.tolist() if _is_listed(sample) else sample
    return values if isinstance(values, list) else [values]


def _is_listed(sample: Any) -> bool:
    """Whether *sample*, of numpy's, pandas' or Python's own arrays, gives its values as a list at once."""
    return _package(type(sample)) in _LISTED and hasattr(sample, "tolist")


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


_KINDS: Final[Mapping[tuple[str, str], Callable[[Any], Table]]] = {
    ("builtins", "NoneType"): _Nothing,
    ("builtins", "list"): _Samples,
    ("builtins", "tuple"): _Samples,
    ("numpy", "MaskedArray"): lambda array: Table(array.shape),  # what is masked stays so
    ("numpy", "ndarray"): _Array,
    ("pandas", "DataFrame"): _Frame,
    ("pandas", "Series"): _Column,
    ("polars", "DataFrame"): _PolarsFrame,
    ("polars", "Series"): _Column,
    ("scipy", "sparray"): _Sparse,
    ("scipy", "spmatrix"): _Sparse,
}
_READERS: Final[dict[type, Callable[[Any], Table]]] = {}


def _reader_of(kind: type) -> Callable[[Any], Table]:
    """Return how *kind* is read, by what it extends, and remember it for the known kinds alone."""
    from otel_ml.describe.tensors import KINDS  # it reads its values as arrays

    for ancestor in kind.__mro__:
        name = (_package(ancestor), ancestor.__name__)
        reader = _KINDS.get(name) or KINDS.get(name)
        if reader is _Array and ancestor is not kind:
            # A matrix answers the same calls otherwise than an array does.
            return partial(_read_as, ancestor)
        if reader is not None:
            if _package(kind) == _package(ancestor):
                _READERS[kind] = reader
            return reader
    return _unknown


def _read_as(plain: type, array: Any) -> Table:
    return _Array(array.view(plain))


def _unknown(data: Any) -> Table:
    shape = getattr(data, "shape", None)
    is_plain = isinstance(shape, tuple) and all(type(length) is int for length in shape)
    return Table(shape if is_plain else None)
