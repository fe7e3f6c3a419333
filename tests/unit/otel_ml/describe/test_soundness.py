"""Whether every value of an input is there and finite, asked of every kind of input."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from otel_ml.describe.arrays import read_table
from otel_ml.describe.soundness import sound_copy

INF = float("inf")
NAN = float("nan")

SOUND: dict[str, Any] = {
    "row": np.ones((1, 30)),
    "batch": np.ones((100, 30)),
    "single precision": np.ones((3, 2), "f4"),
    "extended precision": np.ones((3, 2), np.longdouble),
    "numbers whose sum is too large": np.full((1, 3), 1e308),
    "integers": np.ones((3, 2), int),
    "booleans": np.ones((3, 2), bool),
    "texts": np.array([["a", "b"]]),
    "objects": np.array([[1, "a", 2.5]], object),
    "times": np.array([["2026-01-01"]], "M8[s]"),
    "image": np.ones((2, 3, 4, 4), "f4"),
    "scalar": np.array(1.5),
    "list": [[1.0, 2, True], [3.0, 4, False]],
    "list of integers without end": [[10**400, -(10**400)]],
    "list of texts": ["good", "bad"],
    "list of arrays": [np.ones(3), np.ones(3)],
    "list of maps": [{"a": 1.0, "b": "x"}],
    "decimals": [[Decimal("1.5")]],
    "pandas": pd.DataFrame({"a": [1.0], "b": ["x"]}),
    "pandas numbers": pd.DataFrame({"a": [1.0], "b": [2.0]}),
    "large pandas": pd.DataFrame({"a": [1.0] * 2000, "b": ["x"] * 2000}),
    "pandas nullable": pd.DataFrame({"a": pd.array([1.5], dtype="Float64")}),
    "pandas categories": pd.DataFrame({"a": pd.Categorical(["x"])}),
    "series": pd.Series([1.0, 2.0]),
    "polars": pl.DataFrame({"a": [1.0], "b": ["x"]}),
    "polars series": pl.Series([1.0]),
    "sparse": sp.csr_matrix([[0.0, 1.0]]),
}
UNSOUND: dict[str, Any] = {
    "nan": np.array([[1.0, NAN]]),
    "infinity": np.array([[1.0, INF]]),
    "infinities that cancel": np.array([[INF, -INF]]),
    "nan in a batch": np.full((100, 30), NAN),
    "infinity in a batch": np.full((100, 30), -INF),
    "half precision": np.array([[np.inf]], "f2"),
    "none among objects": np.array([[1, None]], object),
    "infinity among objects": np.array([["a", INF]], object),
    "no time": np.array([["NaT"]], "M8[s]"),
    "pixel": np.full((2, 3, 4), NAN),
    "list": [[1.0, None]],
    "list with nan": [[1.0, NAN]],
    "list with infinity": [[1.0, INF]],
    "list of arrays": [np.array([1.0, INF])],
    "list of maps": [{"a": None}],
    "pandas": pd.DataFrame({"a": [NAN], "b": ["x"]}),
    "pandas with infinity": pd.DataFrame({"a": [INF], "b": ["x"]}),
    "pandas of numbers": pd.DataFrame({"a": [1.0, -INF]}),
    "large pandas": pd.DataFrame({"a": [1.0] * 2000 + [INF], "b": ["x"] * 2001}),
    "large pandas of numbers": pd.DataFrame({"a": [1.0] * 2000 + [NAN]}),
    "pandas NA": pd.DataFrame({"a": pd.array([None], dtype="Int64")}),
    "series": pd.Series(["a", None]),
    "polars": pl.DataFrame({"a": [None, 1.0]}),
    "polars with infinity": pl.DataFrame({"a": [INF]}),
    "sparse": sp.csr_matrix([[0.0, NAN]]),
    "sparse with infinity": sp.csr_matrix([[0.0, INF]]),
    "nothing": None,
}
NOT_LOOKED_AT: dict[str, Any] = {
    "too many numbers": np.zeros((1001, 1000)),
    "too many objects": np.full((101, 100), "a", object),
    "too long a list": ["a"] * 10_001,
    "too many cells of a frame": pd.DataFrame(np.zeros((1001, 1000))),
    "records": np.zeros(3, [("a", "f8")]),
    "too many cells of a polars frame": pl.DataFrame(np.zeros((1001, 1000))),
    "sparse, a list per row": sp.lil_matrix([[0.0, NAN]]),
    "sparse, by position": sp.dok_matrix([[0.0, NAN]]),
    "a masked array": np.ma.masked_array([1.0], [True]),
    "an unknown object": object(),
    "a generator": (value for value in [NAN]),
}


@pytest.mark.parametrize("kind", SOUND)
def test_what_is_there_and_finite_is_sound(kind: str) -> None:
    """Whatever it is held in, and whether or not its missing values were counted before."""
    assert read_table(SOUND[kind]).is_sound() is True
    table = read_table(SOUND[kind])
    assert (table.missing(), table.is_sound()) == (0, True)


@pytest.mark.parametrize("kind", UNSOUND)
def test_a_missing_or_infinite_value_is_found(kind: str) -> None:
    """One is enough, wherever it is."""
    assert read_table(UNSOUND[kind]).is_sound() is False
    table = read_table(UNSOUND[kind])
    table.missing()
    assert table.is_sound() is False


@pytest.mark.parametrize("kind", NOT_LOOKED_AT)
def test_what_would_take_long_is_not_judged(kind: str) -> None:
    """Neither sound nor unsound, and nothing is counted: a million numbers and ten thousand objects are the most."""
    assert read_table(NOT_LOOKED_AT[kind]).is_sound() is None
    assert read_table(NOT_LOOKED_AT[kind]).missing() is None


@pytest.mark.parametrize("kind", UNSOUND)
def test_missing_values_are_counted_as_numpy_and_pandas_count_them(kind: str) -> None:
    """Infinity is a value; None, NaN, NaT and NA are none."""
    data = UNSOUND[kind]
    if data is None:
        assert read_table(data).missing() is None
        return
    plain = data.to_pandas() if isinstance(data, pl.DataFrame) else data
    plain = plain.data if sp.issparse(plain) else plain
    if isinstance(plain, list):
        plain = [list(x.values()) if isinstance(x, dict) else list(x) for x in plain]
    expected = int(
        np.sum(np.asarray(pd.isna(plain if hasattr(plain, "shape") else np.array(plain, object))))
    )
    assert read_table(data).missing() == expected


def test_looking_at_numbers_warns_of_nothing() -> None:
    """Sums that overflow and infinities that cancel are no warning in somebody's log."""
    for rows in (1, 100):
        for value in (1e308, -1e308, INF, NAN):
            assert read_table(np.full((rows, 30), value, "f8")).is_sound() in {True, False}
            assert read_table(np.full((rows, 30), np.float32(3e38), "f4")).is_sound() is True


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "longdouble"])
@pytest.mark.parametrize("size", [64, 65, 10_000])
def test_one_odd_number_is_found_in_an_array_of_any_size(size: int, dtype: str) -> None:
    """As numpy's `isfinite` finds it, at both ends, read forwards or backwards; large numbers are none."""
    largest = float(min(np.finfo(dtype).max, np.finfo("f8").max))
    for value in (1.0, largest, -largest, INF, -INF, NAN):
        for place in (0, -1):
            array = np.ones(size, np.dtype(dtype))
            array[place] = value
            for column in (array, array[::-1]):
                expected = bool(np.isfinite(column).all())
                assert read_table(column.reshape(-1, 1)).is_sound() is expected


