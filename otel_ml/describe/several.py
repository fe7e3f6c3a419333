"""Several inputs of one call, seen as one table."""

from collections.abc import Mapping, Sequence
from typing import Any

from otel_ml.describe.arrays import Table

__all__ = ["several"]


def several(inputs: Mapping[str, Table]) -> Table:
    """
    Return the *inputs* of one call, each with its name, as one table.

    Where each has one column and all have the same number of rows, they are the table's columns.
    Else the first says how many samples there are, and only missing values are told of all.
    """
    parts = tuple(inputs.values())
    if not parts:
        return Table(None)
    rows = {part.rows for part in parts}
    if len(rows) == 1 and all(part.columns == 1 for part in parts):
        return _Columns(tuple(inputs), parts)
    return _Inputs(parts)


class _Inputs(Table):
    """Inputs that are no columns of one table."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Table]) -> None:
        super().__init__(None)
        self.rows = parts[0].rows
        self._parts = parts

    def missing(self) -> int | None:
        counts = [part.missing() for part in self._parts]
        return None if None in counts else sum(count or 0 for count in counts)

    def is_sound(self) -> bool | None:
        sound = [part.is_sound() for part in self._parts]
        return False if False in sound else None if None in sound else True


class _Columns(_Inputs):
    """Inputs of one column each."""

    __slots__ = ("_names",)

    def __init__(self, names: tuple[str, ...], parts: Sequence[Table]) -> None:
        super().__init__(parts)
        self.columns = len(parts)
        self._names = names

    def names(self) -> tuple[str, ...]:
        return self._names

    def types(self) -> tuple[str, ...] | None:
        types = [part.types() for part in self._parts]
        known = tuple(each[0] for each in types if each)
        if len(known) != len(types):
            return None
        return known[:1] if len(set(known)) == 1 else known

    def cells(self) -> Any:
        cells = [part.cells() for part in self._parts]
        if any(each is None for each in cells):
            return None
        # An array of one column, or a list of one column.
        return [each.reshape(-1) if hasattr(each, "reshape") else each[0] for each in cells]

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:
        columns = [part.take(rows, 1) for part in self._parts[:width]]
        if any(column is None for column in columns):
            return None
        by_sample = zip(*(column or () for column in columns), strict=True)
        return [[value for (value,) in sample] for sample in by_sample]
