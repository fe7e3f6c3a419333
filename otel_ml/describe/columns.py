"""One feature of an input at a time: what its values are, in all captured samples together."""

import math
import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from otel_ml.describe.arrays import Table
from otel_ml.describe.samples import draw_rows
from otel_ml.describe.values import is_infinite, is_missing, own_text, plain_number

__all__ = ["Column", "category", "read_columns"]

# Reading a column takes the caller's time. Of a wider input the first columns are read; of values
# that are Python's objects so many in all, of a random sample of the rows.
_MAX_COLUMNS: Final = 4096
_MAX_OBJECTS: Final = 10_000
_NUMBERS: Final = "biuf"
_CONTAINERS: Final = (dict, list, tuple, set, frozenset)


class Column(NamedTuple):
    """
    What is known of the values of one feature.

    Attributes:
        values: The values, a numpy array of numbers or a list, then without the missing ones.
        has_missing: Whether one is null or NaN.
        lowest: The smallest number, minus infinity too; infinity where there is none.
        highest: The largest number, infinity too; minus infinity where there is none.
        low: The smallest finite number, infinity where there is none.
        high: The largest finite number, minus infinity where there is none.
        has_texts: Whether one is a text, or an object that would be written as one.
        has_containers: Whether one is a list or a map.
    """

    values: Any
    has_missing: bool
    lowest: float
    highest: float
    low: float
    high: float
    has_texts: bool = False
    has_containers: bool = False

    @property
    def has_infinite(self) -> bool:
        """Whether one is infinite."""
        return self.highest == math.inf or self.lowest == -math.inf

    def categories(self) -> set[str]:
        """Return the different values as categories; those that are missing or infinite have none."""
        values = self.values
        if hasattr(values, "dtype"):
            values = sys.modules["numpy"].unique(values).tolist()
        return {
            category(value)
            for value in values
            if not (is_missing(value) or is_infinite(value) or isinstance(value, _CONTAINERS))
        }


def category(value: Any) -> str:
    """Return *value* as a profile names it: 3 and 3.0 are `3`, True is `True`, a text is itself."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else float.__repr__(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return own_text(value.isoformat() if hasattr(value, "isoformat") else value)


def read_columns(table: Table) -> Sequence[Column]:
    """Return the columns of *table*, in their order; none where they cannot be read one by one."""
    if table.rows == 0:
        return []
    cells = table.cells()
    if hasattr(cells, "dtype"):
        return _of_matrix(cells[:, :_MAX_COLUMNS])
    columns = _taken(table) if cells is None else list(islice(cells, _MAX_COLUMNS))
    objects = sum(not _is_numeric(column) for column in columns)
    at_most = _MAX_OBJECTS // max(1, objects)
    return [_of_values(column, at_most) for column in columns]


def _taken(table: Table) -> list[Any]:
    """Return what can be had of the columns by taking rows, a random sample where there are many."""
    if not table.rows or not table.columns:
        return []
    width = min(table.columns, _MAX_COLUMNS)
    rows = table.take(draw_rows(table.rows, max(1, _MAX_OBJECTS // width)), width)
    return [] if rows is None else list(map(list, zip(*rows, strict=False)))


def _is_numeric(values: Any) -> bool:
    return hasattr(values, "dtype") and values.dtype.kind in _NUMBERS


def _of_matrix(array: Any) -> list[Column]:
    """Return the columns of an array of numbers with two axes and at least one row."""
    if len(array) == 1:  # in Python, for a single row that is sooner done
        return [_of_number(array[:, i], number) for i, number in enumerate(array[0].tolist())]
    numpy = sys.modules["numpy"]
    if len(array) > array.shape[1]:
        array = numpy.asfortranarray(array)  # of long columns all is found in a fifth of the time
    if array.dtype.kind != "f":
        lowest, highest = array.min(axis=0).tolist(), array.max(axis=0).tolist()
        missing, low, high = [False] * len(lowest), lowest, highest
    else:
        missing = (array != array).any(axis=0).tolist()  # noqa: PLR0124 - NaN differs from itself
        lowest, highest = _extremes(array)
        low, high = lowest, highest
        if math.inf in highest or -math.inf in lowest:
            low, high = _extremes(numpy.where(numpy.isfinite(array), array, math.nan))
    return [
        Column(*facts) for facts in zip(array.T, missing, lowest, highest, low, high, strict=True)
    ]


def _extremes(array: Any) -> tuple[list[float], list[float]]:
    """Return the smallest and the largest number of each column, of no number infinities."""
    numpy = sys.modules["numpy"]
    low, high = numpy.fmin.reduce(array, axis=0), numpy.fmax.reduce(array, axis=0)
    none = numpy.isnan(low)
    return (
        numpy.where(none, math.inf, low).tolist(),
        numpy.where(none, -math.inf, high).tolist(),
    )


def _of_number(values: Any, number: float) -> Column:
    is_missing_one = number != number  # noqa: PLR0124 - NaN differs from itself
    is_endless = is_missing_one or math.isinf(number)
    return Column(
        values,
        has_missing=is_missing_one,
        lowest=math.inf if is_missing_one else number,
        highest=-math.inf if is_missing_one else number,
        low=math.inf if is_endless else number,
        high=-math.inf if is_endless else number,
    )


def _of_values(values: Any, at_most: int) -> Column:
    if _is_numeric(values):
        return _of_matrix(values.reshape(-1, 1))[0]
    rows = draw_rows(len(values), at_most)
    if hasattr(values, "dtype"):
        values = values[list(rows)].tolist()
    elif len(rows) < len(values):
        values = [values[row] for row in rows]
    return _of_objects(values)


def _of_objects(values: list[Any]) -> Column:
    known = [plain_number(value) for value in values if not is_missing(value)]
    numbers = [value for value in known if isinstance(value, (int, float))]
    finite = [number for number in numbers if not is_infinite(number)]
    containers = sum(isinstance(value, _CONTAINERS) for value in known)
    return Column(
        known,
        has_missing=len(known) < len(values),
        lowest=min(numbers, default=math.inf),
        highest=max(numbers, default=-math.inf),
        low=min(finite, default=math.inf),
        high=max(finite, default=-math.inf),
        has_texts=len(numbers) + containers < len(known),
        has_containers=containers > 0,
    )
