"""What a call of a scikit-learn model becomes."""

import json
from importlib.metadata import version
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import (
    BaggingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
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
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.parallel import Parallel, delayed

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import (
    CODE_FUNCTION_NAME,
    ML_BATCH_CONFIDENCE_MEAN,
    ML_BATCH_CONFIDENCE_MIN,
    ML_BATCH_SIZE,
    ML_CALL_SEQUENCE,
    ML_CALL_STREAM,
    ML_FRAMEWORK_NAME,
    ML_FRAMEWORK_VERSION,
    ML_INPUT_FEATURE_COUNT,
    ML_INPUT_FEATURES,
    ML_INPUT_MISSING_COUNT,
    ML_INPUT_ROWS,
    ML_INPUT_SCHEMA_HASH,
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
from tests.data.iris import BINARY, FRAME, NAMES, SAMPLES, TARGET

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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


class OfLongNumbers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # without types
    """A classifier of the user's own that computes with more than 64 bits."""

    classes_ = ("ok", "fraud")

    def predict_proba(self, samples: Any) -> Any:
        """Return three quarters and a quarter."""
        return np.array([[0.75, 0.25]] * len(samples), np.longdouble)


@pytest.mark.parametrize("count", [1, 3])
def test_numbers_of_more_than_64_bits_get_into_no_span_and_no_metric(
    count: int, conforming: Capture
) -> None:
    """One of numpy's own in a metric would keep all metrics of the process from being exported."""
    assert OfLongNumbers().predict_proba(np.zeros((count, 2))).dtype == np.longdouble
    assert conforming.attributes["ml.output.shape"] == (count, 2)
    assert conforming.metric("ml.prediction.confidence") == []
