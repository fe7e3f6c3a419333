"""Which samples and features may leave the process."""

import json
import random
from collections import Counter
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from otel_ml.describe.arrays import read_table
from otel_ml.describe.samples import Content, ContentPolicy, draw_rows
from otel_ml_conventions.attributes import (
    ML_CONTENT_TRUNCATED,
    ML_INPUT_FEATURES,
    ML_INPUT_ROWS,
    ML_INPUT_VALUES,
)


def policy(
    rows: int = 32, features: int = 256, size: int = 8192, allow: str = "", deny: str = ""
) -> ContentPolicy:
    """Return a policy with the default bounds unless told otherwise."""
    return ContentPolicy(rows, features, size, allow.split(), deny.split())


def capture(policy: ContentPolicy, data: Any, known: tuple[str, ...] | None = None) -> Content:
    """Return what is captured, which is expected to be something."""
    content = policy.capture(read_table(data), known)
    assert content is not None
    return content


def test_one_named_sample_is_a_json_object() -> None:
    """Names come from the frame, integers stay integers, missing is null."""
    frame = pd.DataFrame({"age": [42], "amount": [19.9], "city": ["Köln"], "note": [None]})
    content = capture(policy(), frame)
    assert content.facts.keys() == {ML_INPUT_FEATURES}
    text = str(content.facts[ML_INPUT_FEATURES])
    assert text == '{"age":42,"amount":19.9,"city":"K\\u00f6ln","note":null}'


@pytest.mark.parametrize("row", [[42, 19.5], np.array([42, 19.5]), (42, 19.5)])
def test_names_known_of_the_model_serve_inputs_without(row: Any) -> None:
    """Lists and arrays are named by what the model knows."""
    data = row[None] if isinstance(row, np.ndarray) else [row]
    content = capture(policy(), data, ("age", "amount"))
    assert json.loads(str(content.facts[ML_INPUT_FEATURES])) == {"age": 42, "amount": 19.5}


def test_names_that_do_not_fit_are_not_used() -> None:
    """Two names for three columns name nothing."""
    content = capture(policy(), np.array([[1.0, 2.0, 3.0]]), ("a", "b"))
    assert content.facts == {ML_INPUT_VALUES: [1.0, 2.0, 3.0]}


def test_numbers_without_names_are_values() -> None:
    """A missing one is NaN, for their places are their names."""
    content = capture(policy(), [[1, None, True]])
    values = content.facts[ML_INPUT_VALUES]
    assert np.array_equal(np.array(values), [1.0, np.nan, 1.0], equal_nan=True)


@pytest.mark.parametrize(
    "data", [["some text"], np.array([["some text"]], object), [["some text"]]]
)
def test_a_text_without_a_name_is_named_by_its_place(data: Any) -> None:
    """As scikit-learn names columns that have no names."""
    content = capture(policy(), data)
    assert content.facts == {ML_INPUT_FEATURES: '{"x0":"some text"}'}


def test_several_samples_are_an_array_of_objects() -> None:
    """Each with every name."""
    content = capture(policy(), pl.DataFrame({"a": [1, 2], "b": ["x", None]}))
    assert list(content.rows) == [0, 1]
    rows = json.loads(str(content.facts[ML_INPUT_ROWS]))
    assert rows == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_samples_that_are_mappings_bring_their_names() -> None:
    """What one of them lacks is missing in it."""
    content = capture(policy(), [{"a": 1, "b": 2}, {"a": 3}])
    rows = json.loads(str(content.facts[ML_INPUT_ROWS]))
    assert rows == [{"a": 1, "b": 2}, {"a": 3, "b": None}]


def test_rows_of_a_sparse_matrix_are_written_whole() -> None:
    """What is not stored is zero."""
    content = capture(policy(), sp.csr_matrix([[0.0, 2.0]]), ("a", "b"))
    assert content.facts == {ML_INPUT_FEATURES: '{"a":0.0,"b":2.0}'}


