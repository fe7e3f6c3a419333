"""Each rule for inputs and outputs: what breaks it, what does not, and what is said of it."""

import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from otel_ml.describe.arrays import read_table
from otel_ml.describe.reference import Reference, ReferenceFeature
from otel_ml.describe.validation import (
    Expectation,
    Failure,
    ValidationError,
    failures_of_input,
    failures_of_output,
    validation_facts,
)

INF = float("inf")
NAN = float("nan")
KNOWS = Expectation(("age", "visits"))
KNOWS_NOTHING = Expectation()


def number(name: str, low: float, high: float, *, takes_missing: bool = False) -> ReferenceFeature:
    """Return a feature that is a number of this range."""
    return ReferenceFeature(name, low, high, None, is_numeric=True, takes_missing=takes_missing)


def named(name: str, *categories: str) -> ReferenceFeature:
    """Return a feature that is one of these categories."""
    known = frozenset(categories)
    return ReferenceFeature(name, -INF, INF, known, is_numeric=False, takes_missing=False)


AGE = number("age", 18.0, 90.0)
VISITS = number("visits", 0.0, 100.0, takes_missing=True)
PLAN = named("plan", "basic", "plus")
REFERENCE = Reference("churn", "", (AGE, VISITS, PLAN))


def broken(
    data: Any, expectation: Expectation = KNOWS, reference: Reference | None = None
) -> list[tuple[str, str | None]]:
    """Return rule and feature of every failure of *data*."""
    found = failures_of_input(read_table(data), expectation, reference)
    return [(failure.rule, failure.feature) for failure in found]


def customers(**changed: Iterable[Any]) -> pd.DataFrame:
    """Return two customers as the profile knows them, but for what is *changed*."""
    usual: dict[str, Any] = {"age": [20.0, 80.0], "visits": [3, 90], "plan": ["basic", "plus"]}
    return pd.DataFrame({**usual, **changed})


@pytest.mark.parametrize(
    "data",
    [
        np.ones((1, 2)),
        np.ones((500, 2), "f4"),
        [[1, 2.5]],
        [(1, 2)],
        pd.DataFrame({"age": [1.0], "visits": [2]}),
        pl.DataFrame({"age": [1.0], "visits": [2]}),
        [{"age": 1, "visits": 2}],
        sp.csr_matrix([[0.0, 1.0]]),
        np.array([["a", "b"]]),
    ],
    ids=str,
)
def test_a_usual_input_breaks_no_rule(data: Any) -> None:
    """Whatever it is held in."""
    assert broken(data) == []


@pytest.mark.parametrize("data", [[], (), np.empty((0, 2)), np.empty((3, 0)), pd.DataFrame()])
def test_an_input_without_a_sample_or_a_feature_is_empty(data: Any) -> None:
    """And that is all that is said of it."""
    assert broken(data) == [("empty", None)]
    assert broken(data, reference=REFERENCE) == [("empty", None)]


def test_none_is_a_missing_input() -> None:
    """Also for a model that takes missing values, and with a profile."""
    for expectation in (KNOWS, Expectation(takes_missing=True), KNOWS_NOTHING):
        assert broken(None, expectation) == [("missing", None)]
    assert broken(None, reference=REFERENCE) == [("missing", None)]


def test_missing_and_infinite_values_are_told_by_feature() -> None:
    """Once for each feature, however many samples have none."""
    rows = [[NAN, INF], [NAN, 1.0], [2.0, -INF]]
    expected = [("missing", "age"), ("non_finite", "visits")]
    assert broken(np.array(rows)) == expected
    assert broken(rows) == expected
    assert broken(pd.DataFrame(rows, columns=["age", "visits"])) == expected
    assert broken(pl.DataFrame(rows, schema=["age", "visits"], orient="row")) == expected


def test_a_feature_can_break_several_rules() -> None:
    """Each is told."""
    assert broken([[None, 1], [INF, 1]]) == [("missing", "age"), ("non_finite", "age")]


