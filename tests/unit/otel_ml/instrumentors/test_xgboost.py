"""What a call of an XGBoost model becomes."""

import json
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xgboost as xgb
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import otel_ml
from otel_ml.testing import Capture
from tests.data.framework_calls import told, told_by_each

GENERATOR = np.random.default_rng(0)
SAMPLES = GENERATOR.normal(size=(60, 3)).astype("float32")
BINARY = (SAMPLES[:, 0] > 0).astype(int)
TERNARY = np.digitize(SAMPLES[:, 0], [-0.5, 0.5])
NUMBERS = SAMPLES[:, 0] * 2.0
SEVERAL = np.stack([BINARY, 1 - BINARY], axis=1)
GROUPS = np.repeat(np.arange(6), 10)

TARGETS: dict[str, Any] = {
    "binary:logistic": BINARY,
    "binary:logitraw": BINARY,
    "binary:hinge": BINARY,
    "multi:softprob": TERNARY,
    "multi:softmax": TERNARY,
    "reg:squarederror": NUMBERS,
    "count:poisson": BINARY,
    "rank:pairwise": BINARY,
}


@cache
def booster(objective: str) -> Any:
    """Return a small booster of that objective, which knows the names of its features."""
    target = TARGETS[objective]
    options: dict[str, Any] = {"objective": objective, "nthread": 1}
    if objective.startswith("multi:"):
        options["num_class"] = 3
    ranked = {"qid": GROUPS} if objective.startswith("rank:") else {}
    return xgb.train(options, matrix(SAMPLES, label=target, **ranked), 3)


def matrix(samples: Any, **options: Any) -> Any:
    """Return *samples* as XGBoost's own matrix, with names."""
    return xgb.DMatrix(samples, feature_names=["a", "b", "c"], **options)


def classifier(target: Any = BINARY, **options: Any) -> Any:
    """Return a small classifier."""
    return xgb.XGBClassifier(n_estimators=3, n_jobs=1, **options).fit(SAMPLES, target)


def test_a_prediction_of_a_booster_is_one_span_with_exactly_these_facts(captured: Capture) -> None:
    """With the default settings: who answered what, how surely, and no value of the input."""
    (second,) = booster("binary:logistic").predict(matrix(SAMPLES[:1]))
    facts = told(captured)
    first = 1 - second
    assert facts.pop("ml.prediction.entropy") == pytest.approx(
        -(first * np.log2(first) + second * np.log2(second)), abs=1e-6
    )
    assert facts.pop("ml.prediction.margin") == pytest.approx(abs(second - first), abs=1e-6)
    assert len(facts.pop("ml.call.stream")) == 16
    assert len(facts.pop("ml.input.schema.hash")) == 16
    assert facts.pop("ml.prediction.confidence") == pytest.approx(max(first, second))
    assert facts == {
        "ml.operation.name": "predict",
        "ml.model.name": "Booster",
        "ml.model.type": "xgboost.core.Booster",
        "ml.framework.name": "xgboost",
        "ml.framework.version": xgb.__version__,
        "ml.task.type": "binary_classification",
        "code.function.name": "xgboost.core.Booster.predict",
        "ml.call.sequence": 1,
        "ml.batch.size": 1,
        "ml.input.feature.count": 3,
        "ml.input.missing.count": 0,
        "ml.prediction.label": str(int(second > 0.5)),
        "ml.validation.result": "pass",
    }


ANSWERS = [
    ("binary:logistic", "binary_classification", "confidence"),
    ("binary:logitraw", "binary_classification", "score"),
    ("binary:hinge", "binary_classification", "label"),
    ("multi:softprob", "multiclass_classification", "confidence"),
    ("multi:softmax", "multiclass_classification", "label"),
    ("reg:squarederror", "regression", "value"),
    ("count:poisson", "regression", "value"),
    ("rank:pairwise", "ranking", "score"),
]