@pytest.mark.parametrize("data", [np.empty((0, 2)), [], np.zeros((2, 3, 4)), object(), None])
def test_where_there_are_no_samples_there_is_no_content(data: Any) -> None:
    """Empty inputs and unknown ones give nothing, and raise nothing."""
    assert policy().capture(read_table(data), None) is None


def test_a_large_batch_is_a_random_sample_of_its_rows() -> None:
    """Every row is as likely as any other: 100 of 1000 draws of 10 of 100 rows each."""
    counts: Counter[int] = Counter()
    data = np.arange(100.0)[:, None]
    for _ in range(1000):
        content = capture(policy(rows=10), data)
        rows = json.loads(str(content.facts[ML_INPUT_ROWS]))
        assert [row["x0"] for row in rows] == [float(row) for row in content.rows]
        assert ML_CONTENT_TRUNCATED not in content.facts
        counts.update(content.rows)
    # Binomial(1000, .1): mean 100, standard deviation 9.5; 6 of them bound all 100 counts.
    assert len(counts) == 100
    assert all(abs(count - 100) < 57 for count in counts.values())


def test_drawing_rows_leaves_the_users_random_numbers_alone() -> None:
    """A program that seeds `random` gets the numbers it always got."""
    random.seed(7)
    expected = random.random()
    random.seed(7)
    draw_rows(1000, 10)
    assert random.random() == expected


@pytest.mark.parametrize(("count", "at_most"), [(0, 5), (3, 5), (5, 5), (6, 5)])
def test_drawn_rows_are_ascending_and_distinct(count: int, at_most: int) -> None:
    """All of a small batch, that many of a large one."""
    rows = list(draw_rows(count, at_most))
    assert rows == sorted(set(rows))
    assert len(rows) == min(count, at_most)
    assert set(rows) <= set(range(count))


def test_content_never_exceeds_its_bytes() -> None:
    """Rows that do not fit are left out, by the longest of them, so that none is favoured."""
    data = pd.DataFrame({"text": ["a" * (i % 50) for i in range(1000)]})
    for size in (100, 500, 2000):
        content = capture(policy(size=size), data)
        text = str(content.facts[ML_INPUT_ROWS])
        assert len(text) <= size
        assert len(json.loads(text)) == len(content.rows) >= 1


def test_short_rows_are_not_favoured_when_few_fit() -> None:
    """Where half the rows are long, half of the captured ones are: length has no say."""
    data = pd.DataFrame({"text": ["", "x" * 90] * 50})
    long_ones = captured = 0
    for _ in range(400):
        content = capture(policy(size=400), data)
        captured += len(content.rows)
        long_ones += sum(row % 2 for row in content.rows)
    # 400 calls of 3 rows: a share of .5 with a standard deviation of .0144.
    assert captured == 1200
    assert abs(long_ones / captured - 0.5) < 0.09


def test_as_many_rows_are_captured_as_fit() -> None:
    """Of rows of one length, the bytes hold so many and no more: brackets, and a comma between two."""
    row = '{"x0":0.5,"x1":0.25}'
    for fitting in (1, 2, 9, 31):
        size = 2 + fitting * (len(row) + 1)
        content = capture(policy(rows=32, size=size), np.tile([0.5, 0.25], (1000, 1)))
        assert content.facts[ML_INPUT_ROWS] == f"[{','.join([row] * fitting)}]"
        assert len(content.rows) == fitting


def test_a_sample_that_does_not_fit_is_cut_and_says_so() -> None:
    """Whole features are left out; what is left is valid JSON."""
    frame = pd.DataFrame([[1.5] * 100], columns=[f"feature_{i}" for i in range(100)])
    content = capture(policy(size=200), frame)
    text = str(content.facts[ML_INPUT_FEATURES])
    assert len(text) <= 200
    assert 0 < len(json.loads(text)) < 100
    assert content.facts[ML_CONTENT_TRUNCATED] is True