def test_without_known_names_the_rule_is_told_once() -> None:
    """A name that only the input has may be a user's data."""
    rows = np.array([[NAN, NAN]])
    assert broken(rows, KNOWS_NOTHING) == [("missing", None)]
    assert broken(pd.DataFrame(rows, columns=["Ann", "Bob"]), KNOWS_NOTHING) == [("missing", None)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.full((1, 2, 2, 2), NAN), "missing"),
        (np.full((1, 2, 2, 2), INF), "non_finite"),
        (sp.csr_matrix([[NAN, 1.0]]), "missing"),
        (sp.csr_matrix([[INF, 1.0]]), "non_finite"),
        (np.pad([[NAN]], ((0, 0), (5000, 0))), "missing"),
        (np.pad([[INF]], ((0, 0), (5000, 0))), "non_finite"),
    ],
    ids=[
        "tensor",
        "tensor with infinity",
        "sparse",
        "sparse with infinity",
        "wide",
        "wide, infinite",
    ],
)
def test_where_features_cannot_be_told_apart_the_rule_is(data: Any, expected: str) -> None:
    """Images, sparse matrices, and what is beyond the columns that are read singly."""
    assert broken(data, KNOWS_NOTHING) == [(expected, None)]


def test_a_model_that_takes_missing_values_is_not_warned_of_them() -> None:
    """But of infinities, which it does not take."""
    takes = Expectation(("age", "visits"), takes_missing=True)
    assert broken([[None, INF]], takes) == [("non_finite", "visits")]
    assert broken(np.array([[NAN, 1.0]]), takes) == []


@pytest.mark.parametrize("expectation", [KNOWS, Expectation(feature_count=2)])
def test_another_number_of_features_is_another_shape(expectation: Expectation) -> None:
    """Too many, too few, or one array where a table belongs."""
    for data in (np.ones((1, 3)), [[1.0]], np.ones(7), ["text"]):
        (failure,) = failures_of_input(read_table(data), expectation)
        assert failure == Failure("shape", None, "2 features")


def test_a_data_frame_without_a_known_feature_breaks_the_schema() -> None:
    """What is absent is told by name; what the model does not know is not."""
    frame = pd.DataFrame({"age": [1.0], "email of Ann": [2.0]})
    assert broken(frame) == [("schema", "visits"), ("schema", None)]


def test_another_order_breaks_the_schema() -> None:
    """A model that goes by position would take one feature for another."""
    assert broken(pd.DataFrame({"visits": [1.0], "age": [2.0]})) == [("schema", None)]


def test_mappings_have_their_features_in_any_order() -> None:
    """Whoever is given a mapping goes by the names: the order is that of a client's JSON."""
    samples = [{"plan": "plus", "visits": 95, "age": 20}, {"visits": 3, "age": 99, "plan": "plus"}]
    assert broken(samples, KNOWS_NOTHING, REFERENCE) == [("range", "age")]
    assert broken([{"visits": 1.0, "age": 2.0}]) == []
    assert broken([{"visits": 1.0, "email of Ann": 2.0}]) == [("schema", "age"), ("schema", None)]


def test_names_of_another_kind_are_not_absent_features() -> None:
    """A model that was trained on an array has names of its own making; the number still counts."""
    made_up = Expectation(("Column_0", "Column_1"))
    assert broken(pd.DataFrame({"age": [1.0], "visits": [2.0]}), made_up) == []
    assert broken(pd.DataFrame({"age": [1.0]}), made_up) == [("shape", None)]


def test_a_model_of_numbers_is_not_given_texts() -> None:
    """Where it says so; elsewhere a text is as good as a number."""
    numbers_only = KNOWS._replace(takes_texts=False)
    assert broken([[1.0, "two"], [1.0, 2.0]], numbers_only) == [("dtype", "visits")]
    assert broken(np.array([["a", "b"]]), numbers_only) == [("dtype", "age"), ("dtype", "visits")]
    assert broken(np.array([[1, [2]]], object), numbers_only) == [("dtype", "visits")]
    assert broken([[1.0, 2], [True, 4]], numbers_only) == []
    assert broken(np.ones((2, 2), "f2"), numbers_only) == []
    assert broken([[1.0, "two"]], KNOWS) == []


def test_an_input_like_the_reference_breaks_no_rule() -> None:
    """Also at the ends of a range, with what may be missing missing, by name or by position."""
    frame = customers(age=[18.0, 90.0], visits=[None, 100])
    names = ("age", "visits", "plan")
    for data in (frame, pl.from_pandas(frame), frame.to_dict("records"), frame.to_numpy()):
        assert broken(data, Expectation(names), REFERENCE) == []
        assert broken(data, KNOWS_NOTHING, REFERENCE) == []


