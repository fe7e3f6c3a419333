"""What is known of one feature of an input, whatever the input is held in."""

import math
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from otel_ml.describe.arrays import read_table
from otel_ml.describe.columns import Column, category, read_columns

INF = math.inf
NAN = math.nan
ROWS = [[1.0, NAN, -INF], [5.0, 2.0, 7.0], [-3.0, 4.0, INF]]
DECIMALS = [list(map(Decimal, row)) for row in ROWS]
FORMS: dict[str, Any] = {
    "array": np.array(ROWS),
    "column order": np.asfortranarray(ROWS),
    "single precision": np.array(ROWS, "f4"),
    "half precision": np.array(ROWS, "f2"),
    "extended precision": np.array(ROWS, np.longdouble),
    "objects": np.array(ROWS, object),
    "list": ROWS,
    "decimals": DECIMALS,
    "decimals in pandas": pd.DataFrame(DECIMALS, columns=list("abc")),
    "tuples": tuple(map(tuple, ROWS)),
    "arrays in a list": [np.array(row) for row in ROWS],
    "maps": [dict(zip("abc", row, strict=True)) for row in ROWS],
    "pandas": pd.DataFrame(ROWS, columns=list("abc")),
    "pandas, mixed": pd.DataFrame(ROWS, columns=list("abc")).assign(d="x"),
    "pandas, long": pd.DataFrame(ROWS * 400, columns=list("abc")).assign(d="x"),
    "polars": pl.DataFrame(ROWS, schema=list("abc"), orient="row"),
    "sparse": sp.csr_matrix(ROWS),
}


def said(column: Column) -> tuple[Any, ...]:
    """Return what the column says, without its values."""
    return column[1:6]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_numbers_says_the_same(form: str) -> None:
    """Missing values are passed over, infinities are told apart from what is finite."""
    first, second, third = read_columns(read_table(FORMS[form]))[:3]
    assert said(first) == (False, -3.0, 5.0, -3.0, 5.0)
    assert said(second) == (True, 2.0, 4.0, 2.0, 4.0)
    assert said(third) == (False, -INF, INF, 7.0, 7.0)
    assert [column.has_infinite for column in (first, second, third)] == [False, False, True]


@pytest.mark.parametrize("row", ROWS)
def test_one_row_says_the_same_as_a_batch_of_it(row: list[float]) -> None:
    """The short way for a single sample is no other rule."""
    alone = read_columns(read_table(np.array([row])))
    repeated = read_columns(read_table(np.array([row, row])))
    assert [said(column) for column in alone] == [said(column) for column in repeated]


@pytest.mark.parametrize("form", ["list", "array", "pandas"])
def test_a_feature_without_a_number_has_no_range(form: str) -> None:
    """Its extremes are the other way round, so that nothing is beyond anything."""
    forms = {"list": [[None]], "array": np.array([[NAN]] * 2), "pandas": pd.DataFrame({"a": [NAN]})}
    (column,) = read_columns(read_table(forms[form]))
    assert said(column) == (True, INF, -INF, INF, -INF)


def test_integers_and_booleans_are_numbers() -> None:
    """With their extremes as they are; no integer is too large."""
    assert said(read_columns(read_table(np.array([[3], [-4]])))[0]) == (False, -4, 3, -4, 3)
    assert said(read_columns(read_table(np.array([[True], [False]])))[0])[3:] == (0, 1)
    assert said(read_columns(read_table([[10**400]]))[0])[3:] == (10**400, 10**400)


def test_texts_and_lists_are_told_apart_from_numbers() -> None:
    """A text, or what is written as one; and what is neither a number nor a text."""
    columns = read_columns(read_table([[1.0, "a", [1], date(2026, 1, 1), b"x", 1]] * 2))
    assert [column.has_texts for column in columns] == [False, True, False, True, True, False]
    assert [column.has_containers for column in columns] == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (1e20, "100000000000000000000"),
        (True, "True"),
        ("3.0", "3.0"),
        (b"K\xc3\xb6ln", "Köln"),
        (b"\xff", "\ufffd"),
        (date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_a_value_has_the_name_that_a_profile_gives_it(value: object, name: str) -> None:
    """So that a category is known again, whatever type it comes in."""
    assert category(value) == name


@pytest.mark.parametrize(
    "values",
    [
        np.array([3.0, 3.0, NAN, INF, 2.5]),
        [3, 3.0, None, INF, 2.5],
        np.array([3, 3.0, NAN, np.float64(INF), np.float32(2.5)], object),
        pd.Series([3, 3, None, INF, 2.5]),
        pl.Series([3.0, 3.0, None, INF, 2.5]),
    ],
    ids=["array", "list", "objects", "pandas", "polars"],
)
def test_the_different_values_are_the_categories(values: Any) -> None:
    """Once each; what is missing or infinite is none."""
    (column,) = read_columns(read_table(values))
    assert column.categories() == {"3", "2.5"}


def test_categories_of_a_data_frame_are_those_of_its_values() -> None:
    """Not those that its type also allows."""
    frame = pd.DataFrame({"plan": pd.Categorical(["gold", None], categories=["gold", "silver"])})
    (column,) = read_columns(read_table(frame))
    assert column.categories() == {"gold"}
    assert column.has_missing


@pytest.mark.parametrize("data", [None, object(), [], np.zeros((0, 3)), np.zeros(3, [("a", "f8")])])
def test_what_has_no_columns_gives_none(data: object) -> None:
    """Nothing, an unknown object, no samples, records."""
    assert list(read_columns(read_table(data))) == []


def test_a_very_wide_input_is_read_up_to_a_width() -> None:
    """A hundred thousand columns take no longer than four thousand."""
    assert len(read_columns(read_table(np.zeros((1, 100_000))))) == 4096
    assert len(read_columns(read_table([[0.0] * 9000]))) == 4096


def test_of_very_many_objects_a_sample_of_rows_is_read() -> None:
    """Ten thousand in all: for a hundred thousand texts the caller does not wait."""
    (column,) = read_columns(read_table(["a"] * 100_000))
    assert len(column.values) == 10_000
    frame = pd.DataFrame({"a": ["x"] * 50_000, "b": ["y"] * 50_000, "c": 1.0})
    a, b, c = read_columns(read_table(frame))
    assert (len(a.values), len(b.values), len(c.values)) == (5000, 5000, 50_000)
