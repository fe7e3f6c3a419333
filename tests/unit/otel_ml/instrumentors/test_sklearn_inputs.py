"""What is told of the inputs of a scikit-learn model, whatever they are held in."""

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import (
    ERROR_TYPE,
    ML_BATCH_SIZE,
    ML_CONTENT_TRUNCATED,
    ML_INPUT_DTYPE,
    ML_INPUT_FEATURE_COUNT,
    ML_INPUT_FEATURES,
    ML_INPUT_MISSING_COUNT,
    ML_INPUT_ROWS,
    ML_INPUT_SHAPE,
    ML_INPUT_VALUES,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_VALUES,
)
from tests.data.framework_calls import FULL
from tests.data.iris import FRAME, SAMPLES, TARGET, trained_on_names

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_names_and_values_of_one_sample_are_told_when_asked_for(
    iris: Pipeline, full: Capture
) -> None:
    """A frame brings its names; an array is named by what the model was fitted on."""
    iris.predict(FRAME[:1])
    expected = {"a": 5.1, "b": 3.5, "c": 1.4, "d": 0.2}
    assert json.loads(full.attributes[ML_INPUT_FEATURES]) == expected
    full.clear()
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        iris.predict(SAMPLES[:1])
    assert json.loads(full.attributes[ML_INPUT_FEATURES]) == expected
    full.clear()
    LinearRegression().fit(SAMPLES, TARGET).predict(SAMPLES[:1])
    assert full.attributes[ML_INPUT_VALUES] == (5.1, 3.5, 1.4, 0.2)


def test_content_is_what_was_given_not_what_a_step_made_of_it(full: Capture) -> None:
    """A scaler that works in place changes the caller's array during the call."""
    model = make_pipeline(StandardScaler(copy=False), LogisticRegression())
    model.fit(SAMPLES.copy(), TARGET)
    given = SAMPLES[:1].copy()
    model.predict(given)
    assert given.tolist() != SAMPLES[:1].tolist()
    assert full.attributes[ML_INPUT_VALUES] == tuple(SAMPLES[0])


def test_denied_features_stay_in_the_process(iris: Pipeline) -> None:
    """The others are told, and that something was held back."""
    settings = Settings(capture_content="span_only", feature_denylist=("b", "c*"))
    with capture(settings) as seen:
        iris.predict(FRAME[:1])
        assert json.loads(seen.attributes[ML_INPUT_FEATURES]) == {"a": 5.1, "d": 0.2}
        assert seen.attributes[ML_CONTENT_TRUNCATED] is True


ROWS = 3


INPUTS = {
    "float32": SAMPLES[:ROWS].astype("f4"),
    "float64": SAMPLES[:ROWS],
    "fortran": np.asfortranarray(SAMPLES)[:ROWS],
    "integers": SAMPLES[:ROWS].astype(int),
    "booleans": SAMPLES[:ROWS] > 3,
    "objects": SAMPLES[:ROWS].astype(object),
    "pandas": pd.DataFrame(SAMPLES[:ROWS]),
    "pandas with names": FRAME[:ROWS],
    "polars": pl.DataFrame(SAMPLES[:ROWS], schema=["a", "b", "c", "d"]),
    "csr matrix": sp.csr_matrix(SAMPLES[:ROWS]),
    "csc array": sp.csc_array(SAMPLES[:ROWS]),
    "list of lists": SAMPLES[:ROWS].tolist(),
    "list of tuples": [tuple(row) for row in SAMPLES[:ROWS].tolist()],
    "list of arrays": list(SAMPLES[:ROWS]),
    "empty": np.empty((0, 4)),
    "missing": np.full((ROWS, 4), np.nan),
    "infinite": np.full((ROWS, 4), np.inf),
    "text": np.array([["a"] * 4] * ROWS),
    "too wide": np.ones((ROWS, 9)),
    "one axis": np.ones(4),
    "three axes": np.ones((ROWS, 2, 2)),
    "no axes": np.array(3.0),
    "vectors in a column": pd.DataFrame({"a": list(SAMPLES[:ROWS]), "b": [1.0, np.nan, 2.0]}),
    "list of pictures": [np.ones((2, 2))] * ROWS,
}


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("settings", [Settings(), FULL], ids=["default", "full"])
@pytest.mark.parametrize("name", INPUTS)
def test_every_kind_of_input_behaves_as_without_us(name: str, settings: Settings) -> None:
    """Same result or same exception, one span, and nothing of ours went wrong."""
    model = trained_on_names()
    expected = outcome(model, INPUTS[name])
    with capture(settings) as seen:
        found = outcome(model, INPUTS[name])
        assert found == expected
        assert len(seen.spans) == 1
        assert seen.metric("ml.sdk.errors") == []
        is_refused = isinstance(expected, tuple)
        assert (ERROR_TYPE in seen.attributes) == is_refused