@pytest.mark.parametrize(("objective", "task", "kind"), ANSWERS)
@pytest.mark.parametrize("method", ["predict", "inplace_predict"])
def test_the_objective_says_what_an_output_holds(
    objective: str, task: str, kind: str, method: str, full: Capture
) -> None:
    """Probabilities have a confidence, classes a label, numbers a value, margins and ranks a score."""
    model = booster(objective)
    samples = matrix(SAMPLES[:1]) if method == "predict" else SAMPLES[:1]
    (output,) = getattr(model, method)(samples)
    facts = told(full)
    found = {key for key in facts if key.startswith("ml.prediction.")}
    expected: dict[str, Any] = {
        "confidence": np.max([output, 1 - output]) if np.ndim(output) == 0 else np.max(output),
        "label": str(int(np.max(output))),
        "score": np.max(output),
        "value": np.max(output),
    }
    assert facts["ml.task.type"] == task
    assert facts[f"ml.prediction.{kind}"] == expected[kind]
    assert (kind == "confidence") == ("ml.prediction.confidence" in found)
    assert kind == "confidence" or found == {f"ml.prediction.{kind}"}


def test_the_probability_of_one_class_is_told_as_those_of_both(full: Capture) -> None:
    """As `XGBClassifier` gives them: 1 - p and p, for a batch too."""
    second = booster("binary:logistic").predict(matrix(SAMPLES[:4]))
    facts = told(full)
    both = np.stack([1 - second, second], axis=1)
    assert facts["ml.prediction.labels"] == tuple(map(str, both.argmax(axis=1)))
    assert facts["ml.prediction.confidences"] == tuple(both.max(axis=1).tolist())
    probabilities = json.loads(facts["ml.prediction.probabilities"])
    assert [list(map(np.float32, row.values())) for row in probabilities] == both.tolist()


@pytest.mark.parametrize(
    "options", [{"output_margin": True}, {"output_margin": True, "strict_shape": True}]
)
def test_a_margin_is_a_score_without_confidence(options: dict[str, Any], full: Capture) -> None:
    """What comes before probabilities is none."""
    output = booster("binary:logistic").predict(matrix(SAMPLES[:1]), **options)
    facts = told(full)
    assert facts["ml.prediction.score"] == output.item()
    assert "ml.prediction.confidence" not in facts


def test_a_margin_of_inplace_predict_is_a_score_too(full: Capture) -> None:
    """It has another word for it."""
    (output,) = booster("binary:logistic").inplace_predict(SAMPLES[:1], predict_type="margin")
    facts = told(full)
    assert facts["ml.prediction.score"] == output
    assert "ml.prediction.confidence" not in facts


@pytest.mark.parametrize("strict_shape", [False, True])
def test_the_strict_shape_says_the_same(strict_shape: bool, captured: Capture) -> None:
    """One column of probabilities is one class of two, whatever its shape."""
    output = booster("binary:logistic").predict(matrix(SAMPLES[:1]), strict_shape=strict_shape)
    confidence = told(captured)["ml.prediction.confidence"]
    assert confidence == max(output.item(), np.float32(1) - np.float32(output.item()))


@pytest.mark.parametrize("option", ["pred_leaf", "pred_contribs", "pred_interactions", "training"])
def test_leaves_contributions_and_training_are_no_inference(option: str, captured: Capture) -> None:
    """Not even a margin that is asked for in training."""
    booster("binary:logistic").predict(matrix(SAMPLES[:2]), **{option: True})
    assert len(captured.spans) == 0


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_is_asked_for_by_position_is_found(full: Capture) -> None:
    """XGBoost still takes by position what it wants by name: first a margin, then leaves."""
    margins = booster("binary:logistic").predict(matrix(SAMPLES[:2]), True)  # noqa: FBT003 - as it says
    assert told(full)["ml.prediction.scores"] == pytest.approx(margins.tolist())
    full.clear()
    between = list(signature(xgb.Booster.predict).parameters).index("pred_leaf") - 2
    booster("binary:logistic").predict(matrix(SAMPLES[:2]), *[False] * between, True)  # noqa: FBT003 - as it says
    assert len(full.spans) == 0


