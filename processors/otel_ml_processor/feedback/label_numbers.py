"""Predicted classes as small numbers, so that a prediction which waits for its label remembers its own in four bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import TextColumn

__all__ = ["MAX_LABELS", "NO_LABEL", "LabelNumbers"]

MAX_LABELS: Final = 4096
"""Different classes of all predictions that are kept, of all streams together; a further one is not known by its name."""
NO_LABEL: Final = -1
"""Of what predicts no class, or one that there is no room for."""


class LabelNumbers:
    """The classes in the order in which they came, those in *texts* first; `texts` has each at its number."""

    __slots__ = ("_free", "_numbers", "texts")

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self.texts = [*texts]
        self._numbers = {text: number for number, text in enumerate(texts)}
        self._free: list[int] = []

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another class."""
        return len(self.texts) >= MAX_LABELS and not self._free

    def keep_only(self, used: Collection[int]) -> None:
        """Let go of the classes whose numbers are not *used* any more; others may have these."""
        self._numbers = {text: n for text, n in self._numbers.items() if n in used}
        self._free = [n for n in range(len(self.texts)) if n not in used]

    def numbers(self, parts: Sequence[TextColumn]) -> NDArray[np.int32]:
        """Return the number of each label of all *parts*, one at least, one part behind the other; `NO_LABEL` of none."""
        numbers: list[int] = []
        first = []
        for labels in parts:
            numbers.append(NO_LABEL)  # where the code of no label leads, one before the first
            first.append(len(numbers))
            numbers += [self._number(label) for label in labels.dictionary]
        of_parts = np.repeat(first, [len(labels.codes) for labels in parts])
        codes = np.concatenate([labels.codes for labels in parts])
        found: NDArray[np.int32] = np.array(numbers, dtype=np.int32)[of_parts + codes]
        return found

    def _number(self, label: str) -> int:
        number = self._numbers.get(label)
        if number is None:
            if self.is_full:
                return NO_LABEL
            number = self._numbers[label] = self._free.pop() if self._free else len(self.texts)
            self.texts[number : number + 1] = [label]
        return number
