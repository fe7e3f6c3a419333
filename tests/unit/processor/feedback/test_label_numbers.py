"""Predicted classes as small numbers."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.columns import TextColumn
from otel_ml_processor.feedback.label_numbers import MAX_LABELS, NO_LABEL, LabelNumbers


def column(codes: list[int], *labels: str) -> TextColumn:
    """Return rows that predict *labels* by their codes, -1 for none."""
    return TextColumn(np.array(codes, dtype=np.int64), labels)


def texts(labels: LabelNumbers, numbers: np.ndarray) -> list[str | None]:
    """Return what *numbers* stand for."""
    return [None if n == NO_LABEL else labels.texts[n] for n in numbers.tolist()]


def test_a_number_leads_back_to_its_class_whatever_code_it_had() -> None:
    """Two requests name the same classes in other orders, and some rows none: every number still says what its row predicted."""
    labels = LabelNumbers()

    first = labels.numbers([column([0, -1, 1], "yes", "no"), column([]), column([-1])])
    second = labels.numbers([column([1, 0], "maybe", "yes")])

    assert texts(labels, first) == ["yes", None, "no", None]
    assert texts(labels, second) == ["yes", "maybe"]


def test_numbers_go_on_where_they_were() -> None:
    """After a restart the classes that waiting predictions remember keep their numbers, and a new one gets a number of its own."""
    labels = LabelNumbers(("no", "yes"))

    assert labels.numbers([column([0, 1, 2], "yes", "new", "no")]).tolist() == [1, 2, 0]
    assert labels.texts == ["no", "yes", "new"]


def test_classes_without_end_take_no_memory_without_end() -> None:
    """Whoever sends a new class with each request fills a fixed room; what was known before stays known."""
    labels = LabelNumbers()
    everyone = [str(number) for number in range(MAX_LABELS + 3)]

    numbers = labels.numbers([column([*range(len(everyone))], *everyone)])

    assert texts(labels, numbers) == [*everyone[:MAX_LABELS], None, None, None]
    assert len(labels.texts) == MAX_LABELS
    assert labels.numbers([column([0, 1], "7", "another")]).tolist() == [7, NO_LABEL]


def test_classes_that_nobody_uses_make_room() -> None:
    """Their numbers go to others, and they come back under another one; what is used keeps its own, also over a restart."""
    labels = LabelNumbers(tuple(str(number) for number in range(MAX_LABELS)))
    assert labels.is_full

    labels.keep_only({0, MAX_LABELS - 1})
    numbers = labels.numbers([column([0, 1, 2, 3], "0", "new", "7", str(MAX_LABELS - 1))])

    assert texts(labels, numbers) == ["0", "new", "7", str(MAX_LABELS - 1)]
    assert len(set(numbers.tolist())) == 4
    assert (numbers[0], numbers[3]) == (0, MAX_LABELS - 1)
    again = LabelNumbers(tuple(labels.texts)).numbers([column([0, 1], "new", "7")])
    assert texts(labels, again) == ["new", "7"]
