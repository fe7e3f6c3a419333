"""How often which class was predicted."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.columns import TextColumn
from otel_ml_processor.sketches.label_counts import (
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    OTHER_LABELS,
    LabelCounts,
)


def counted(labels: list[str], known: tuple[str, ...] = ()) -> LabelCounts:
    """Return the counts of *labels*, all added at once."""
    dictionary = tuple(dict.fromkeys(labels))
    counts = LabelCounts(known)
    counts.add(TextColumn(np.array([dictionary.index(label) for label in labels]), dictionary))
    return counts


def test_classes_are_counted_the_most_frequent_first() -> None:
    """Rows without a label, and dictionary entries that no row uses, are not counted."""
    counts = LabelCounts()

    counts.add(TextColumn(np.array([1, -1, 1, 0]), ("ham", "spam", "unused")))

    assert list(counts.counts().items()) == [("spam", 2), ("ham", 1)]


def test_no_rows_count_nothing() -> None:
    """An empty batch leaves no class behind."""
    counts = LabelCounts()

    counts.add(TextColumn(np.array([], dtype=np.int64), ()))

    assert dict(counts.counts()) == {}


def test_classes_beyond_fifty_are_one_number() -> None:
    """Of 60 classes 50 keep their own count; the rows of the other ten are counted together, none is lost."""
    labels = [f"class {i:02d}" for i in range(60)] * 2

    counts = counted(labels).counts()

    assert len(counts) == MAX_LABELS + 1
    assert counts[OTHER_LABELS] == 20
    assert counts["class 00"] == counts["class 49"] == 2
    assert sum(counts.values()) == 120


def test_classes_of_the_reference_keep_their_own_count() -> None:
    """A flood of short made-up labels does not push a known class into the others."""
    counts = counted([*(f"{i}" for i in range(90)), "fraudulent"], known=("fraudulent",))

    assert counts.counts()["fraudulent"] == 1


def test_who_came_first_does_not_matter() -> None:
    """A class that is seen after 50 others are kept counts the same as if it had been seen before them."""
    many = [f"class {i:02d}" for i in range(60)]
    first, last = counted(["a", *many]), counted([*many, "a"])
    parts = counted(many)
    parts.merge(counted(["a"]))

    assert first.counts() == last.counts() == parts.counts()


def test_a_text_too_long_to_be_a_class_is_not_kept() -> None:
    """A label of a megabyte costs no memory; its row is counted among the others."""
    counts = counted(["x" * (MAX_LABEL_LENGTH + 1), "y" * MAX_LABEL_LENGTH]).counts()

    assert counts == {"y" * MAX_LABEL_LENGTH: 1, OTHER_LABELS: 1}
