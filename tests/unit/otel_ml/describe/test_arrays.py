"""What inputs of every kind say of themselves."""

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from otel_ml.describe.arrays import read_table
from otel_ml.describe.inputs import schema_hash

NAN = float("nan")


@pytest.mark.parametrize(
    ("data", "rows", "columns", "missing"),
    [
        (np.zeros((3, 2), "f4"), 3, 2, 0),
        (np.array([[1.0, NAN]]), 1, 2, 1),
        (np.array([[np.inf, -np.inf]]), 1, 2, 0),
        (np.full((40, 10), NAN), 40, 10, 400),
        (np.zeros((3, 2), int), 3, 2, 0),
        (np.zeros((3, 2), bool), 3, 2, 0),
        (np.array([["a", None, NAN]], object), 1, 3, 2),
        (np.array(["a", "b"]), 2, 1, 0),
        (np.array([["2013-01-01", "NaT"]], "M8[D]"), 1, 2, 1),
        (lambda: np.matrix([[1.0, NAN]]), 1, 2, 1),  # made in the test: making one warns
        (pd.DataFrame({"a": [1.0, NAN], "b": ["x", None]}), 2, 2, 2),
        (pd.DataFrame({"a": pd.array([1, None], "Int64")}), 2, 1, 1),
        (pd.Series(["a", None]), 2, 1, 1),
        (pl.DataFrame({"a": [1.0, NAN, None], "b": ["x", None, "y"]}), 3, 2, 3),
        (pl.Series(["a", None]), 2, 1, 1),
        (sp.csr_matrix([[0.0, NAN], [0.0, 0.0]]), 2, 2, 1),
        (sp.coo_array([[0, 1]]), 1, 2, 0),
        ([[1, None], [NAN, 2]], 2, 2, 2),
        (((1, 2, 3),), 1, 3, 0),
        (["a text", "another"], 2, 1, 0),
        ([{"a": 1, "b": None}], 1, 2, 1),
        ([np.array([1.0, NAN])], 1, 2, 1),
        ([pd.Series([1.0, NAN]), pd.Series([2.0, 3.0])], 2, 2, 1),
        ([array("d", [1.0, NAN])], 1, 2, 1),
        ([], 0, None, 0),
        (np.empty((0, 4)), 0, 4, 0),
        (pd.DataFrame(), 0, 0, 0),
    ],
)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_rows_columns_and_missing_values(
    data: Any, rows: int, columns: int | None, missing: int
) -> None:
    """Samples, features and missing cells are counted alike in every container."""
    table = read_table(data() if callable(data) else data)
    assert (table.rows, table.columns, table.missing()) == (rows, columns, missing)
    assert table.tensor_shape is None


def test_more_than_two_axes_are_a_tensor() -> None:
    """An image batch has samples and a shape but no features, and no values are taken of it."""
    table = read_table(np.zeros((8, 3, 4, 4), "f4"))
    assert (table.rows, table.columns, table.tensor_shape) == (8, None, (8, 3, 4, 4))
    assert table.types() == ("float32",)
    assert table.take([0], 1) is None


@pytest.mark.parametrize(
    "sample",
    [range(3), {1, 2}, memoryview(b"ab"), pl.Series([1]), pd.DataFrame({"a": [1]})],
    ids=lambda sample: type(sample).__name__,
)
def test_what_a_sample_of_another_kind_holds_is_not_known(sample: Any) -> None:
    """It is no single value: neither its width nor its text is told."""
    table = read_table([sample, sample])
    assert (table.rows, table.columns, table.missing()) == (2, None, None)
    assert table.take([0], 1) is None


def generator() -> Iterator[int]:
    """Yield something that can be had only once."""
    yield 1


@pytest.mark.parametrize("data", [None, 3, "text", object(), generator(), {"a": [1]}])
def test_what_is_unknown_is_left_alone(data: Any) -> None:
    """Of an object that is no known container nothing is told and nothing is asked."""
    table = read_table(data)
    assert (table.rows, table.columns, table.types(), table.missing()) == (None, None, None, None)
    assert table.take([0], 1) is None


def test_an_iterator_is_not_consumed() -> None:
    """Describing an iterator takes nothing from it."""
    data = generator()
    read_table(data).missing()
    assert list(data) == [1]


class Remote:
    """An array somewhere else: its shape is known, everything else would fetch it."""

    shape = (5, 3)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")

    def __len__(self) -> int:
        raise AssertionError("the length was asked for")


def test_of_a_remote_array_only_the_shape_is_asked() -> None:
    """A lazy array is not computed to be described."""
    table = read_table(Remote())
    assert (table.rows, table.columns, table.missing()) == (5, 3, None)


def test_a_masked_array_keeps_what_it_masks() -> None:
    """Values under a mask are not captured."""
    table = read_table(np.ma.masked_array([[1.0, 2.0]], mask=[[False, True]]))
    assert (table.rows, table.columns) == (1, 2)
    assert table.take([0], 2) is None


class Picture:
    """An array of three axes that takes long to become a list."""

    __module__ = "numpy"
    shape = (1080, 1920, 3)

    def tolist(self) -> list[float]:
        """Fail: nobody may ask for six million numbers."""
        raise AssertionError


