"""The form of inputs that are alike is looked at once, and is told as if it were looked at each time."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.inputs import Forms, describe_form
from otel_ml.describe.validation import Expectation
from otel_ml_conventions.attributes import (
    ML_INPUT_FEATURE_COUNT,
    ML_INPUT_MISSING_COUNT,
    ML_INPUT_SCHEMA_HASH,
)

NAMES = ("age", "income")
KNOWN = Expectation(NAMES, takes_texts=False)


@pytest.mark.parametrize(
    "data",
    [
        np.ones((3, 2)),
        np.ones((3, 2), "float32"),
        np.ones((1, 3)),
        np.ones(4),
        np.ones((0, 2)),
        np.ones((2, 0)),
        np.array([["a", "b"]]),
        np.array([["a", None]], dtype=object),
    ],
    ids=str,
)
def test_a_form_that_is_known_tells_what_looking_at_it_tells(data: Any) -> None:
    """The first of two inputs alike and the second are told alike: as by `describe_form`."""
    forms = Forms(NAMES, KNOWN)
    expected = describe_form(read_table(data), NAMES, None)

    first, second = forms.of(read_table(data)), forms.of(read_table(data))

    assert first is not None
    assert second is first
    assert first.facts == expected


def test_rows_and_values_are_no_part_of_a_form() -> None:
    """One row and a thousand rows of the same columns are of one form, whatever is in them."""
    forms = Forms(NAMES, KNOWN)

    one = forms.of(read_table(np.zeros((1, 2))))

    assert forms.of(read_table(np.full((1000, 2), np.nan))) is one


@pytest.mark.parametrize(
    ("data", "is_expected"),
    [
        (np.ones((1, 2)), True),
        (np.ones((1, 2), "int8"), True),
        (np.ones((1, 3)), False),
        (np.ones(2), False),
        (np.ones((1, 0)), False),
        (np.array([["a", "b"]]), False),
    ],
    ids=["doubles", "integers", "one too many", "one column", "none", "texts"],
)
def test_the_form_that_the_model_takes_is_told_from_others(data: Any, is_expected: bool) -> None:
    """A model of two numbers takes two numbers, and no other number of columns, and no texts."""
    forms = Forms(NAMES, KNOWN)
    forms.of(read_table(np.ones((1, 2))))  # what is known already has no say in it

    form = forms.of(read_table(data))

    assert form is not None
    assert form.is_expected is is_expected


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"age": [1.0], "income": [2.0]}),
        [[1.0, 2.0]],
        sparse.csr_matrix(np.ones((1, 2))),
        np.ones((2, 3, 4)),
        None,
        object(),
    ],
    ids=["frame", "list", "sparse", "tensor", "nothing", "unknown"],
)
def test_what_carries_its_own_names_or_shape_is_looked_at_each_time(data: Any) -> None:
    """Two frames of the same width may differ in their names: neither is taken for the other."""
    assert Forms(NAMES, KNOWN).of(read_table(data)) is None


def test_ever_new_widths_do_not_fill_the_memory() -> None:
    """After many forms the next one is told as well, and is not kept."""
    forms = Forms(None, Expectation())
    for width in range(1, 200):
        forms.of(read_table(np.ones((1, width))))

    last = forms.of(read_table(np.ones((1, 500))))

    assert last is not None
    assert last.facts[ML_INPUT_FEATURE_COUNT] == 500
    assert forms.of(read_table(np.ones((1, 500)))) is not last


class Grid(Table):
    """A kind of input that an extension reads: its cells are of one type, and some are missing."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__((rows, columns))

    def types(self) -> tuple[str, ...]:
        """Return the type of all cells."""
        return ("decimal",)

    def missing(self) -> int:
        """Return how many cells are empty."""
        return 3


def test_an_extension_has_kinds_of_input_of_its_own() -> None:
    """What a subclass says of itself is told as of any other table; what it leaves out is unknown."""
    grid = Grid(5, 2)
    told = describe_form(grid, NAMES, grid.missing())
    assert told[ML_INPUT_FEATURE_COUNT] == 2
    assert told[ML_INPUT_MISSING_COUNT] == 3
    assert told[ML_INPUT_SCHEMA_HASH] == describe_form(Grid(1, 2), NAMES, 0)[ML_INPUT_SCHEMA_HASH]
    assert grid.is_sound() is None
    assert grid.copy() is None
