"""Values counted by name, with a place for the rare and for the never seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.columns import Kind
from otel_ml_processor.sketches.kinds import slots_by_kind
from otel_ml_processor.sketches.slots import N_SLOTS, Slot

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray, ValueColumn

__all__ = ["MAX_OTHER_KNOWN", "Categories", "category_of"]

MAX_OTHER_KNOWN: Final = 1000
"""Names kept beside those with a cell of their own. A list this long was cut: from then on nothing can be called unseen."""


def category_of(number: float) -> str:
    """Return the name of a finite number as a category: `3`, never `3.0`; `2.5` otherwise."""
    return str(int(number)) if number.is_integer() else repr(number)


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """
    Cells of a categorical column: one per name, and the last for all names in `other_known`.

    Values are compared as text, whatever type the producer sent: 3, 3.0 and "3" are one category, a boolean is `True` or `False`.
    A name in neither is UNSEEN; where `other_known` has `MAX_OTHER_KNOWN` names it was cut, and such a name is counted as known.
    """

    names: tuple[str, ...]
    other_known: frozenset[str]
    _cells: dict[str, int] = field(init=False, repr=False)
    _known_numbers: FloatArray = field(init=False, repr=False)
    _number_cells: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cells = dict.fromkeys(self.other_known, len(self.names))
        cells.update({name: cell for cell, name in enumerate(self.names)})
        numbers = sorted((number, cell) for name, cell in cells.items() for number in _read(name))
        object.__setattr__(self, "_cells", cells)
        object.__setattr__(self, "_known_numbers", np.array([n for n, _ in numbers], dtype=float))
        object.__setattr__(self, "_number_cells", np.array([c for _, c in numbers], dtype=np.int64))

    @property
    def n_cells(self) -> int:
        """Number of cells: the names, and one for the other known ones."""
        return len(self.names) + 1

    def assign(self, column: ValueColumn) -> IntArray:
        """
        Return where each row is counted, shape (n_rows,).

        A cell in [0, n_cells); or n_cells plus a `Slot`: MISSING for null and NaN, NON_FINITE for the number infinity, UNSEEN for a
        name that the reference does not have, TYPE_ERROR for a list or a map; or -1 where nothing was captured. A text is looked up
        once per dictionary entry. Never raises.
        """
        textual = column.kinds == Kind.TEXT
        of_text = np.array([self._cell_of(text) for text in column.dictionary], dtype=np.int64)
        if textual.all():
            return of_text[column.texts]
        cells = slots_by_kind(self.n_cells)[column.kinds]
        cells[textual] = of_text[column.texts[textual]]
        numeric = column.kinds == Kind.NUMBER
        cells[numeric] = self._cell_of_numbers(column.numbers[numeric])
        boolean = column.kinds == Kind.BOOLEAN
        of_boolean = np.array([self._cell_of("False"), self._cell_of("True")], dtype=np.int64)
        cells[boolean] = of_boolean[(column.numbers[boolean] != 0).astype(np.int64)]
        return cells

    def outside(self, column: ValueColumn) -> IntArray:
        """Return zeros, shape (n_rows,): names have no range."""
        return np.zeros(len(column), dtype=np.int64)

    def count(self, column: ValueColumn) -> IntArray:
        """Return the rows per cell and slot, shape (n_cells + N_SLOTS,); zeros for an empty column."""
        return np.bincount(self.assign(column) + 1, minlength=self.n_cells + N_SLOTS + 1)[1:]

    @property
    def _unknown(self) -> int:
        is_cut = len(self.other_known) >= MAX_OTHER_KNOWN
        return len(self.names) if is_cut else self.n_cells + Slot.UNSEEN

    def _cell_of(self, name: str) -> int:
        return self._cells.get(name, self._unknown)

    def _cell_of_numbers(self, numbers: FloatArray) -> IntArray:
        # The known names that are numbers were read back once, so that no number has to be written as text per row.
        cells = np.full(len(numbers), self._unknown, dtype=np.int64)
        if len(self._known_numbers):
            places = np.searchsorted(self._known_numbers, numbers)
            places[places == len(self._known_numbers)] = 0
            is_known = self._known_numbers[places] == numbers
            cells[is_known] = self._number_cells[places[is_known]]
        cells[np.isinf(numbers)] = self.n_cells + Slot.NON_FINITE
        cells[np.isnan(numbers)] = self.n_cells + Slot.MISSING
        return cells


def _read(name: str) -> list[float]:
    """Return the one number whose category is *name*, if there is one."""
    try:
        number = float(name)
    except ValueError:
        return []
    return [number] if math.isfinite(number) and category_of(number) == name else []
