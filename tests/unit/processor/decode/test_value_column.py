"""What was found where a feature's value was expected, by kind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from otel_ml_processor.columns import Kind
from otel_ml_processor.decode.value_column import ABSENT, float_of, text_column, value_column

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "kind", "number"),
    [
        (1.5, Kind.NUMBER, 1.5),
        (-0.0, Kind.NUMBER, -0.0),
        (7, Kind.NUMBER, 7.0),
        (2**53 + 1, Kind.NUMBER, float(2**53)),
        (10**400, Kind.NUMBER, math.inf),
        (-(10**400), Kind.NUMBER, -math.inf),
        (math.inf, Kind.NUMBER, math.inf),
        ("Infinity", Kind.NUMBER, math.inf),
        ("-Infinity", Kind.NUMBER, -math.inf),
        (True, Kind.BOOLEAN, 1.0),
        (False, Kind.BOOLEAN, 0.0),
        (NAN, Kind.MISSING, NAN),
        (None, Kind.MISSING, NAN),
        (ABSENT, Kind.ABSENT, NAN),
        ("", Kind.TEXT, NAN),
        ("NaN", Kind.TEXT, NAN),
        ({"a": 1}, Kind.OTHER, NAN),
        ([], Kind.OTHER, NAN),
        (b"1", Kind.OTHER, NAN),
    ],
)
def test_a_value_is_of_the_kind_that_its_producer_sent(
    value: object, kind: Kind, number: float
) -> None:
    """A number is a number, an infinity too, a boolean is none, NaN and null are missing, a list is a type error."""
    column = value_column([value])

    assert column.kinds.tolist() == [kind]
    np.testing.assert_array_equal(column.numbers, [number])
    assert (column.texts[0] >= 0) == (kind is Kind.TEXT)


def test_texts_are_coded_in_the_order_they_appear() -> None:
    """Each text is kept once; rows that hold none say -1."""
    column = value_column(["b", 1.0, "a", None, "b"])

    assert column.dictionary == ("b", "a")
    assert column.texts.tolist() == [0, -1, 1, -1, 0]


def test_a_column_without_rows_has_the_types_of_one_with_rows() -> None:
    """No rows are no special case for whoever reads columns."""
    column = value_column([])

    assert len(column) == 0
    assert (column.kinds.dtype, column.numbers.dtype, column.texts.dtype) == (
        np.uint8,
        np.float64,
        np.int64,
    )


def test_one_number_beyond_all_floats_leaves_the_others_alone() -> None:
    """An absurd integer is infinite; the numbers beside it are what they were."""
    column = value_column([1, 10**400, 2.5, True])

    np.testing.assert_array_equal(column.numbers, [1.0, math.inf, 2.5, 1.0])


def test_a_text_column_codes_texts_and_gaps() -> None:
    """A label that is not said is -1, never an empty text."""
    column = text_column(["ok", None, "", "ok"])

    assert column.codes.tolist() == [0, -1, 1, 0]
    assert column.dictionary == ("ok", "")


def test_a_float_of_an_integer_is_the_nearest_one() -> None:
    """Up to the largest float; beyond it infinite, with its sign."""
    assert float_of(3) == 3.0
    assert float_of(10**400) == math.inf
    assert float_of(-(10**400)) == -math.inf
