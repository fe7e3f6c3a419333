"""Segments as small numbers, so that a prediction which waits for its label remembers them in two bytes each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.assess.segments import Segment
from otel_ml_processor.windows.divided import OTHER_VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import TextColumn
    from otel_ml_processor.windows.reference import Reference

__all__ = ["NO_SEGMENT", "SegmentNumbers"]

NO_SEGMENT: Final = -1
"""Of what says no value."""
_OTHER = 0


class SegmentNumbers:
    """
    The values of the attributes *names* of one stream, at most *max_values* of each: those of *reference* first, then as they come.

    A further value is one of the others, which have number 0; so is one that is called as they are together.
    """

    __slots__ = ("_max_values", "_numbers", "names")

    def __init__(self, names: Sequence[str], max_values: int, reference: Reference | None) -> None:
        self.names = tuple(names)
        self._max_values = max_values
        known = [reference.segments.get(name, {}) if reference else {} for name in names]
        self._numbers: list[dict[str, int]] = [{} for _ in names]
        for position, values in enumerate(known):
            for value in filter(None, values):
                self._number(position, value)

    def memory(self) -> tuple[dict[str, int], ...]:
        """Return the number of each value, by name, for `recall`."""
        return tuple(map(dict, self._numbers))

    def recall(self, numbers: Sequence[Mapping[str, int]]) -> None:
        """Number values as they were before; ValueError where there are other than as many names."""
        if len(numbers) != len(self.names):
            raise ValueError(
                f"expected the values of {len(self.names)} names, found {len(numbers)}"
            )
        self._numbers = [dict(values) for values in numbers]

    def numbers(self, columns: Mapping[str, TextColumn], n_rows: int) -> NDArray[np.int16]:
        """Return the number of each row's value under each name, shape (n_rows, n_names); -1 where it says none."""
        found = np.full((n_rows, len(self.names)), NO_SEGMENT, dtype=np.int16)
        for position, name in enumerate(self.names):
            column = columns.get(name)
            if column is not None and len(column.dictionary):
                of = [
                    self._number(position, value) if value else NO_SEGMENT
                    for value in column.dictionary
                ]
                found[:, position] = np.array([*of, NO_SEGMENT], dtype=np.int16)[column.codes]
        return found

    def segment(self, position: int, number: int) -> Segment:
        """Return the segment that *number* is of, under the name at *position*."""
        values = {number: value for value, number in self._numbers[position].items()}
        return Segment(self.names[position], values.get(number, OTHER_VALUES))

    def _number(self, position: int, value: str) -> int:
        numbers = self._numbers[position]
        if value == OTHER_VALUES:
            return _OTHER
        if value not in numbers and len(numbers) < self._max_values:
            numbers[value] = len(numbers) + 1
        return numbers.get(value, _OTHER)
