"""Values as JSON text."""

import datetime as dt
import decimal
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml.describe import values
from otel_ml.describe.values import is_infinite, is_missing, json_text, row_texts


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float64_comes_back_bit_by_bit(value: float) -> None:
    """What a reader parses is exactly what the model was given: no value changes its bin."""
    (text,) = row_texts([value], ("float64",))
    assert json.loads(text) == value
    assert math.copysign(1, json.loads(text)) == math.copysign(1, value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_comes_back_as_the_same_float32(value: float) -> None:
    """Nine digits are enough to tell any two float32 apart."""
    (text,) = row_texts([value], ("float32",))
    assert np.float32(json.loads(text)) == np.float32(value)
    assert len(text) <= len("-1.23456789e-38")


@given(st.integers())
def test_an_integer_is_exact(value: int) -> None:
    """Integers beyond 2**53 do not pass through a double."""
    assert int(json_text(value)) == value


@given(st.text())
def test_a_text_is_escaped(value: str) -> None:
    """Any text, quotes and control characters included, is one JSON string of ASCII characters."""
    text = json_text(value)
    assert json.loads(text) == value
    assert text.isascii()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (float("nan"), "null"),
        (np.float32("nan"), "null"),
        (pd.NA, "null"),
        (pd.NaT, "null"),
        (float("inf"), '"Infinity"'),
        (float("-inf"), '"-Infinity"'),
        (np.float32("inf"), '"Infinity"'),
        (True, "true"),
        (np.False_, "false"),
        (np.float64(1.5), "1.5"),
        (np.float32(0.1), "0.100000001"),
        (np.longdouble(1.5), "1.5"),
        (np.int64(-7), "-7"),
        (np.uint8(255), "255"),
        ('a"b', '"a\\"b"'),
        (b"bytes", '"bytes"'),
        (decimal.Decimal("1.10"), "1.1"),
        (decimal.Decimal("sNaN"), "null"),
        (decimal.Decimal("-Infinity"), '"-Infinity"'),
        (dt.date(2013, 2, 28), '"2013-02-28"'),
        (pd.Timestamp("2013-02-28T12:00"), '"2013-02-28T12:00:00"'),
        (np.array([1.5, 2.5]), '"[1.5 2.5]"'),
    ],
)
def test_every_kind_of_value_has_one_text(value: Any, text: str) -> None:
    """Missing is null, infinities are words, numpy's and decimal numbers are numbers, the rest is quoted."""
    assert json_text(value) == text


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_a_row_with_infinities_is_still_json(kind: str) -> None:
    """A NaN or an infinity among plain numbers does not make the row unreadable."""
    texts = row_texts([1.5, float("nan"), float("inf"), -float("inf")], (kind,))
    assert texts == ["1.5", "null", '"Infinity"', '"-Infinity"']


def test_columns_of_different_types_are_written_each_in_its_own_way() -> None:
    """A float32 beside a float64 keeps nine digits, the other all it has."""
    texts = row_texts([0.10000000149011612, 0.1, "x"], ("float32", "float64", "object"))
    assert texts == ["0.100000001", "0.1", '"x"']


def test_values_of_unknown_types_are_told_by_themselves() -> None:
    """A list of Python values needs no declared types."""
    assert row_texts([1, 2.5, None, True], None) == ["1", "2.5", "null", "true"]


@pytest.mark.parametrize(
    "value",
    [0, 0.0, "", b"", False, np.float32(0), [], np.inf, "nan", np.full(2, np.nan), np.empty(0)],
)
def test_a_value_is_not_missing_for_being_zero_or_empty(value: Any) -> None:
    """Only None, NaN, NaT and NA stand for no value."""
    assert not is_missing(value)


def test_of_decimal_numbers_infinities_alone_are_infinite() -> None:
    """A signalling NaN is one that no float can be made of."""
    said = [is_infinite(decimal.Decimal(text)) for text in ("-Infinity", "sNaN", "NaN", "1.5")]
    assert said == [True, False, False, False]


@pytest.mark.parametrize("is_installed", [True, False])
@given(row=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40))
def test_doubles_are_the_same_numbers_whoever_writes_them(
    row: list[float], is_installed: bool
) -> None:
    """With msgspec and without, each text is JSON and reads back as the very same double, zero's sign too."""
    with pytest.MonkeyPatch.context() as patch:
        if not is_installed:
            patch.setattr(values, "_quick_encode", lambda: None)
        texts = values.double_texts(row)
    assert list(map(str, map(float, map(json.loads, texts)))) == list(map(str, row))


def test_msgspec_is_what_writes_doubles_here() -> None:
    """Or the tests above would compare nothing."""
    assert values._quick_encode() is not None
    assert values.double_texts([0.5, 1e300, -0.0]) == ["0.5", "1e300", "-0.0"]
