"""Several inputs of one call, seen as one table."""

from typing import Any

import numpy as np
import pytest

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.several import several


def table_of(**inputs: Any) -> Table:
    """Return *inputs* as one table."""
    return several({name: read_table(value) for name, value in inputs.items()})


def test_inputs_of_one_column_each_are_columns() -> None:
    """With their names, types and values, whatever each is made of."""
    table = table_of(age=np.array([[1.5], [2.5]]), city=["Oslo", None], visits=np.array([3, 4]))
    assert (table.rows, table.columns) == (2, 3)
    assert table.names() == ("age", "city", "visits")
    assert table.missing() == 1
    assert table.is_sound() is False
    assert table.take([0, 1], 2) == [[1.5, "Oslo"], [2.5, None]]
    assert table.take([1], 3) == [[2.5, None, 4]]


def test_columns_have_types_where_each_has_one() -> None:
    """Once where they are alike, as of any table; none where one is unknown, as a list's is."""
    numbers, floats = np.array([1, 2]), np.array([1.0, 2.0])
    assert table_of(a=numbers, b=floats).types() == ("int64", "float64")
    assert table_of(a=floats, b=floats).types() == ("float64",)
    assert table_of(a=floats, b=["x", "y"]).types() is None


def test_columns_are_read_one_by_one() -> None:
    """As they were given."""
    age = np.array([[1.5], [2.5]])
    cells = table_of(age=age, visits=age + 1).cells()
    assert [list(column) for column in cells] == [[1.5, 2.5], [2.5, 3.5]]
    cells = table_of(age=age, city=np.array(["Oslo", "Rome"])).cells()
    assert [list(column) for column in cells] == [[1.5, 2.5], ["Oslo", "Rome"]]


def test_where_the_values_of_one_input_cannot_be_had_none_are() -> None:
    """A sample without one of its features would be taken for a whole one."""
    assert table_of(size=np.ones(2), wave=np.array([1j, 2j])).take([0], 2) is None


@pytest.mark.parametrize(
    "other", [np.ones((2, 3)), np.ones((3, 1)), np.ones((2, 1, 1)), np.float64(1.0)]
)
def test_other_inputs_tell_samples_and_missing_values_only(other: Any) -> None:
    """The first says how many samples there are; nothing can be taken of them by column."""
    table = table_of(first=np.array([[np.nan], [1.0]]), other=other)
    assert (table.rows, table.columns, table.names(), table.types()) == (2, None, None, None)
    assert table.take([0], 1) is None
    assert table.cells() is None


def test_what_cannot_be_counted_in_one_input_is_not_counted() -> None:
    """A number that holds for some of the inputs would be taken for all."""
    assert table_of(first=np.ones((2, 2)), other=object()).missing() is None


def test_no_input_is_no_table() -> None:
    """Nothing is known then."""
    table = several({})
    assert (table.rows, table.columns, table.missing()) == (None, None, None)