def test_no_more_features_than_allowed() -> None:
    """The rest of a wide input is cut, named or not."""
    named = capture(policy(features=3), pd.DataFrame([[1] * 5], columns=list("abcde")))
    assert named.facts == {ML_INPUT_FEATURES: '{"a":1,"b":1,"c":1}', ML_CONTENT_TRUNCATED: True}
    unnamed = capture(policy(features=3), np.ones((1, 100_000)))
    assert unnamed.facts == {ML_INPUT_VALUES: [1.0, 1.0, 1.0], ML_CONTENT_TRUNCATED: True}


@pytest.mark.parametrize(
    ("allow", "deny", "left"),
    [
        ("", "", "age email_home email_work"),
        ("", "email*", "age"),
        ("email*", "", "email_home email_work"),
        ("email*", "*_home", "email_work"),
        ("age", "age", ""),
        ("AGE", "", ""),
    ],
)
def test_deny_wins_over_allow(allow: str, deny: str, left: str) -> None:
    """A feature leaves if it is allowed, as it is written, and not denied; what is held back is told."""
    frame = pd.DataFrame({"age": [1], "email_home": ["a"], "email_work": ["b"]})
    content = policy(allow=allow, deny=deny).capture(read_table(frame), None)
    names = left.split()
    if not names:
        assert content is None
        return
    assert content is not None
    assert list(json.loads(str(content.facts[ML_INPUT_FEATURES]))) == names
    assert (ML_CONTENT_TRUNCATED in content.facts) == (len(names) < 3)


@pytest.mark.parametrize(
    ("name", "deny"),
    [
        ("SSN", "ssn"),
        ("ssn", "SSN"),
        ("Customer_SSN", "*ssn*"),
        ("num__ssn", "ssn"),
        ("outer__num__ssn", "ssn"),
        ("cat__ssn_17", "ssn"),
        ("poly__ssn^2", "ssn"),
        ("cat__home town_Paris", "home town"),
        ("home_town", "home town"),
        ("home town", "home_town"),
        (" ssn", "ssn"),
        ("NUM__SSN", "s?n"),
        ("B", "[!a-z]"),
    ],
)
def test_a_denied_feature_is_denied_however_it_is_written(name: str, deny: str) -> None:
    """In any case, behind the prefix of a column transformer and with what an encoder appends, with underscores."""
    content = capture(
        ContentPolicy(32, 256, 8192, deny=[deny]), pd.DataFrame({name: [77.25], "age": [1]})
    )
    assert json.loads(str(content.facts[ML_INPUT_FEATURES])) == {"age": 1}


@pytest.mark.parametrize("name", ["age_group", "num__age", "user_rate", "page", "x__page_age"])
def test_a_name_that_is_only_alike_is_not_denied(name: str) -> None:
    """Without a prefix a name with something appended is another column, and so is one that ends alike."""
    assert policy(deny="rate page_a user").permits(name)
    assert not policy(allow="age").permits(name)


@pytest.mark.parametrize(("allow", "deny"), [("", "income[EUR]"), ("age", ""), ("a*", "")])
def test_a_name_with_brackets_is_that_name(allow: str, deny: str) -> None:
    """Who writes down the very name of a column does not mean one of three letters."""
    frame = pd.DataFrame({"age": [1], "income[EUR]": [77]})
    content = capture(policy(allow=allow, deny=deny), frame)
    assert json.loads(str(content.facts[ML_INPUT_FEATURES])) == {"age": 1}
    allowed = capture(policy(allow="income[EUR]"), frame)
    assert json.loads(str(allowed.facts[ML_INPUT_FEATURES])) == {"income[EUR]": 77}


class Customer(NamedTuple):
    """Something with parts that have names."""

    ssn: str