def test_a_value_that_went_through_single_precision_is_in_range() -> None:
    """0.1 as a float32 is a little more than 0.1, and 0.7 a little less than 0.7."""
    for value in (0.1, 0.7):
        constant = Reference("m", "", (number("x", value, value),))
        assert broken(np.full((2, 1), value, "f4"), KNOWS_NOTHING, constant) == []
        for other in (value - 0.001, value + 0.001):
            samples = np.full((2, 1), other, "f4")
            assert broken(samples, KNOWS_NOTHING, constant) == [("range", "x")]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"age": [17.9, 50]}, ("range", "age")),
        ({"age": [50, 91]}, ("range", "age")),
        ({"age": [NAN, 50]}, ("missing", "age")),
        ({"age": [INF, 50]}, ("non_finite", "age")),
        ({"age": ["old", 50]}, ("dtype", "age")),
        ({"visits": [[3], 4]}, ("dtype", "visits")),
        ({"plan": ["basic", "gold"]}, ("category", "plan")),
        ({"plan": ["basic", None]}, ("missing", "plan")),
        ({"plan": [["basic"], "plus"]}, ("dtype", "plan")),
        ({"plan": [1, 2]}, ("category", "plan")),
    ],
    ids=str,
)
def test_each_rule_of_a_profile_is_broken_by_its_feature(
    changed: dict[str, Any], expected: tuple[str, str]
) -> None:
    """In a data frame of pandas, as maps, and in a table of objects."""
    frame = customers(**changed)
    names = Expectation(("age", "visits", "plan"))
    for data in (frame, frame.to_dict("records"), frame.to_numpy(object)):
        assert broken(data, names, REFERENCE) == [expected]


def test_a_range_is_told_as_the_profile_says_it() -> None:
    """And a category by how many there are: neither says what was there instead."""
    data = customers(age=[8675309, 20], plan=["canary-8675309", "plus"])
    failures = failures_of_input(read_table(data), KNOWS_NOTHING, REFERENCE)
    assert failures == (
        Failure("range", "age", "[18, 90]"),
        Failure("category", "plan", "one of 2 categories"),
    )


def test_infinity_does_not_hide_what_else_is_out_of_range() -> None:
    """The finite numbers of a feature are judged by themselves."""
    rows = np.array([[INF, 3.0], [17.0, 3.0], [50.0, 3.0]])
    reference = Reference("m", "", (AGE, VISITS))
    assert broken(rows, KNOWS, reference) == [("non_finite", "age"), ("range", "age")]


def test_categories_are_compared_as_text() -> None:
    """3, 3.0 and "3" are one category, as the processor has it."""
    size = named("size", "3", "True", "2.5")
    for values in ([3, 3.0, "3"], np.array([3.0, 2.5]), np.array([3]), [True], np.array([True])):
        data = np.reshape(np.array(values, dtype=getattr(values, "dtype", object)), (-1, 1))
        assert broken(data, KNOWS_NOTHING, Reference("m", "", (size,))) == []


def test_where_a_profile_knows_not_all_categories_none_is_unknown() -> None:
    """A list that was cut says nothing of what it does not have."""
    free = PLAN._replace(categories=None)
    assert broken([["anything"]], KNOWS_NOTHING, Reference("m", "", (free,))) == []


def test_absent_and_new_features_break_the_schema_of_a_profile() -> None:
    """And what is there is judged all the same."""
    frame = customers(age=[5, 5]).drop(columns="plan").assign(email=1)
    expected = [("schema", "plan"), ("schema", None), ("range", "age")]
    assert broken(frame, KNOWS_NOTHING, REFERENCE) == expected
    assert broken(customers().iloc[:, ::-1], KNOWS_NOTHING, REFERENCE) == [("schema", None)]


def test_an_unnamed_input_of_another_width_is_not_compared_with_a_profile() -> None:
    """There is no telling which feature is which."""
    assert broken(np.ones((1, 2)), KNOWS_NOTHING, REFERENCE) == [("shape", None)]


def test_images_are_not_compared_with_a_profile_of_features() -> None:
    """The rules that need no profile stand."""
    assert broken(np.full((1, 2, 2), NAN), KNOWS_NOTHING, REFERENCE) == [("missing", None)]
    assert broken(np.ones((1, 2, 2)), KNOWS_NOTHING, REFERENCE) == []


def test_a_name_that_may_hold_more_than_a_name_is_hashed() -> None:
    """No text of more than 64 characters leaves as the name of a feature."""
    name = "canary" * 20
    ((_, feature),) = broken(np.array([[NAN]]), Expectation((name,)))
    assert feature is not None
    assert feature.startswith("b2:")
    assert "canary" not in feature


