"""What outputs say: confidence, entropy, margin, labels, numbers."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from otel_ml.describe import probabilities
from otel_ml.describe.probabilities import (
    class_label,
    describe_classes,
    describe_confidences,
    describe_numbers,
    describe_probabilities,
    describe_scores,
    describe_shape,
    entropy,
    margin,
    probabilities_text,
)
from otel_ml_conventions.attributes import (
    ML_BATCH_CONFIDENCE_MEAN,
    ML_BATCH_CONFIDENCE_MIN,
    ML_OUTPUT_DTYPE,
    ML_OUTPUT_SHAPE,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_ENTROPY,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_MARGIN,
    ML_PREDICTION_SCORE,
    ML_PREDICTION_SCORES,
    ML_PREDICTION_VALUE,
    ML_PREDICTION_VALUES,
)

distributions = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=20).map(
    lambda weights: [weight / sum(weights) for weight in weights]
)


@given(distributions)
def test_entropy_is_scipys_over_its_maximum(distribution: list[float]) -> None:
    """Normalised by ln K it lies in [0, 1] for any number of classes."""
    classes = len(distribution)
    expected = scipy.stats.entropy(distribution) / math.log(classes) if classes > 1 else 0.0
    assert entropy(distribution) == pytest.approx(expected, abs=1e-12)
    assert 0.0 <= entropy(distribution) <= 1.0


@pytest.mark.parametrize(
    ("distribution", "value"),
    [([1.0], 0.0), ([1.0, 0.0, 0.0], 0.0), ([0.25] * 4, 1.0), ([0.5, 0.5, 0.0], math.log(2, 3))],
)
def test_entropy_of_certainty_is_zero_and_of_ignorance_one(
    distribution: list[float], value: float
) -> None:
    """The two ends and a closed form in between."""
    assert entropy(distribution) == pytest.approx(value)


@given(distributions)
def test_margin_is_the_lead_of_the_first_class(distribution: list[float]) -> None:
    """The difference of the two largest of numpy's sorted array; one class leads by all it has."""
    *_, second, first = np.sort([0.0, *distribution])
    assert margin(distribution) == pytest.approx(first - second)


def test_one_sample_has_label_confidence_entropy_and_margin() -> None:
    """Exactly these four, of the class with the largest probability."""
    facts = describe_probabilities(np.array([[0.2, 0.7, 0.1]]), range(1), ("a", "b", "c"))
    assert facts == {
        ML_PREDICTION_LABEL: "b",
        ML_PREDICTION_CONFIDENCE: 0.7,
        ML_PREDICTION_ENTROPY: pytest.approx(scipy.stats.entropy([0.2, 0.7, 0.1]) / math.log(3)),
        ML_PREDICTION_MARGIN: pytest.approx(0.5),
    }


def test_a_batch_has_arrays_of_the_captured_rows_and_a_summary_of_all() -> None:
    """Rows 0 and 2 are captured; mean and minimum are over all three."""
    matrix = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    facts = describe_probabilities(matrix, [0, 2], ("no", "yes"))
    assert facts == {
        ML_PREDICTION_LABELS: ["no", "yes"],
        ML_PREDICTION_CONFIDENCES: [0.9, 0.8],
        ML_BATCH_CONFIDENCE_MEAN: pytest.approx((0.9 + 0.6 + 0.8) / 3),
        ML_BATCH_CONFIDENCE_MIN: 0.6,
    }


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_logarithms_say_the_same_as_probabilities(rows: int, dtype: str) -> None:
    """`predict_log_proba` is read like `predict_proba`, in every precision."""
    matrix = np.random.default_rng(0).dirichlet([1, 2, 3], rows).astype(dtype)
    plain = describe_probabilities(matrix, range(rows), ("a", "b", "c"))
    logs = describe_probabilities(np.log(matrix), range(rows), ("a", "b", "c"), are_logarithms=True)
    assert plain is not None
    assert logs is not None
    assert logs.keys() == plain.keys()
    for key, value in plain.items():
        is_text = key in {ML_PREDICTION_LABEL, ML_PREDICTION_LABELS}
        assert logs[key] == (value if is_text else pytest.approx(value, abs=0.02))