VIEWS = {
    "as it is": lambda array: array,
    "transposed": lambda array: array.T,
    "every second row": lambda array: array[::2],
    "columns from the last": lambda array: array[:, ::-1],
    "in Fortran's order": np.asfortranarray,
}


@pytest.mark.parametrize("view", VIEWS)
@given(
    array=st.sampled_from(["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"]).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=2, max_side=6))
    )
)
def test_every_number_is_judged_as_numpy_judges_it(view: str, array: Any) -> None:
    """The greatest and the least, subnormal ones and every NaN, of every size and order of bytes, wherever they lie."""
    seen = VIEWS[view](array)
    is_finite = bool(np.isfinite(seen).all())
    assert read_table(seen).is_sound() is is_finite
    assert (sound_copy(seen) is not None) is is_finite


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f8"])
def test_every_exponent_is_judged_as_numpy_judges_it(dtype: str) -> None:
    """One number of each, with either sign."""
    bits = np.arange(2**16, dtype=dtype[0] + "u2")
    padded = np.zeros((2**16, np.dtype(dtype).itemsize // 2), bits.dtype)
    padded[:, -1 if dtype[0] == "<" else 0] = bits  # the sign, the exponent, and what follows
    for number in padded.view(dtype)[::7]:
        assert read_table(number).is_sound() is bool(np.isfinite(number[0]))