@pytest.mark.parametrize("option", ["pred_leaf", "pred_contribs", "pred_interactions"])
def test_an_option_that_is_off_is_no_reason_to_be_silent(option: str, captured: Capture) -> None:
    """What counts is its value."""
    booster("binary:logistic").predict(matrix(SAMPLES[:2]), **{option: False})
    assert len(captured.spans) == 1


def test_training_evaluating_and_searching_are_no_inference(captured: Capture) -> None:
    """However often they predict: for a user's objective, metric or callback, for folds, for a score."""

    class Predicting(xgb.callback.TrainingCallback):  # type: ignore[misc]  # XGBoost has types for some Pythons only
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            model.predict(data)
            return False

    def objective(margin: Any, data: Any) -> Any:
        teacher.predict(data)
        return margin - data.get_label(), np.ones_like(margin)

    teacher, data = booster("binary:logistic"), matrix(SAMPLES, label=BINARY)
    trained = xgb.train(
        {"nthread": 1},
        data,
        2,
        evals=[(data, "own")],
        obj=objective,
        custom_metric=lambda margin, data: ("zero", 0.0),
        callbacks=[Predicting()],
        verbose_eval=False,
    )
    trained.eval(data)
    xgb.cv({"nthread": 1}, data, 2, nfold=2, custom_metric=lambda margin, data: ("zero", 0.0))
    model = classifier()
    model.score(SAMPLES, BINARY)
    model.apply(SAMPLES)
    GridSearchCV(model, {"max_depth": [1, 2]}, cv=2).fit(SAMPLES, BINARY)
    assert [span.name for span in captured.spans] == []


def test_a_booster_of_several_labels_tells_no_distribution(full: Capture) -> None:
    """Each label has a probability of its own: they happen to add up to 1 here, and are no classes."""
    trained = xgb.train(
        {"objective": "binary:logistic", "nthread": 1, "eta": 0.0, "base_score": 0.5},
        xgb.DMatrix(SAMPLES, SEVERAL),
        1,
    )
    output = trained.predict(xgb.DMatrix(SAMPLES[:1]))
    facts = told(full)
    assert output.tolist() == [[0.5, 0.5]]
    assert facts["ml.task.type"] == "multilabel_classification"
    assert facts["ml.output.shape"] == (1, 2)
    assert not [key for key in facts if key.startswith("ml.prediction.")]


def test_numbers_for_several_targets_tell_their_shape(full: Capture) -> None:
    """A sample with two numbers has no value of its own."""
    trained = xgb.train({"nthread": 1}, xgb.DMatrix(SAMPLES, SAMPLES[:, :2]), 1)
    trained.predict(xgb.DMatrix(SAMPLES[:2]))
    facts = told(full)
    assert facts["ml.task.type"] == "regression"
    assert facts["ml.output.shape"] == (2, 2)


def test_an_objective_of_the_user_gives_scores_where_a_task_is_registered(full: Capture) -> None:
    """XGBoost takes it for its default; whoever says what the model does is believed."""
    trained = xgb.train(
        {"nthread": 1},
        matrix(SAMPLES, label=BINARY),
        1,
        obj=lambda margin, data: (margin - data.get_label(), np.ones_like(margin)),
    )
    otel_ml.register_model(trained, task="binary_classification")
    (output,) = trained.predict(matrix(SAMPLES[:1]))
    facts = told(full)
    assert facts["ml.task.type"] == "binary_classification"
    assert facts["ml.prediction.score"] == output


def test_a_matrix_tells_its_shape_names_missing_values_and_rows(full: Capture) -> None:
    """In single precision, as it holds them; NaN is null."""
    rows = np.array([[1.5, np.nan, 3.0], [4.0, 5.0, np.nan]])
    booster("binary:logistic").predict(matrix(rows))
    facts = told(full)
    assert (facts["ml.batch.size"], facts["ml.input.feature.count"]) == (2, 3)
    assert facts["ml.input.missing.count"] == 2
    assert json.loads(facts["ml.input.rows"]) == [
        {"a": 1.5, "b": None, "c": 3.0},
        {"a": 4.0, "b": 5.0, "c": None},
    ]