@pytest.mark.parametrize(
    "output",
    [
        np.array([[0.7, 0.7]]),
        np.array([[0.7, 0.7], [0.1, 0.2]]),
        np.array([[1.5, -0.5]]),
        np.array([[np.nan, 1.0]]),
        np.array([[np.nan, 1.0], [0.5, 0.5]]),
        np.array([[np.inf, 0.0]]),
        np.array([0.3, 0.7]),
        np.empty((0, 2)),
        np.empty((2, 0)),
        np.array([[0, 1]]),
        np.array([["a", "b"]]),
        [np.array([[0.3, 0.7]]), np.array([[0.1, 0.9]])],
        None,
        "text",
    ],
)
def test_what_is_no_distribution_has_no_confidence(output: Any) -> None:
    """Multi-label scores, NaN and other shapes are not taken for probabilities."""
    assert describe_probabilities(output, range(1), ("a", "b")) is None
    assert describe_confidences(output, range(1)) is None


@pytest.mark.parametrize("output", [np.array([[0.9999]]), np.array([[1.0], [0.9995]])])
def test_a_column_of_one_class_of_two_is_no_distribution(output: Any) -> None:
    """It is close to 1 for the surest samples alone: their confidence would be that of all."""
    assert describe_probabilities(output, range(1), ("no", "yes")) is None
    assert describe_probabilities(output, range(1), None) is None
    assert describe_confidences(output, range(1)) is None


def test_a_lone_class_is_sure() -> None:
    """A classifier that has seen a single class predicts it."""
    facts = describe_probabilities(np.array([[1.0]]), range(1), ("a",)) or {}
    assert (facts[ML_PREDICTION_LABEL], facts[ML_PREDICTION_CONFIDENCE]) == ("a", 1.0)


@pytest.mark.parametrize("classes", [2, 3, 8, 9, 40])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_confidences_are_the_largest_of_each_row(classes: int, dtype: str) -> None:
    """Whatever way they are found: by class where there are few, by sample where there are many."""
    matrix = np.random.default_rng(0).dirichlet([1.0] * classes, 50).astype(dtype)
    facts = describe_confidences(matrix, range(50)) or {}
    assert facts[ML_PREDICTION_CONFIDENCES] == [max(row) for row in matrix.tolist()]


@pytest.mark.parametrize("are_logarithms", [False, True])
@pytest.mark.parametrize("rows", [1, 3])
def test_numbers_too_large_for_arithmetic_are_no_distribution(
    rows: int, are_logarithms: bool
) -> None:
    """Nobody is warned of an overflow that is not his own, and nothing fails."""
    output = np.full((rows, 2), 1e308)
    told = describe_probabilities(output, range(rows), None, are_logarithms=are_logarithms)
    assert told is None
    told = describe_confidences(output, range(rows), are_logarithms=are_logarithms)
    assert told is None


def test_logits_that_are_infinite_are_no_distribution() -> None:
    """Nobody is warned of a difference of infinities that is not his own."""
    softened = probabilities.distributions(np.full((2, 2), np.inf))
    assert describe_probabilities(softened, range(2), None) is None


def test_classes_that_do_not_fit_the_columns_are_not_named() -> None:
    """A wrong name would be worse than none; the confidence is true all the same."""
    facts = describe_probabilities(np.array([[0.2, 0.8]]), range(1), ("a", "b", "c"))
    assert facts is not None
    assert ML_PREDICTION_LABEL not in facts
    assert facts[ML_PREDICTION_CONFIDENCE] == 0.8


def test_equal_probabilities_go_to_the_first_class() -> None:
    """As `argmax` decides, and so the model's own `predict`."""
    facts = describe_probabilities(np.array([[0.5, 0.5]]), range(1), ("a", "b"))
    assert facts is not None
    assert facts[ML_PREDICTION_LABEL] == "a"


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (True, "True"),
        ("fraud", "fraud"),
        (b"spam", "spam"),
        (np.int64(3), "3"),
        (np.float64(3.0), "3"),
        (np.float32(3.0), "3"),
        (np.array(3.0), "3"),
        ("x" * 64, "x" * 64),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_a_label_is_text_without_a_needless_fraction(value: Any, label: str) -> None:
    """`1` is the same class whether the model holds it as an integer or as a float."""
    assert class_label(value) == label


def test_a_long_label_is_hashed() -> None:
    """A string that may be a whole text is told apart, but not told."""
    first, second = class_label("x" * 65), class_label("y" * 65)
    assert first != second
    assert first == class_label("x" * 65)
    assert first.startswith("b2:")
    assert "xx" not in first