def test_a_list_of_pictures_is_not_taken_apart() -> None:
    """What has rows of its own is no row of features: its number is told, and nothing is converted."""
    table = read_table([Picture(), Picture()])
    assert (table.rows, table.columns) == (2, None)
    assert (table.missing(), table.is_sound()) == (None, None)
    table = read_table([np.array([1.0, NAN]), np.array([1.0, 2.0])])
    assert (table.rows, table.columns, table.missing()) == (2, 2, 1)
    assert read_table([np.float32(1), np.float32(NAN)]).missing() == 1


def test_large_inputs_are_not_searched_for_missing_values() -> None:
    """Counting must not cost a caller more than a pass over a million numbers."""
    assert read_table(np.zeros((1001, 1000), "f4")).missing() is None
    assert read_table(np.zeros((1000, 1000), "f4")).missing() == 0
    assert read_table(np.full((10_001, 1), None)).missing() is None
    assert read_table([[1.0]] * 10_001).missing() is None


@pytest.mark.parametrize(
    "data",
    [
        np.arange(12.0).reshape(4, 3),
        np.arange(12.0).reshape(3, 4).T.copy(order="F")[:, :3],
        pd.DataFrame(np.arange(12.0).reshape(4, 3)),
        pl.DataFrame(np.arange(12.0).reshape(4, 3), schema=["a", "b", "c"]),
        sp.csr_matrix(np.arange(12.0).reshape(4, 3)),
        np.arange(12.0).reshape(4, 3).tolist(),
        np.arange(12, dtype=np.longdouble).reshape(4, 3),
    ],
)
def test_taken_rows_are_those_asked_for(data: Any) -> None:
    """Rows 1 and 3, of each the first two columns, as Python numbers."""
    dense = data.toarray() if sp.issparse(data) else np.asarray(data)
    taken = read_table(data).take([1, 3], 2)
    assert taken == dense[[1, 3]][:, :2].astype(float).tolist()
    assert all(type(value) is float for row in taken or () for value in row)


def test_a_mixed_frame_keeps_the_type_of_each_column() -> None:
    """An integer in a row with floats stays an integer."""
    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, 1.5], "s": ["a", None], "b": [True, False]})
    (row,) = read_table(frame).take([0], 4) or ()
    assert row == [1, 0.5, "a", True]
    assert [type(value) for value in row] == [int, float, str, bool]


def test_rows_of_other_sparse_formats_are_not_taken() -> None:
    """They could only be had by converting the whole matrix."""
    assert read_table(sp.coo_matrix(np.eye(3))).take([0], 3) is None


def test_names_come_from_containers_that_have_them() -> None:
    """Columns with text names are named; positions are no names."""
    assert read_table(pd.DataFrame({"a": [1], "b": [2]})).names() == ("a", "b")
    assert read_table(pl.DataFrame({"a": [1]})).names() == ("a",)
    assert read_table(pd.Series(["x"], name="text")).names() == ("text",)
    assert read_table([{"a": 1}]).names() == ("a",)
    assert read_table(pd.DataFrame([[1, 2]])).names() is None
    assert read_table(pd.Series(["x"])).names() is None
    assert read_table(np.zeros((1, 2))).names() is None


@pytest.mark.parametrize(
    "samples",
    [
        [["a", "bad", "word"], ["one"]],
        [["one"], ["two", "words"]],
        [[1, 2], 3],
        [np.array([1, 2]), np.array([3])],
        [{"a": 1}, [2]],
        [[1], {"a": 2}],
    ],
)
def test_samples_of_different_lengths_are_no_features(samples: list[Any]) -> None:
    """Lists of words, say: which value is which is not known, and nothing of ours fails for it."""
    table = read_table(samples)
    assert table.rows == 2
    assert table.take([0, 1], table.columns or 1) is None
    assert table.is_sound() is True


def test_the_schema_hash_tells_names_types_and_order_apart() -> None:
    """The same columns give the same 64 bits; another name, type or order gives others."""
    frame = pd.DataFrame({"a": [1], "b": [2.0]})
    others = [
        frame[["b", "a"]],
        frame.rename(columns={"a": "c"}),
        frame.astype({"a": float}),
        frame[["a"]],
    ]
    first = schema_hash(read_table(frame), ("a", "b"))
    again = schema_hash(read_table(frame * 7), ("a", "b"))
    assert first == again
    assert first is not None
    assert len(bytes.fromhex(first)) == 8
    hashes = [schema_hash(read_table(other), tuple(other.columns)) for other in others]
    assert len({first, *hashes}) == 5


def test_an_array_of_known_names_has_the_schema_of_the_frame() -> None:
    """Whether a client sends an array or a frame, the schema is one."""
    values = np.zeros((1, 2))
    frame = pd.DataFrame(values, columns=["a", "b"])
    assert schema_hash(read_table(values), ("a", "b")) == schema_hash(read_table(frame), ("a", "b"))


def test_without_types_there_is_no_schema() -> None:
    """A list of numbers has no declared types, so nothing is claimed."""
    assert schema_hash(read_table([[1, 2]]), None) is None