@pytest.mark.parametrize(
    "output",
    [
        np.array([[0.3, 0.7]]),
        np.array([1, 2]),
        np.array(["a", "b"]),
        np.array([[-INF, 0.0]]),
        np.array(1.5),
        np.float32(1.5),
        1.5,
        [1, 2],
        ["a"],
        [np.ones((1, 2)), np.ones((1, 3))],
        {"logits": np.ones((1, 2))},
        (np.ones(2), np.ones(2)),
        pd.Series([1.0]),
        sp.csr_matrix([[1.0]]),
        [{"label": "a", "score": 0.5}],
        object(),
        iter([NAN]),
        "text",
    ],
    ids=lambda output: type(output).__name__,
)
def test_a_usual_output_breaks_no_rule(output: Any) -> None:
    """Minus infinity is the logarithm of an impossible class; what is not known is not judged."""
    assert failures_of_output(output, 1) == ()


@pytest.mark.parametrize(
    ("output", "rule"),
    [
        (None, "missing"),
        (np.array([[NAN, 0.7]]), "missing"),
        (np.array([0.1, NAN, 0.7]), "missing"),
        (np.full((50, 50), NAN), "missing"),
        (np.full((2, 3, 4), NAN), "missing"),
        (np.array([INF]), "non_finite"),
        (np.array(NAN), "missing"),
        (np.float32(INF), "non_finite"),
        (NAN, "missing"),
        ([1.0, None], "missing"),
        ([np.array([1.0]), np.array([INF])], "non_finite"),
        ([np.array([1.0]), None], "missing"),
        ({"a": np.array([NAN])}, "missing"),
        ((np.ones(2), np.array([NAN])), "missing"),
        ([{"label": "a", "score": NAN}], "missing"),
        (pd.Series([None, 1.0]), "missing"),
        (pl.DataFrame({"a": [INF]}), "non_finite"),
        ([], "empty"),
        (np.empty((0, 2)), "empty"),
        (pd.DataFrame({"a": []}), "empty"),
    ],
    ids=repr,
)
def test_an_output_that_cannot_be_used_breaks_a_rule(output: Any, rule: str) -> None:
    """None, NaN, infinity or nothing at all: what fails in silence."""
    (failure,) = failures_of_output(output, 3)
    assert (failure.rule, failure.feature) == (rule, None)


def test_no_output_to_no_sample_is_right() -> None:
    """The input was told to be empty already."""
    assert failures_of_output(np.empty((0, 2)), 0) == ()
    assert [failure.rule for failure in failures_of_output([], None)] == ["empty"]


def test_only_the_first_parts_of_an_output_are_looked_at() -> None:
    """A thousand arrays are not worth a caller's time."""
    assert failures_of_output([np.ones(1)] * 16 + [np.array([NAN])], 1) == ()
    assert len(failures_of_output([np.ones(1)] * 15 + [np.array([NAN])], 1)) == 1


def test_a_span_says_how_validation_went() -> None:
    """Passed, warned or rejected, and how often rules were broken."""
    two = (Failure("range", "age", "[18, 90]"), Failure("missing", None, "a value"))
    assert validation_facts((), is_rejected=False) == {"ml.validation.result": "pass"}
    assert validation_facts(two, is_rejected=False) == {
        "ml.validation.result": "warn",
        "ml.validation.failure.count": 2,
    }
    assert validation_facts(two, is_rejected=True)["ml.validation.result"] == "fail"


def test_a_rejection_says_what_to_mend() -> None:
    """The model, the feature, what was expected, by which rule; and it is a ValueError."""
    failures = [Failure("range", "age", "[18, 90]"), Failure("missing", None, "an input")]
    error = ValidationError("churn", failures)
    assert isinstance(error, ValueError)
    assert str(error) == (
        "model 'churn' was not called, its input is not valid: "
        "feature 'age': expected [18, 90] (rule range); expected an input (rule missing)"
    )
    assert error.failures == tuple(failures)


def test_a_long_rejection_is_cut() -> None:
    """Three rules are shown, the others counted; all are on the exception."""
    error = ValidationError("m", [Failure("missing", f"f{i}", "a value") for i in range(40)])
    assert str(error).endswith("feature 'f2': expected a value (rule missing); and 37 more")
    assert len(error.failures) == 40


def test_a_rejection_goes_from_process_to_process() -> None:
    """A pool of processes pickles what its workers raise."""
    error = ValidationError("churn", [Failure("range", "age", "[18, 90]")])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.failures) == (str(error), error.failures)