@pytest.mark.parametrize(
    "output",
    [np.array([2, 0, 1]), [2, 0, 1], pd.Series([2, 0, 1]), np.array([[2.0], [0.0], [1.0]])],
)
def test_predicted_classes_of_every_container(output: Any) -> None:
    """Arrays, lists, series and single columns are read alike; only captured rows are told."""
    assert describe_classes(output, [0, 2]) == {ML_PREDICTION_LABELS: ["2", "1"]}


def test_classes_are_called_what_the_user_calls_them() -> None:
    """A class without a name of its own keeps its text."""
    facts = describe_classes(np.array([1]), range(1), {"0": "ok", "1": "fraud"})
    assert facts == {ML_PREDICTION_LABEL: "fraud"}
    assert describe_classes(np.array([7]), range(1), {"0": "ok"}) == {ML_PREDICTION_LABEL: "7"}


def test_several_outputs_per_sample_are_no_class_and_no_number() -> None:
    """Multi-output predictions are left to their shape."""
    assert describe_classes(np.array([[0, 1], [1, 1]]), range(2)) is None
    assert describe_numbers(np.array([[0.0, 1.0]]), range(1)) is None
    assert describe_shape(np.zeros((2, 3), "f4")) == {
        ML_OUTPUT_SHAPE: (2, 3),
        ML_OUTPUT_DTYPE: "float32",
    }
    assert describe_shape([np.zeros(2)]) == {}


def test_numbers_and_scores_are_plain_floats() -> None:
    """Numpy's numbers would be written as text by an exporter."""
    value = describe_numbers(np.array([1.5], "f4"), range(1))
    assert value == {ML_PREDICTION_VALUE: 1.5}
    assert type((value or {})[ML_PREDICTION_VALUE]) is float
    assert describe_numbers(np.array([1, 2]), range(2)) == {ML_PREDICTION_VALUES: [1.0, 2.0]}
    assert describe_scores(np.array([-1.5]), range(1)) == {ML_PREDICTION_SCORE: -1.5}
    assert describe_scores([-1.5, 2.0], range(2)) == {ML_PREDICTION_SCORES: [-1.5, 2.0]}


def test_probabilities_of_one_sample_are_a_json_object() -> None:
    """Every class with its exact probability, whatever characters its name has."""
    matrix = np.array([[0.1, 0.9]])
    text = probabilities_text(matrix, range(1), ('a"b', "c"), 8192)
    assert json.loads(text) == {'a"b': 0.1, "c": 0.9}


def test_probabilities_of_several_samples_are_an_array() -> None:
    """One object per captured row."""
    matrix = np.array([[0.1, 0.9], [0.5, 0.5], [0.3, 0.7]])
    text = probabilities_text(matrix, [0, 2], ("a", "b"), 8192)
    assert json.loads(text) == [{"a": 0.1, "b": 0.9}, {"a": 0.3, "b": 0.7}]


def test_of_many_classes_the_most_probable_are_told() -> None:
    """At most 32 of them, and never more bytes than allowed."""
    rng = np.random.default_rng(1)
    matrix = rng.dirichlet(np.ones(100), 20)
    names = [f"class {i}" for i in range(100)]
    one = json.loads(probabilities_text(matrix[:1], range(1), names, 8192))
    expected = [names[i] for i in np.argsort(-matrix[0], kind="stable")[:32]]
    assert list(one) == expected
    assert len(probabilities_text(matrix, range(20), names, 4000)) <= 4000


@pytest.mark.parametrize(
    "output",
    [pd.Series([1.5, None], dtype="Float64"), np.array([1.5, None], object), [1.5, None]],
    ids=["pandas", "objects", "list"],
)
def test_a_number_that_is_missing_is_nan(output: Any) -> None:
    """At its sample's place, as a regressor of numpy's has it; the others are told."""
    facts = describe_numbers(output, [0, 1])
    assert facts is not None
    first, missing = facts[ML_PREDICTION_VALUES]  # type: ignore[misc]  # several
    assert first == 1.5
    assert math.isnan(missing)


def test_answers_that_are_no_numbers_are_none() -> None:
    """Texts of a regressor of somebody's own: that is no failure of ours."""
    assert describe_numbers(["a", "b"], [0, 1]) is None
