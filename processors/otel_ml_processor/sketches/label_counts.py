"""How often which class was predicted, for a bounded number of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from otel_ml_processor.columns import TextColumn

__all__ = ["MAX_LABELS", "MAX_LABEL_LENGTH", "OTHER_LABELS", "LabelCounts"]

MAX_LABELS: Final = 50
MAX_LABEL_LENGTH: Final = 256
"""A longer text (in characters) is no name of a class; it is counted among the others."""
OTHER_LABELS: Final = "other"


class LabelCounts:
    """
    Rows per predicted class, for at most 50 classes; the rest is one number.

    Which classes keep a number of their own is decided by rank, not by who came first: those in `known` before others, then the
    shorter text, then alphabetically. A class within the first 50 of everything seen was within the first 50 of every part of it, so
    it was counted from its first row on: counts are exact, and the same in whatever order parts are added and merged.
    """

    __slots__ = ("_counts", "_known", "others")

    def __init__(self, known: Collection[str] = ()) -> None:
        self._known = frozenset(known)
        self._counts: dict[str, int] = {}
        self.others = 0

    def add(self, labels: TextColumn) -> None:
        """Count the rows that have a label."""
        if not labels.dictionary:
            return
        seen = np.bincount(labels.codes + 1, minlength=1 + len(labels.dictionary))[1:]
        found = np.flatnonzero(seen).tolist()
        self._add([(labels.dictionary[code], int(seen[code])) for code in found])

    def merge(self, other: LabelCounts) -> None:
        """Add what *other* counted; both must have been made with the same known classes."""
        self.add_counts(other._counts, other.others)

    def add_counts(self, counts: Mapping[str, int], others: int) -> None:
        """Add rows by class, as `by_class` has them, and *others* of further classes."""
        self.others += others
        self._add(counts.items())

    def by_class(self) -> dict[str, int]:
        """Return rows by class, in the order of their names, without the others."""
        return dict(sorted(self._counts.items()))

    def counts(self) -> Mapping[str, int]:
        """Return rows by class, the most frequent first; `other` holds all further classes and is left out where there are none."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        counts = dict(ordered)
        if self.others:
            counts[OTHER_LABELS] = counts.get(OTHER_LABELS, 0) + self.others
        return counts

    def _add(self, counted: Iterable[tuple[str, int]]) -> None:
        for label, count in counted:
            if len(label) > MAX_LABEL_LENGTH:
                self.others += count
            else:
                self._counts[label] = self._counts.get(label, 0) + count
        if len(self._counts) > MAX_LABELS:
            for label in sorted(self._counts, key=self._rank)[MAX_LABELS:]:
                self.others += self._counts.pop(label)

    def _rank(self, label: str) -> tuple[bool, int, str]:
        return (label not in self._known, len(label), label)
