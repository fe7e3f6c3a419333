"""What a call of a scikit-learn model becomes."""

import concurrent.futures
import json
import logging
import subprocess
import sys
import textwrap
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.metadata import EntryPoint, version
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from opentelemetry.instrumentation import dependencies
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.ensemble import (
    BaggingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.parallel import Parallel, delayed

import otel_ml
from otel_ml import instrumentors
from otel_ml.instrumentors import _instrumentor as instrumentor_module
from otel_ml.instrumentors._wrapping import MARKER
from otel_ml.instrumentors.sklearn import SklearnInstrumentor
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import (
    CODE_FUNCTION_NAME,
    ERROR_TYPE,
    ML_BATCH_CONFIDENCE_MEAN,
    ML_BATCH_CONFIDENCE_MIN,
    ML_BATCH_SIZE,
    ML_CALL_SEQUENCE,
    ML_CALL_STREAM,
    ML_CONTENT_TRUNCATED,
    ML_FRAMEWORK_NAME,
    ML_FRAMEWORK_VERSION,
    ML_INPUT_DTYPE,
    ML_INPUT_FEATURE_COUNT,
    ML_INPUT_FEATURES,
    ML_INPUT_MISSING_COUNT,
    ML_INPUT_ROWS,
    ML_INPUT_SCHEMA_HASH,
    ML_INPUT_SHAPE,
    ML_INPUT_VALUES,
    ML_MODEL_NAME,
    ML_MODEL_TYPE,
    ML_MODEL_VERSION,
    ML_OPERATION_NAME,
    ML_OUTPUT_DTYPE,
    ML_OUTPUT_SHAPE,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_ENTROPY,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_MARGIN,
    ML_PREDICTION_PROBABILITIES,
    ML_PREDICTION_SCORE,
    ML_PREDICTION_VALUE,
    ML_PREDICTION_VALUES,
    ML_TASK_TYPE,
    ML_VALIDATION_RESULT,
)
from otel_ml_conventions.schema import SCHEMA_URL
from tests.data.framework_calls import FULL

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SAMPLES, TARGET = load_iris(return_X_y=True)
BINARY = (TARGET > 0).astype(int)
FRAME = pd.DataFrame(SAMPLES, columns=["a", "b", "c", "d"])
NAMES = np.array(["setosa", "versicolor", "virginica"])


@pytest.fixture
def iris() -> Pipeline:
    """Return a pipeline that knows its columns and has classes of text."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return model.fit(FRAME, NAMES[TARGET])


def test_a_prediction_is_one_span_with_exactly_these_facts(
    iris: Pipeline, captured: Capture
) -> None:
    """Names, values and types of all attributes of a plain call with the default settings."""
    probabilities = iris.predict_proba(FRAME[:1])
    (span,) = captured.spans
    facts = captured.attributes
    assert facts.pop(ML_PREDICTION_ENTROPY) == pytest.approx(
        -(probabilities[0] * np.log(probabilities[0])).sum() / np.log(3)
    )
    *_, second, first = np.sort(probabilities[0])
    assert facts.pop(ML_PREDICTION_MARGIN) == pytest.approx(first - second)
    assert len(bytes.fromhex(facts.pop(ML_CALL_STREAM))) == 8
    assert len(bytes.fromhex(facts.pop(ML_INPUT_SCHEMA_HASH))) == 8
    assert facts == {
        ML_OPERATION_NAME: "predict",
        ML_MODEL_NAME: "Pipeline",
        ML_MODEL_TYPE: "sklearn.pipeline.Pipeline",
        ML_FRAMEWORK_NAME: "sklearn",
        ML_FRAMEWORK_VERSION: version("scikit-learn"),
        ML_TASK_TYPE: "multiclass_classification",
        CODE_FUNCTION_NAME: "sklearn.pipeline.Pipeline.predict_proba",
        ML_BATCH_SIZE: 1,
        ML_CALL_SEQUENCE: 1,
        ML_INPUT_FEATURE_COUNT: 4,
        ML_INPUT_MISSING_COUNT: 0,
        ML_PREDICTION_LABEL: "setosa",
        ML_PREDICTION_CONFIDENCE: probabilities.max(),
        ML_VALIDATION_RESULT: "pass",
    }
    assert {type(value) for value in facts.values()} == {str, int, float}
    assert (span.name, span.kind) == ("predict Pipeline", SpanKind.INTERNAL)
    assert span.status.status_code is StatusCode.UNSET
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "otel_ml"
    assert span.instrumentation_scope.schema_url == SCHEMA_URL


def test_a_sampler_sees_what_it_may_decide_by(iris: Pipeline) -> None:
    """Identity, task and batch size are there when the span starts."""
    seen: list[dict[str, Any]] = []

    class Looking(Sampler):
        def should_sample(
            self,
            parent_context: Any,
            trace_id: int,
            name: str,
            kind: Any = None,
            attributes: Any = None,
            links: Any = None,
            trace_state: Any = None,
        ) -> SamplingResult:
            seen.append(dict(attributes))
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

        def get_description(self) -> str:
            return "Looking"

    otel_ml.register_model(iris, version="7")
    with capture(sampler=Looking()):
        iris.predict(FRAME[:3])
    (facts,) = seen
    relevant = {
        ML_OPERATION_NAME: "predict",
        ML_MODEL_NAME: "Pipeline",
        ML_MODEL_VERSION: "7",
        ML_FRAMEWORK_NAME: "sklearn",
        ML_TASK_TYPE: "multiclass_classification",
        ML_BATCH_SIZE: 3,
    }
    assert relevant.items() <= facts.items()


def test_a_batch_has_labels_confidences_and_a_summary(iris: Pipeline, captured: Capture) -> None:
    """Of three samples all are told, in order; the mean and the least confidence beside them."""
    probabilities = iris.predict_proba(FRAME[49:52])
    facts = captured.attributes
    confidences = probabilities.max(axis=1)
    assert facts[ML_BATCH_SIZE] == 3
    assert facts[ML_PREDICTION_LABELS] == tuple(iris.classes_[probabilities.argmax(axis=1)])
    assert facts[ML_PREDICTION_CONFIDENCES] == tuple(confidences)
    assert facts[ML_BATCH_CONFIDENCE_MEAN] == pytest.approx(confidences.mean())
    assert facts[ML_BATCH_CONFIDENCE_MIN] == confidences.min()
    assert ML_PREDICTION_LABEL not in facts


def test_a_large_batch_tells_the_same_sample_of_inputs_and_outputs(
    iris: Pipeline, full: Capture
) -> None:
    """32 of 150 rows: each label belongs to the row at its place."""
    iris.predict(FRAME)
    facts = full.attributes
    rows = pd.DataFrame(json.loads(facts[ML_INPUT_ROWS]))
    assert len(rows) == 32
    assert facts[ML_BATCH_SIZE] == 150
    assert facts[ML_PREDICTION_LABELS] == tuple(iris.predict(rows))


def test_predict_knows_the_class_and_does_not_ask_for_probabilities(captured: Capture) -> None:
    """The cost of a call is the cost of that call: `predict_proba` is not called behind its back."""
    asked: list[int] = []

    class Costly(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        def fit(self, samples: Any, target: Any) -> "Costly":
            self.classes_ = np.unique(target)
            return self

        def predict(self, samples: Any) -> Any:
            return self.classes_[np.ones(len(samples), int)]

        def predict_proba(self, samples: Any) -> Any:
            asked.append(1)
            return np.tile([0.2, 0.8], (len(samples), 1))

    Costly().fit(SAMPLES, BINARY).predict(SAMPLES[:1])
    facts = captured.attributes
    assert asked == []
    assert facts[ML_PREDICTION_LABEL] == "1"
    assert facts[ML_TASK_TYPE] == "binary_classification"
    assert ML_PREDICTION_CONFIDENCE not in facts


@pytest.mark.parametrize(
    ("target", "label"),
    [
        (BINARY, "0"),
        (BINARY.astype(float), "0"),
        (BINARY.astype(bool), "False"),
        (BINARY.astype(str), "0"),
        (np.array(["ok", "fraud"])[BINARY], "ok"),
        (np.array(["ok", "fraud"], object)[BINARY], "ok"),
        (np.array(["x" * 65, "y" * 65])[BINARY], "b2:"),
    ],
)
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_labels_are_text_whatever_the_classes_are(
    target: Any, label: str, method: str, captured: Capture
) -> None:
    """A class is one string, by either method, and never one that may be a whole text."""
    model = LogisticRegression().fit(SAMPLES, target)
    getattr(model, method)(SAMPLES[:1])
    told = captured.attributes[ML_PREDICTION_LABEL]
    assert told.startswith("b2:") if label == "b2:" else told == label


MULTILABEL = make_multilabel_classification(n_features=4, n_classes=3, random_state=0)

MODELS: dict[str, tuple[Any, tuple[Any, Any], str | None]] = {
    "two classes": (LogisticRegression(), (SAMPLES, BINARY), "binary_classification"),
    "three classes": (LogisticRegression(), (SAMPLES, TARGET), "multiclass_classification"),
    "regressor": (LinearRegression(), (SAMPLES, TARGET), "regression"),
    "pipeline": (make_pipeline(StandardScaler(), Ridge()), (SAMPLES, TARGET), "regression"),
    "clusterer": (KMeans(3, n_init=1), (SAMPLES, None), "clustering"),
    "outlier detector": (IsolationForest(n_estimators=5), (SAMPLES, None), "anomaly_detection"),
    "one-class machine": (OneClassSVM(), (SAMPLES, None), "anomaly_detection"),
    "mixture": (GaussianMixture(2), (SAMPLES, None), None),
    "search": (
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
        (SAMPLES, BINARY),
        "binary_classification",
    ),
    "multi-label tree": (DecisionTreeClassifier(), MULTILABEL, "multilabel_classification"),
    "multi-label perceptron": (
        make_pipeline(MLPClassifier((2,), solver="lbfgs", max_iter=5)),
        MULTILABEL,
        "multilabel_classification",
    ),
}


def trained(name: str) -> Any:
    """Return the model of that name, trained."""
    model, data, _ = MODELS[name]
    return clone(model).fit(*data)


@pytest.mark.parametrize("name", MODELS)
def test_the_task_is_what_the_estimator_says_of_itself(name: str, captured: Capture) -> None:
    """Through pipelines and searches, from tags and classes, without a call of the model."""
    trained(name).predict(SAMPLES[:1])
    assert captured.attributes.get(ML_TASK_TYPE) == MODELS[name][2]


def test_clusters_outliers_and_components_have_labels(captured: Capture) -> None:
    """What `predict` of each returns is the class it found, as text."""
    for name, known in (
        ("clusterer", {"0", "1", "2"}),
        ("outlier detector", {"1", "-1"}),
        ("mixture", {"0", "1"}),
    ):
        captured.clear()
        trained(name).predict(SAMPLES[:1])
        assert captured.attributes[ML_PREDICTION_LABEL] in known
    captured.clear()
    probabilities = trained("mixture").predict_proba(SAMPLES[:1])
    assert captured.attributes[ML_PREDICTION_LABEL] == str(probabilities.argmax())


def test_numbers_are_told_only_when_asked_for(captured: Capture) -> None:
    """By default neither a predicted number nor a score leaves the process."""
    LinearRegression().fit(SAMPLES, TARGET).predict(SAMPLES[:1])
    trained("one-class machine").decision_function(SAMPLES[:1])
    trained("mixture").score_samples(SAMPLES[:2])
    keys = {key for span in captured.spans for key in span.attributes or ()}
    assert {key for key in keys if key.startswith(("ml.prediction", "ml.output"))} == set()


def test_numbers_scores_and_probabilities_are_told_when_asked_for(full: Capture) -> None:
    """As exactly as the model gave them."""
    regressor = LinearRegression().fit(SAMPLES, TARGET)
    value = regressor.predict(SAMPLES[:1])
    assert full.attributes[ML_PREDICTION_VALUE] == value[0]
    full.clear()
    values = regressor.predict(SAMPLES[:3])
    assert full.attributes[ML_PREDICTION_VALUES] == tuple(values)
    full.clear()
    score = trained("one-class machine").decision_function(SAMPLES[:1])
    assert full.attributes[ML_PREDICTION_SCORE] == score[0]
    full.clear()
    model = trained("three classes")
    probabilities = model.predict_proba(SAMPLES[:1])
    told = json.loads(full.attributes[ML_PREDICTION_PROBABILITIES])
    assert told == dict(zip("012", probabilities[0].tolist(), strict=True))


def test_no_outputs_are_told_where_none_are_wanted(iris: Pipeline) -> None:
    """`none` leaves no class, no confidence, and no confidence metric."""
    with capture(Settings(capture_outputs="none")) as seen:
        iris.predict_proba(FRAME[:1])
        assert not [key for key in seen.attributes if key.startswith("ml.prediction")]
        assert seen.metric("ml.prediction.confidence") == []


def test_several_outputs_per_sample_are_a_shape(captured: Capture) -> None:
    """No class is claimed where there are several, nor a confidence where rows do not add up to 1."""
    samples, targets = MULTILABEL
    predicted = DecisionTreeClassifier().fit(samples, targets).predict(samples[:2])
    assert captured.attributes[ML_OUTPUT_SHAPE] == predicted.shape == (2, 3)
    assert captured.attributes[ML_OUTPUT_DTYPE] == str(predicted.dtype)
    assert ML_PREDICTION_LABELS not in captured.attributes
    captured.clear()
    chained = MultiOutputClassifier(LogisticRegression()).fit(samples, targets)
    chained.predict_proba(samples[:2])
    assert ML_PREDICTION_CONFIDENCES not in captured.attributes


def test_an_estimator_of_no_known_kind_has_an_output_of_a_shape(captured: Capture) -> None:
    """What its numbers mean is not guessed."""

    class Something(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        def predict(self, samples: Any) -> Any:
            return np.ones((len(samples), 7), "f4")

    Something().predict(SAMPLES[:2])
    assert captured.attributes[ML_OUTPUT_SHAPE] == (2, 7)
    assert captured.attributes[ML_OUTPUT_DTYPE] == "float32"
    assert ML_TASK_TYPE not in captured.attributes


def test_a_prediction_with_its_uncertainty_is_the_prediction(full: Capture) -> None:
    """Of (mean, standard deviation) the mean is the predicted number, and both are returned."""
    model = GaussianProcessRegressor().fit(SAMPLES[:20], TARGET[:20])
    mean, deviation = model.predict(SAMPLES[:1], return_std=True)
    assert full.attributes[ML_PREDICTION_VALUE] == mean[0]
    assert deviation.shape == (1,)


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


@cache
def trained_on_names() -> LogisticRegression:
    """Return a model of three classes of text."""
    return LogisticRegression().fit(SAMPLES, NAMES[TARGET])


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


def test_a_failed_call_is_an_error_span_that_quotes_nothing(captured: Capture) -> None:
    """The class of the exception, no message, no stack; the exception is the user's own."""
    with pytest.raises(NotFittedError) as raised:
        LogisticRegression().predict(SAMPLES[:2])
    assert raised.value.__context__ is None
    (span,) = captured.spans
    assert captured.attributes[ERROR_TYPE] == "sklearn.exceptions.NotFittedError"
    assert captured.attributes[ML_BATCH_SIZE] == 2
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert len(span.events) == 0
    (point,) = captured.metric("ml.inference.duration")
    assert point.attributes[ERROR_TYPE] == "sklearn.exceptions.NotFittedError"
    (point,) = captured.metric("ml.inference.predictions")
    assert (point.value, point.attributes[ERROR_TYPE]) == (2, "sklearn.exceptions.NotFittedError")


def test_messages_of_exceptions_are_told_when_asked_for() -> None:
    """Then with the stack, as OpenTelemetry records exceptions."""
    with capture(Settings(capture_exception_messages=True)) as seen:
        with pytest.raises(NotFittedError):
            LogisticRegression().predict(SAMPLES[:2])
        (span,) = seen.spans
        assert "is not fitted yet" in (span.status.description or "")
        assert [event.name for event in span.events] == ["exception"]


def test_an_interrupt_is_passed_on(captured: Capture) -> None:
    """Also what is no Exception ends the span and reaches the caller."""

    class Interrupted(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        def predict(self, samples: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interrupted().predict(SAMPLES)
    assert captured.attributes[ERROR_TYPE] == "KeyboardInterrupt"
    assert not get_current_span().is_recording()


def test_metrics_count_every_call_and_every_sample(iris: Pipeline, captured: Capture) -> None:
    """Numbers of calls, samples and confidences are exact, whatever the spans say."""
    for size in (1, 2, 3):
        iris.predict_proba(FRAME[:size])
    iris.predict(FRAME[:4])
    (duration,) = captured.metric("ml.inference.duration")
    (batch,) = captured.metric("ml.inference.batch.size")
    (predictions,) = captured.metric("ml.inference.predictions")
    (confidence,) = captured.metric("ml.prediction.confidence")
    assert (duration.count, batch.count, batch.sum, predictions.value) == (4, 4, 10, 10)
    assert 0 < duration.sum < 60
    expected = [iris.predict_proba(FRAME[:size]).max(axis=1) for size in (1, 2, 3)]
    assert confidence.count == 6
    assert confidence.sum == pytest.approx(np.concatenate(expected).sum())
    assert dict(duration.attributes) == {
        ML_OPERATION_NAME: "predict",
        ML_MODEL_NAME: "Pipeline",
        ML_FRAMEWORK_NAME: "sklearn",
        ML_TASK_TYPE: "multiclass_classification",
    }


def test_a_metric_leads_to_the_trace_behind_it(iris: Pipeline, captured: Capture) -> None:
    """Exemplars carry the ids of the span although another thread recorded them."""
    iris.predict(FRAME[:1])
    (span,) = captured.spans
    (point,) = captured.metric("ml.inference.duration")
    (exemplar,) = point.exemplars
    assert span.context is not None
    assert (exemplar.trace_id, exemplar.span_id) == (span.context.trace_id, span.context.span_id)


def test_what_users_say_of_a_model_comes_first(iris: Pipeline) -> None:
    """Registered names beat the environment, which beats the class."""
    settings = Settings(
        model_name="of the operator", model_version="9", capture_content="span_only"
    )
    with capture(settings) as seen:
        iris.predict(FRAME[:1])
        assert seen.attributes[ML_MODEL_NAME] == "of the operator"
        assert seen.attributes[ML_MODEL_VERSION] == "9"
        seen.clear()
        otel_ml.register_model(iris, name="iris", version="1", class_names=["s", "ve", "vi"])
        iris.predict(FRAME[:1])
        iris.predict_proba(FRAME[:1])
        for span in seen.spans:
            facts = dict(span.attributes or {})
            assert span.name == "predict iris"
            assert (facts[ML_MODEL_NAME], facts[ML_MODEL_VERSION]) == ("iris", "1")
            assert facts[ML_PREDICTION_LABEL] == "s"


def test_registered_feature_names_and_task_are_used(full: Capture) -> None:
    """For a model that knows neither."""

    class Something(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        def predict(self, samples: Any) -> Any:
            return np.zeros(len(samples))

    model = Something()
    otel_ml.register_model(model, feature_names=["a", "b", "c", "d"], task="regression")
    model.predict(SAMPLES[:1])
    assert full.attributes[ML_TASK_TYPE] == "regression"
    assert full.attributes[ML_PREDICTION_VALUE] == 0.0
    assert list(json.loads(full.attributes[ML_INPUT_FEATURES])) == ["a", "b", "c", "d"]


def test_a_model_that_is_trained_again_is_read_again(captured: Capture) -> None:
    """New classes are told by their new names."""
    model = LogisticRegression().fit(SAMPLES, BINARY)
    model.predict_proba(SAMPLES[:1])
    assert captured.attributes[ML_TASK_TYPE] == "binary_classification"
    captured.clear()
    model.fit(SAMPLES, NAMES[TARGET]).predict_proba(SAMPLES[:1])
    assert captured.attributes[ML_TASK_TYPE] == "multiclass_classification"
    assert captured.attributes[ML_PREDICTION_LABEL] == "setosa"


def test_calls_are_numbered_per_model(iris: Pipeline, captured: Capture) -> None:
    """1, 2, 3 over all methods of one model; another model counts for itself."""
    other = LinearRegression().fit(SAMPLES, TARGET)
    iris.predict(FRAME[:1])
    iris.predict_proba(FRAME[:1])
    other.predict(SAMPLES)
    iris.predict(FRAME[:1])
    found = [
        ((span.attributes or {})[ML_MODEL_NAME], (span.attributes or {})[ML_CALL_SEQUENCE])
        for span in captured.spans
    ]
    assert found == [("Pipeline", 1), ("Pipeline", 2), ("LinearRegression", 1), ("Pipeline", 3)]


def test_what_is_trained_in_parallel_is_read_anew(captured: Capture) -> None:
    """The labels told are those that it was trained with last, though others trained it in threads of theirs."""
    model = LogisticRegression().fit(SAMPLES[:, :2], np.where(SAMPLES[:, 0] > 6, "a", "b"))
    model.predict(SAMPLES[:1, :2])
    again = delayed(model.fit)(SAMPLES[:, :2], np.where(SAMPLES[:, 0] > 6, "x", "y"))
    Parallel(n_jobs=1)([again])
    captured.clear()
    model.predict_proba(SAMPLES[:1, :2])
    assert captured.attributes[ML_PREDICTION_LABEL] in {"x", "y"}


def test_searching_validating_and_explaining_are_no_inferences(captured: Capture) -> None:
    """However often they predict, in this thread or in others."""
    model = DecisionTreeClassifier()
    with joblib.parallel_backend("threading"):
        GridSearchCV(model, {"max_depth": [1, 2]}, cv=2, n_jobs=2).fit(SAMPLES, TARGET)
        cross_val_score(model, SAMPLES, TARGET, cv=2, n_jobs=2)
    cross_val_score(model, SAMPLES, TARGET, cv=2)
    cross_val_predict(model, SAMPLES, TARGET, cv=2)
    learning_curve(model, SAMPLES, TARGET, cv=2, train_sizes=[0.9])
    permutation_importance(model.fit(SAMPLES, TARGET), SAMPLES, TARGET, n_repeats=1)
    model.score(SAMPLES, TARGET)
    KMeans(2, n_init=1).fit_predict(SAMPLES)
    assert [span.name for span in captured.spans] == []


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(4, n_jobs=2),
        BaggingClassifier(DecisionTreeClassifier(), 4, n_jobs=2),
        VotingClassifier(
            [("tree", DecisionTreeClassifier()), ("line", LogisticRegression())],
            voting="soft",
            n_jobs=2,
        ),
        StackingClassifier(
            [("tree", DecisionTreeClassifier()), ("line", LogisticRegression())], n_jobs=2, cv=2
        ),
    ],
)
def test_a_model_of_models_is_one_inference_also_in_parallel(model: Any, captured: Capture) -> None:
    """Its members are not, in whatever thread they run."""
    with joblib.parallel_backend("threading"):
        model.fit(SAMPLES, TARGET)
        model.predict_proba(SAMPLES[:4])
        model.predict(SAMPLES[:4])
    assert [span.name for span in captured.spans] == [f"predict {type(model).__name__}"] * 2


def test_parts_are_told_where_they_are_asked_for(iris: Pipeline) -> None:
    """Then a pipeline's last step is a child span under its own class, never under the model's name."""
    with capture(Settings(capture_nested=True, model_name="iris")) as seen:
        iris.predict_proba(FRAME[:1])
        step, part, whole = seen.spans
    assert step.name.startswith("transform ")
    assert (part.name, whole.name) == ("predict LogisticRegression", "predict iris")
    assert part.parent is not None
    assert whole.context is not None
    assert part.parent.span_id == whole.context.span_id


def test_training_makes_no_spans_of_parts_either() -> None:
    """Not even where parts are asked for."""
    with capture(Settings(capture_nested=True)) as seen:
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2).fit(SAMPLES, TARGET)
        assert len(seen.spans) == 0


def test_what_happens_inside_a_call_belongs_to_it(captured: Capture) -> None:
    """A step that looks something up elsewhere does so inside the inference's span."""
    inside: list[Any] = []

    def look_up(samples: Any) -> Any:
        inside.append(get_current_span().get_span_context())
        return samples

    model = make_pipeline(FunctionTransformer(look_up), LogisticRegression()).fit(SAMPLES, TARGET)
    inside.clear()
    with captured.tracer_provider.get_tracer("test").start_as_current_span("request") as request:
        model.predict(SAMPLES[:1])
    span = captured.spans[0]
    assert span.context == inside[0]
    assert span.parent == request.get_span_context()
    assert not get_current_span().is_recording()


def test_suppressed_instrumentation_is_suppressed(iris: Pipeline, captured: Capture) -> None:
    """An exporter that predicts must not feed itself."""
    with suppress_instrumentation():
        iris.predict(FRAME[:1])
    assert len(captured.spans) == 0
    assert captured.metric("ml.inference.duration") == []


def test_many_threads_at_once_lose_and_mix_nothing(iris: Pipeline, captured: Capture) -> None:
    """1600 calls from 8 threads: as many spans, each number once, and as many in the metrics."""
    sizes = [1 + i % 3 for i in range(1600)]
    frames = {size: FRAME[:size] for size in (1, 2, 3)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda size: len(iris.predict_proba(frames[size])), sizes))
    assert found == sizes
    facts = [dict(span.attributes or {}) for span in captured.spans]
    assert sorted(fact[ML_CALL_SEQUENCE] for fact in facts) == list(range(1, 1601))
    assert sum(fact[ML_BATCH_SIZE] for fact in facts) == sum(sizes)
    (point,) = captured.metric("ml.inference.duration")
    assert point.count == 1600
    (point,) = captured.metric("ml.inference.predictions")
    assert point.value == sum(sizes)
    assert captured.metric("ml.sdk.errors") == []


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("otel_ml.instrumentors.sklearn.Estimator.table", "describe_input"),
        ("otel_ml.describe.inputs.names_in_force", "describe_input"),
        ("otel_ml.describe.samples.ContentPolicy.capture", "describe_input"),
        ("otel_ml.instrumentors._answers.describe_probabilities", "describe_output"),
        ("otel_ml.instrumentors.sklearn.Estimator.__init__", "describe_model"),
        ("otel_ml.instrumentors.sklearn.identify", "describe_model"),
        ("opentelemetry.sdk.trace.Tracer.start_span", "start_span"),
        ("opentelemetry.sdk.trace.Span.end", "end_span"),
        ("otel_ml.ring.Ring.put", "measure"),
        ("opentelemetry.sdk.metrics.Histogram.record", "record_metrics"),
    ],
)
def test_no_failure_of_ours_reaches_the_caller(
    place: str,
    cause: str,
    iris: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The result is right; the failure is counted by its cause, logged once, and quotes nothing."""
    expected = iris.predict_proba(FRAME[:1])
    with capture(FULL) as seen:

        def fail(*_args: Any, **_kwargs: Any) -> Any:
            raise RuntimeError("secret 4711")

        monkeypatch.setattr(place, fail)
        for _ in range(3):
            assert iris.predict_proba(FRAME[:1]).tolist() == expected.tolist()
        seen.metric("ml.sdk.errors")
        monkeypatch.undo()
        (point,) = seen.metric("ml.sdk.errors")
    assert dict(point.attributes) == {"ml.sdk.error.cause": cause}
    assert point.value >= 1
    (record,) = [record for record in caplog.records if record.name == "otel_ml"]
    assert record.levelno == logging.WARNING
    assert cause in record.getMessage()
    assert "4711" not in record.getMessage()
    assert not get_current_span().is_recording()


def test_a_model_that_hides_its_nature_is_still_observed(captured: Capture) -> None:
    """Attributes that raise, a `__len__` that raises, tags that raise: one span, no failure."""

    class Shy(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        @property
        def classes_(self) -> Any:
            raise RuntimeError("no")

        @property
        def feature_names_in_(self) -> Any:
            raise RuntimeError("no")

        def __sklearn_tags__(self) -> Any:
            raise RuntimeError("no")

        def __bool__(self) -> bool:
            raise RuntimeError("no")

        def predict(self, samples: Any) -> Any:
            return samples

    assert Shy().predict(SAMPLES) is SAMPLES
    assert [span.name for span in captured.spans] == ["predict Shy"]
    assert captured.metric("ml.sdk.errors") == []


def test_nothing_but_a_conflict_leaves_the_instrumentor(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Any other exception would keep everybody else's instrumentors from being loaded."""

    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise RuntimeError("boom")

    monkeypatch.setattr(instrumentor_module, "Observer", fail)
    instrumentor = SklearnInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    instrumentor.uninstrument()
    assert "sklearn is not instrumented" in caplog.text


@pytest.mark.parametrize("found", ["1.2.2", "0.24.0"])
def test_a_scikit_learn_that_is_too_old_is_a_conflict(
    found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader is told by the one exception it expects, if it knows any, and nothing is wrapped."""
    pretend(monkeypatch, found)
    with refusal(found):
        SklearnInstrumentor().instrument(skip_dep_check=True)
    assert MARKER not in vars(LinearRegression.fit)
    SklearnInstrumentor().uninstrument()
    assert SklearnInstrumentor().is_instrumented_by_opentelemetry is False


def refusal(match: str) -> AbstractContextManager[Any]:
    """Return what expects the loader's exception; older loaders have none, and nothing is raised."""
    error = getattr(dependencies, "DependencyConflictError", None)
    return nullcontext() if error is None else pytest.raises(error, match=match)


@pytest.mark.parametrize("found", ["1.3.0", "1.10.dev0", "2.0rc1"])
def test_a_pre_release_is_no_conflict(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader's own check takes a nightly build for a wrong version; ours does not."""
    pretend(monkeypatch, found)
    SklearnInstrumentor().instrument(skip_dep_check=True)
    SklearnInstrumentor().uninstrument()


def pretend(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    """Make *found* the version of scikit-learn that is installed."""
    monkeypatch.setattr("opentelemetry.instrumentation.dependencies.version", lambda name: found)


def test_a_missing_scikit_learn_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a service that uses another framework."""

    def missing(name: str) -> str:
        raise dependencies.PackageNotFoundError(name)  # a backport of its own in older ones

    monkeypatch.setattr("opentelemetry.instrumentation.dependencies.version", missing)
    with refusal('no installed version|found: "None"'):  # in older ones' words
        SklearnInstrumentor().instrument(skip_dep_check=True)
    SklearnInstrumentor().uninstrument()


def test_an_unknown_framework_is_told_with_the_known_ones() -> None:
    """A misspelt name is told at once."""
    with pytest.raises(ValueError, match=r"unknown framework 'sklern'; known: catboost, .*sklearn"):
        otel_ml.instrument(["sklern"])
    with pytest.raises(ValueError, match=r"unknown framework 'sklern'; known: catboost, .*sklearn"):
        otel_ml.uninstrument(["sklern"])


def test_a_framework_by_itself_is_no_list_of_its_letters() -> None:
    """The usual slip is told with what to write."""
    for call in (otel_ml.instrument, otel_ml.uninstrument):
        with pytest.raises(TypeError, match=r"found the text 'sklearn'; write \['sklearn'\]"):
            call("sklearn")


def test_an_instrumentor_of_others_that_is_broken_keeps_nobody_else_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be loaded is named, and all the rest is instrumented."""
    broken = EntryPoint(
        "ml_theirs", "a_module_that_is_not_there:Theirs", "opentelemetry_instrumentor"
    )
    known = {**instrumentors._ours(), "theirs": broken}
    monkeypatch.setattr(instrumentors, "_ours", lambda: known)
    with capture() as seen:
        trained_on_names().predict(SAMPLES[:1])
        assert len(seen.spans) == 1
    assert "theirs is not instrumented: a_module_that_is_not_there:Theirs" in caplog.text


class Gradual(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier of a user's, whose `steps` are no steps of a pipeline."""

    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps

    def fit(self, _samples: Any, target: Any) -> "Gradual":
        """Remember the classes."""
        self.classes_ = np.unique(target)
        return self

    def predict(self, samples: Any) -> Any:
        """Predict the first class."""
        return np.repeat(self.classes_[:1], len(samples))


@pytest.mark.parametrize("steps", [[1, 2, 3], ["slow", "fast"], [None], [()], [("one",)]])
def test_steps_may_be_a_word_of_the_users(captured: Capture, steps: list[Any]) -> None:
    """An estimator with a parameter of that name is observed like any other."""
    Gradual(steps).fit(SAMPLES, TARGET).predict(SAMPLES[:1])
    assert captured.attributes[ML_TASK_TYPE] == "multiclass_classification"
    assert captured.metric("ml.sdk.errors") == []


def test_a_framework_asked_for_by_name_that_is_missing_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A service does not fail to start for want of telemetry, but it is told."""
    pretend(monkeypatch, "1.2.0")
    otel_ml.instrument(["sklearn"])
    (record,) = [record for record in caplog.records if record.name == "otel_ml"]
    assert record.levelno == logging.WARNING
    assert "1.2.0" in record.getMessage()


def test_instrumenting_before_the_import_is_as_good_as_after() -> None:
    """In a fresh interpreter: `instrument`, then import, then the same span."""
    program = """
        import sys, otel_ml
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        otel_ml.instrument(["sklearn"], tracer_provider=provider)
        assert "sklearn" not in sys.modules
        before = list(sys.meta_path)
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.base import BaseEstimator

        model = RandomForestClassifier(3, n_jobs=2).fit([[0.0], [1.0]], [0, 1])
        model.predict([[0.0]])
        print([span.name for span in exporter.get_finished_spans()])
        otel_ml.uninstrument()
        model.predict([[0.0]])
        print(len(exporter.get_finished_spans()), "__init_subclass__" in vars(BaseEstimator))
        print([f for f in sys.meta_path if type(f).__module__.startswith("otel_ml")])
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['predict RandomForestClassifier']", "1 False", "[]"]
