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