def outcome(model: Any, samples: Any) -> Any:
    """Return the predictions, or type and message of the exception."""
    try:
        return model.predict(samples).tolist()
    except (ValueError, TypeError) as error:
        return type(error), str(error)


def test_wide_and_long_inputs_are_told_within_bounds(full: Capture) -> None:
    """A hundred thousand features, or rows, do not become a hundred thousand values."""
    wide = np.ones((1, 100_000))
    LinearRegression().fit(np.ones((2, 100_000)), [0, 1]).predict(wide)
    assert len(full.attributes[ML_INPUT_VALUES]) == 256
    assert full.attributes[ML_INPUT_FEATURE_COUNT] == 100_000
    full.clear()
    LinearRegression().fit(np.ones((2, 10)), [0, 1]).predict(np.ones((100_000, 10)))
    facts = full.attributes
    assert facts[ML_BATCH_SIZE] == 100_000
    assert facts[ML_INPUT_MISSING_COUNT] == 0
    assert len(facts[ML_INPUT_ROWS]) <= 8192
    assert len(facts[ML_PREDICTION_VALUES]) == len(json.loads(facts[ML_INPUT_ROWS]))


@pytest.mark.parametrize(
    "samples", [["good day"], np.array(["good day"], object), pd.Series(["good day"])]
)
def test_texts_are_samples(samples: Any, full: Capture) -> None:
    """A text model is a model like any other."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model.fit(["good day", "bad night"], ["up", "down"]).predict(samples)
    assert full.attributes[ML_BATCH_SIZE] == 1
    assert full.attributes[ML_INPUT_FEATURES] == '{"x0":"good day"}'
    assert full.attributes[ML_PREDICTION_LABEL] == "up"


def test_mappings_are_samples(full: Capture) -> None:
    """So is what a DictVectorizer takes."""
    model = make_pipeline(DictVectorizer(), LogisticRegression())
    model.fit([{"city": "Köln", "n": 1}, {"city": "Bonn", "n": 2}], [0, 1])
    model.predict([{"city": "Bonn", "n": 3}])
    assert json.loads(full.attributes[ML_INPUT_FEATURES]) == {"city": "Bonn", "n": 3}


def test_rows_of_a_frame_in_a_list_are_samples() -> None:
    """As `model.predict([frame.iloc[0]])` gives them: no rule is broken, so no call is rejected."""
    frame = pd.DataFrame(SAMPLES)
    model = LogisticRegression().fit(SAMPLES, TARGET)
    settings = Settings(capture_content="span_only", validation_blocks=True)
    with capture(settings) as seen:
        model.predict([frame.iloc[0]])
        assert seen.attributes[ML_INPUT_FEATURE_COUNT] == SAMPLES.shape[1]
        assert seen.attributes["ml.validation.result"] == "pass"
        assert list(seen.attributes["ml.input.values"]) == SAMPLES[0].tolist()


def test_an_iterator_is_not_consumed_and_its_length_is_that_of_the_output(
    captured: Capture,
) -> None:
    """A generator of texts reaches the model whole."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model.fit(["good day", "bad night"], ["up", "down"])
    found = model.predict(text for text in ("bad night", "good day", "good"))
    assert found.tolist() == ["down", "up", "up"]
    assert captured.attributes[ML_BATCH_SIZE] == 3
    assert ML_INPUT_MISSING_COUNT not in captured.attributes


def test_a_tensor_has_a_shape_and_a_type(captured: Capture) -> None:
    """More than two axes are no table."""

    class Images(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        def predict(self, samples: Any) -> Any:
            return samples.mean(axis=(1, 2))

    Images().predict(np.zeros((2, 3, 4), "f4"))
    assert captured.attributes[ML_INPUT_SHAPE] == (2, 3, 4)
    assert captured.attributes[ML_INPUT_DTYPE] == "float32"
    assert ML_INPUT_FEATURE_COUNT not in captured.attributes


def test_missing_values_are_counted(captured: Capture) -> None:
    """On the span and in the metric."""
    model = DecisionTreeClassifier().fit(SAMPLES, TARGET)
    samples = SAMPLES[:2].copy()
    samples[0, 1] = samples[1, 2] = np.nan
    model.predict(samples)
    model.predict(SAMPLES[:1])
    first, second = captured.spans
    assert (first.attributes or {})[ML_INPUT_MISSING_COUNT] == 2
    assert (second.attributes or {})[ML_INPUT_MISSING_COUNT] == 0
    (point,) = captured.metric("ml.input.missing_values")
    assert point.value == 2


def test_a_keyword_is_as_good_as_a_position(captured: Capture) -> None:
    """`predict(X=...)` has its batch size too."""
    LinearRegression().fit(SAMPLES, TARGET).predict(X=SAMPLES[:5])
    assert captured.attributes[ML_BATCH_SIZE] == 5