@pytest.mark.parametrize(
    "inside",
    [
        {"ssn": "canary"},
        [{"ssn": "canary"}],
        [[[[["canary"]]]]],
        Customer("canary"),
        SimpleNamespace(ssn="canary"),
        np.array([{"ssn": "canary"}], object),
        np.array({"ssn": "canary"}, object),
        np.array([("canary",)], [("ssn", "U6")]),
        np.array([("canary",)], [("ssn", "U6")])[0],
    ],
)
@pytest.mark.parametrize(("allow", "deny"), [("", "ssn"), ("a*", "")])
def test_no_denied_name_leaves_inside_of_another(inside: Any, allow: str, deny: str) -> None:
    """A nested part of a request is not asked about by its name, so it stays where a list is in force."""
    for data in ([{"age": 1, "a": inside}], pd.DataFrame({"age": [1], "a": [inside]})):
        content = capture(policy(allow=allow, deny=deny), data)
        assert json.loads(str(content.facts[ML_INPUT_FEATURES])) == {"age": 1, "a": None}


def test_a_mapping_among_sequences_is_not_read_by_place() -> None:
    """Its first value is the denied one; nobody says that its order is that of the others."""
    data = [[1, "canary"], {"ssn": "canary", "age": 2}]
    assert policy(deny="ssn").capture(read_table(data), ("age", "ssn")) is None


def test_a_row_of_a_data_frame_is_no_column_of_the_name_that_the_row_has() -> None:
    """Going through a frame row by row gives series: what names their values is not what they are called."""
    frame = pd.DataFrame({"age": [1], "ssn": ["canary"]}, index=["order-17"])
    row = next(row for _, row in frame.iterrows())
    assert policy(deny="ssn").capture(read_table(row), None) is None


def test_what_has_no_names_inside_leaves_also_where_a_list_is_in_force() -> None:
    """Numbers, texts, dates, and lists of them."""
    sample = {
        "number": np.float32(0.5),
        "whole": np.int64(3),
        "exact": Decimal("1.5"),
        "day": date(2026, 3, 1),
        "missing": pd.NA,
        "vector": [1.0, 2.0],
        "array": np.array([1, 2]),
    }
    content = capture(policy(deny="ssn"), [sample])
    assert json.loads(str(content.facts[ML_INPUT_FEATURES])) == {
        "number": 0.5,
        "whole": 3,
        "exact": 1.5,
        "day": "2026-03-01",
        "missing": None,
        "vector": "[1.0, 2.0]",
        "array": "[1 2]",
    }


def test_a_number_is_written_alike_beside_one_that_may_not_leave() -> None:
    """Nine digits tell any number of single precision; the type of the denied column before it has no say."""
    frame = pd.DataFrame({"age": [1], "share": np.array([0.1], "f4")})
    content = capture(policy(deny="age"), frame)
    assert content.facts[ML_INPUT_FEATURES] == '{"share":0.100000001}'


def test_lists_act_by_place_where_the_model_knows_the_names() -> None:
    """The second column of an array is the denied one."""
    content = capture(policy(deny="b"), np.array([[1.0, 2.0, 3.0]]), ("a", "b", "c"))
    assert json.loads(str(content.facts[ML_INPUT_FEATURES])) == {"a": 1.0, "c": 3.0}


@pytest.mark.parametrize(("allow", "deny"), [("", "b"), ("b", "")])
@pytest.mark.parametrize("data", [np.array([[1.0, 2.0]]), [[1, 2]], ["text"]])
def test_where_nobody_knows_the_names_a_list_holds_back_everything(
    data: Any, allow: str, deny: str
) -> None:
    """A value that might be the denied one does not leave."""
    assert policy(allow=allow, deny=deny).capture(read_table(data), None) is None


def test_a_percent_sign_in_a_name_is_only_a_character() -> None:
    """Names are data, not formats."""
    content = capture(policy(), pd.DataFrame({"50%": [1], "%s": [2], 'a"b': [3]}))
    assert json.loads(str(content.facts[ML_INPUT_FEATURES])) == {"50%": 1, "%s": 2, 'a"b': 3}