def test_what_a_sparse_matrix_does_not_store_is_missing_to_xgboost(full: Capture) -> None:
    """And so it is told."""
    booster("binary:logistic").predict(matrix(sp.csr_matrix([[1.0, 0.0, 2.0]])))
    facts = told(full)
    assert facts["ml.input.missing.count"] == 1
    assert json.loads(facts["ml.input.features"]) == {"a": 1.0, "b": None, "c": 2.0}


def test_a_large_matrix_tells_the_same_sample_of_inputs_and_outputs(full: Capture) -> None:
    """32 of 60 rows: each label belongs to the row at its place."""
    model = booster("multi:softmax")
    model.predict(matrix(SAMPLES))
    facts = told(full)
    rows = pd.DataFrame(json.loads(facts["ml.input.rows"]), dtype="float32")
    assert len(rows) == 32
    expected = model.predict(xgb.DMatrix(rows))
    assert facts["ml.prediction.labels"] == tuple(str(int(label)) for label in expected)


def test_a_matrix_of_bins_tells_its_shape_alone(full: Capture) -> None:
    """The values are not in it."""
    data = xgb.QuantileDMatrix(SAMPLES, BINARY, feature_names=["a", "b", "c"])
    booster("binary:logistic").predict(data)
    facts = told(full)
    assert (facts["ml.batch.size"], facts["ml.input.feature.count"]) == (60, 3)
    assert "ml.input.rows" not in facts


def test_an_array_has_the_names_that_the_booster_knows(full: Capture) -> None:
    """Where it has as many columns."""
    booster("binary:logistic").inplace_predict(SAMPLES[:1])
    assert list(json.loads(told(full)["ml.input.features"])) == ["a", "b", "c"]


def test_the_schema_of_matrix_and_array_differs_by_their_type_alone(captured: Capture) -> None:
    """Single precision with the same names is the same schema."""
    booster("binary:logistic").predict(matrix(SAMPLES[:1]))
    booster("binary:logistic").inplace_predict(SAMPLES[:1])
    one, other = [(span.attributes or {})["ml.input.schema.hash"] for span in captured.spans]
    assert one == other


def test_what_a_file_says_of_the_model_is_its_identity(captured: Capture, tmp_path: Path) -> None:
    """`model_name` and `model_version` among the attributes that XGBoost saves with a booster."""
    trained = xgb.train({"nthread": 1}, matrix(SAMPLES, label=BINARY), 1)
    trained.predict(matrix(SAMPLES[:1]))
    trained.set_attr(model_name="fraud", model_version="7")
    trained.save_model(tmp_path / "model.json")
    loaded = xgb.Booster()
    with pytest.raises(xgb.core.XGBoostError):
        loaded.predict(matrix(SAMPLES[:1]))  # there is nothing in it yet
    loaded.load_model(tmp_path / "model.json")
    loaded.predict(matrix(SAMPLES[:1]))
    estimator = xgb.XGBRegressor()
    estimator.load_model(tmp_path / "model.json")
    estimator.predict(SAMPLES[:1])
    named = [
        ((s.attributes or {})["ml.model.name"], (s.attributes or {}).get("ml.model.version"))
        for s in captured.calls
    ]
    assert named == [("Booster", None), ("Booster", None), ("fraud", "7"), ("fraud", "7")]


def test_what_is_registered_comes_first(full: Capture) -> None:
    """Name, version, classes and features, on spans of either method."""
    trained = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(SAMPLES, BINARY), 1)
    trained.set_attr(model_name="fraud", model_version="7")
    otel_ml.register_model(
        trained,
        name="theft",
        version="8",
        class_names=["ok", "theft"],
        feature_names=["x", "y", "z"],
    )
    trained.inplace_predict(SAMPLES[:1])
    facts = told(full)
    assert (facts["ml.model.name"], facts["ml.model.version"]) == ("theft", "8")
    assert facts["ml.prediction.label"] in {"ok", "theft"}
    assert list(json.loads(facts["ml.input.features"])) == ["x", "y", "z"]


@pytest.mark.parametrize("target", [BINARY, TERNARY])
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_an_estimator_says_the_same_whoever_observes_it(method: str, target: Any) -> None:
    """With scikit-learn's instrumentor, with XGBoost's, with both in either order: one span each."""
    model = classifier(target)
    found = told_by_each(lambda: getattr(model, method)(SAMPLES[:3]), "xgboost")
    assert found[0]["ml.framework.name"] == "xgboost"
    assert len(found[0]["ml.prediction.labels"]) == 3
    assert all(facts == found[0] for facts in found)


def test_a_margin_of_an_estimator_is_a_score(full: Capture) -> None:
    """Of a classifier too: it is no class."""
    (output,) = classifier().predict(SAMPLES[:1], output_margin=True)
    facts = told(full)
    assert facts["ml.prediction.score"] == output
    assert "ml.prediction.label" not in facts


def test_a_ranker_ranks(full: Capture) -> None:
    """Its numbers are scores, its task is ranking."""
    model = xgb.XGBRanker(n_estimators=2, n_jobs=1).fit(SAMPLES, BINARY, qid=GROUPS)
    full.clear()
    output = model.predict(SAMPLES[:2])
    facts = told(full)
    assert facts["ml.task.type"] == "ranking"
    assert facts["ml.prediction.scores"] == tuple(output.tolist())


def test_a_pipeline_that_ends_in_xgboost_is_one_inference(captured: Capture) -> None:
    """Of the pipeline; the booster inside it is silent."""
    model = make_pipeline(StandardScaler(), xgb.XGBClassifier(n_estimators=2, n_jobs=1))
    model.fit(SAMPLES, BINARY).predict_proba(SAMPLES[:2])
    facts = told(captured)
    assert facts["ml.model.name"] == "Pipeline"
    assert facts["ml.framework.name"] == "sklearn"


def test_an_estimator_that_extends_xgboost_is_found(captured: Capture) -> None:
    """A class that users write after we began, with a method of their own."""

    class Careful(xgb.XGBClassifier):  # type: ignore[misc]  # XGBoost has types for some Pythons only
        def predict(self, samples: Any, **options: Any) -> Any:
            return super().predict(samples, **options)

    Careful(n_estimators=2, n_jobs=1).fit(SAMPLES, BINARY).predict(SAMPLES[:1])
    facts = told(captured)
    assert facts["code.function.name"].endswith("Careful.predict")
    assert facts["ml.framework.name"] == "xgboost"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (SAMPLES, TypeError),
        (None, TypeError),
        (matrix(SAMPLES[:, [0, 1, 2]]).slice([0]), None),
        (xgb.DMatrix(SAMPLES[:, :2]), ValueError),
    ],
)
def test_a_booster_refuses_what_it_refused(
    data: Any, error: type[Exception] | None, captured: Capture
) -> None:
    """One span, with the type of the user's own exception; a slice is taken."""
    model = booster("binary:logistic")
    if error is None:
        model.predict(data)
    else:
        with pytest.raises(error):
            model.predict(data)
    assert told(captured).get("error.type") == (None if error is None else error.__name__)


def test_a_booster_that_was_not_trained_fails_as_before(captured: Capture) -> None:
    """What it knows of itself is nothing, and it is one span with an error."""
    with pytest.raises(xgb.core.XGBoostError) as raised:
        xgb.Booster().predict(xgb.DMatrix(SAMPLES))
    facts = told(captured)
    assert facts["error.type"] == f"{raised.type.__module__}.XGBoostError"
    assert "ml.task.type" not in facts


def test_models_of_other_frameworks_are_not_its_own(captured: Capture) -> None:
    """Whatever mixins they share."""
    LogisticRegression().fit(SAMPLES, BINARY).predict(SAMPLES[:1])
    assert told(captured)["ml.framework.name"] == "sklearn"
