"""What a call of a LightGBM model becomes."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from tests.data.framework_calls import told, told_by_each

SAMPLES = np.random.default_rng(0).normal(size=(60, 3))
FRAME = pd.DataFrame(SAMPLES, columns=["a", "b", "c"])
BINARY = (SAMPLES[:, 0] > 0).astype(int)
TERNARY = np.digitize(SAMPLES[:, 0], [-0.5, 0.5])
NUMBERS = SAMPLES[:, 0] * 2.0
QUIET: dict[str, Any] = {"verbose": -1, "num_threads": 1}

TARGETS: dict[str, Any] = {
    "binary": BINARY,
    "multiclass": TERNARY,
    "multiclassova": TERNARY,
    "regression": NUMBERS,
    "quantile": NUMBERS,
    "poisson": BINARY,
    "cross_entropy": BINARY,
    "lambdarank": BINARY,
}


@cache
def booster(objective: str) -> Any:
    """Return a small booster of that objective, which knows the names of its features."""
    options = {**QUIET, "objective": objective}
    if objective.startswith("multiclass"):
        options["num_class"] = 3
    group = [30, 30] if objective == "lambdarank" else None
    return lgb.train(options, lgb.Dataset(FRAME, TARGETS[objective], group=group), 3)


def classifier(target: Any = BINARY, **options: Any) -> Any:
    """Return a small classifier."""
    return lgb.LGBMClassifier(n_estimators=3, **QUIET, **options).fit(SAMPLES, target)


def own_objective(target: Any, margin: Any) -> Any:
    """Return gradient and curvature of half the squared error."""
    return margin - target, np.ones_like(margin)


def test_a_prediction_of_a_booster_is_one_span_with_exactly_these_facts(captured: Capture) -> None:
    """With the default settings: who answered what, how surely, and no value of the input."""
    (second,) = booster("binary").predict(SAMPLES[:1])
    facts = told(captured)
    first = 1 - second
    assert facts.pop("ml.prediction.entropy") == pytest.approx(
        -(first * np.log2(first) + second * np.log2(second))
    )
    assert facts.pop("ml.prediction.margin") == pytest.approx(abs(second - first))
    assert len(facts.pop("ml.call.stream")) == 16
    assert len(facts.pop("ml.input.schema.hash")) == 16
    assert facts == {
        "ml.operation.name": "predict",
        "ml.model.name": "Booster",
        "ml.model.type": "lightgbm.basic.Booster",
        "ml.framework.name": "lightgbm",
        "ml.framework.version": lgb.__version__,
        "ml.task.type": "binary_classification",
        "code.function.name": "lightgbm.basic.Booster.predict",
        "ml.call.sequence": 1,
        "ml.batch.size": 1,
        "ml.input.feature.count": 3,
        "ml.input.missing.count": 0,
        "ml.prediction.confidence": max(first, second),
        "ml.prediction.label": str(int(second > 0.5)),
        "ml.validation.result": "pass",
    }


@pytest.mark.parametrize(
    ("objective", "task", "kind"),
    [
        ("binary", "binary_classification", "confidence"),
        ("multiclass", "multiclass_classification", "confidence"),
        ("regression", "regression", "value"),
        ("quantile", "regression", "value"),
        ("poisson", "regression", "value"),
        ("cross_entropy", "regression", "value"),
        ("lambdarank", "ranking", "score"),
    ],
)
@pytest.mark.parametrize("is_loaded", [False, True])
def test_the_objective_says_what_an_output_holds(
    objective: str, task: str, kind: str, is_loaded: bool, full: Capture
) -> None:
    """Of a model that was loaded too, which has lost its parameters."""
    model = booster(objective)
    if is_loaded:
        model = lgb.Booster(model_str=model.model_to_string())
    (output,) = model.predict(SAMPLES[:1])
    facts = told(full)
    found = {key for key in facts if key.startswith("ml.prediction.")}
    best = np.max([output, 1 - output]) if objective == "binary" else np.max(output)
    assert facts["ml.task.type"] == task
    assert facts[f"ml.prediction.{kind}"] == best
    assert kind == "confidence" or found == {f"ml.prediction.{kind}"}


def test_one_against_all_is_no_distribution(full: Capture) -> None:
    """Its numbers do not add up to 1: no confidence is made of them."""
    output = booster("multiclassova").predict(SAMPLES[:1])
    facts = told(full)
    assert abs(output.sum() - 1) > 0.01
    assert facts["ml.task.type"] == "multiclass_classification"
    assert facts["ml.output.shape"] == (1, 3)


def test_an_objective_of_the_user_gives_scores(full: Capture) -> None:
    """What they mean is known to the user; a task may be registered."""
    data = lgb.Dataset(SAMPLES, BINARY)
    if int(lgb.__version__[0]) >= 4:
        trained = lgb.train(
            {**QUIET, "objective": lambda margin, data: own_objective(data.label, margin)}, data, 2
        )
    else:
        trained = lgb.train(
            QUIET, data, 2, fobj=lambda margin, data: own_objective(data.label, margin)
        )
    full.clear()
    (output,) = trained.predict(SAMPLES[:1])
    facts = told(full)
    assert "ml.task.type" not in facts
    assert facts["ml.prediction.score"] == output
    full.clear()
    otel_ml.register_model(trained, task="regression")
    trained.predict(SAMPLES[:1])
    assert told(full)["ml.task.type"] == "regression"


@pytest.mark.filterwarnings("ignore:Cannot compute class probabilities")
def test_an_estimator_with_an_objective_of_the_user_tells_no_classes(full: Capture) -> None:
    """It returns sums where it would return classes: as labels they would be numbers that leaked."""
    model = classifier(objective=own_objective)
    full.clear()
    (output,) = model.predict(SAMPLES[:1])
    facts = told(full)
    assert facts["ml.prediction.score"] == output
    assert "ml.prediction.label" not in facts


@pytest.mark.parametrize("by_position", [False, True])
def test_a_raw_score_is_no_probability(by_position: bool, full: Capture) -> None:
    """Asked for by name or by position."""
    model = booster("binary")
    if by_position:
        (output,) = model.predict(SAMPLES[:1], 0, None, True)  # noqa: FBT003 - as users may write it
    else:
        (output,) = model.predict(SAMPLES[:1], raw_score=True)
    facts = told(full)
    assert facts["ml.prediction.score"] == output
    assert "ml.prediction.confidence" not in facts


def test_a_raw_score_of_a_classifier_is_no_class(full: Capture) -> None:
    """By either of its methods."""
    model = classifier()
    full.clear()
    for method in (model.predict, model.predict_proba):
        (output,) = method(SAMPLES[:1], raw_score=True)
        facts = told(full)
        assert facts["ml.prediction.score"] == output
        assert "ml.prediction.label" not in facts
        full.clear()


@pytest.mark.parametrize("option", ["pred_leaf", "pred_contrib"])
def test_leaves_and_contributions_are_no_inference(option: str, captured: Capture) -> None:
    """Of boosters, and of classifiers by either method."""
    booster("binary").predict(SAMPLES[:2], **{option: True})
    model = classifier()
    model.predict(SAMPLES[:2], **{option: True})
    model.predict_proba(SAMPLES[:2], **{option: True})
    assert len(captured.spans) == 0


def test_training_evaluating_and_searching_are_no_inference(captured: Capture) -> None:
    """However often they predict: in a callback, for folds, for a score, to refit the leaves."""

    def predict(environment: Any) -> None:
        environment.model.predict(SAMPLES)

    data = lgb.Dataset(SAMPLES, BINARY, free_raw_data=False)
    options = {**QUIET, "objective": "binary"}
    trained = lgb.train(options, data, 2, valid_sets=[data], callbacks=[predict])
    lgb.engine.train(options, data, 2, callbacks=[predict])
    lgb.cv(options, data, 2, nfold=2)
    trained.refit(SAMPLES, BINARY)
    model = classifier()
    model.score(SAMPLES, BINARY)
    GridSearchCV(model, {"num_leaves": [3, 4]}, cv=2).fit(SAMPLES, BINARY)
    assert [span.name for span in captured.spans] == []


def test_samples_given_by_name_are_found_among_other_arguments(captured: Capture) -> None:
    """What comes before them by name is not taken for them."""
    data = lgb.Dataset(SAMPLES, BINARY)
    lgb.train(QUIET, data, 1).predict(num_iteration=1, data=SAMPLES[:2])
    assert told(captured)["ml.input.feature.count"] == 3
    captured.clear()
    lgb.LGBMRegressor(n_estimators=1, **QUIET).fit(SAMPLES, NUMBERS).predict(
        num_iteration=1, X=SAMPLES[:2]
    )
    assert told(captured)["ml.input.feature.count"] == 3


@pytest.mark.parametrize("by_name", [False, True])
def test_names_that_were_given_are_known_and_those_made_up_are_not(
    by_name: bool, full: Capture
) -> None:
    """`Column_0` is no name: such an input has numbers without names."""
    data = lgb.Dataset(FRAME if by_name else SAMPLES, BINARY)
    trained = lgb.train({**QUIET, "objective": "binary"}, data, 1)
    trained.predict(SAMPLES[:1])
    facts = told(full)
    if by_name:
        assert list(json.loads(facts["ml.input.features"])) == ["a", "b", "c"]
    else:
        assert facts["ml.input.values"] == tuple(SAMPLES[0])


def test_a_file_is_predicted_without_looking_into_it(full: Capture, tmp_path: Path) -> None:
    """The number of samples is that of the output; the file's name is not told."""
    path = tmp_path / "secret.csv"
    np.savetxt(path, np.column_stack([BINARY, SAMPLES]), delimiter=",")
    output = booster("binary").predict(str(path))
    facts = told(full)
    assert facts["ml.batch.size"] == len(output) == 60
    assert "secret" not in str(facts)


def test_a_data_set_is_refused_as_before(captured: Capture) -> None:
    """LightGBM's own exception, and one span that names its type."""
    with pytest.raises((TypeError, lgb.basic.LightGBMError)) as raised:
        booster("binary").predict(lgb.Dataset(SAMPLES))
    kind = raised.type
    expected = kind.__name__ if kind is TypeError else f"lightgbm.basic.{kind.__name__}"
    assert told(captured)["error.type"] == expected


def test_a_matrix_of_another_width_is_refused_as_before(captured: Capture) -> None:
    """Likewise."""
    with pytest.raises(lgb.basic.LightGBMError):
        booster("binary").predict(SAMPLES[:, :2])
    assert told(captured)["error.type"] == "lightgbm.basic.LightGBMError"


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_an_estimator_says_the_same_whoever_observes_it(method: str) -> None:
    """With scikit-learn's instrumentor, with LightGBM's, with both in either order: one span each."""
    model = classifier(np.array(["low", "mid", "high"])[TERNARY])
    found = told_by_each(lambda: getattr(model, method)(SAMPLES[:3]), "lightgbm")
    assert found[0]["ml.framework.name"] == "lightgbm"
    assert set(found[0]["ml.prediction.labels"]) <= {"low", "mid", "high"}
    assert all(facts == found[0] for facts in found)


def test_a_ranker_ranks(full: Capture) -> None:
    """Its numbers are scores, its task is ranking."""
    model = lgb.LGBMRanker(n_estimators=2, **QUIET).fit(SAMPLES, BINARY, group=[30, 30])
    full.clear()
    output = model.predict(SAMPLES[:2])
    facts = told(full)
    assert facts["ml.task.type"] == "ranking"
    assert facts["ml.prediction.scores"] == tuple(output.tolist())


def test_a_model_that_learns_on_is_read_again(captured: Capture) -> None:
    """Its text is replaced: another objective, another task."""
    model = lgb.Booster(model_str=booster("binary").model_to_string())
    model.predict(SAMPLES[:1])
    model.model_from_string(booster("regression").model_to_string())
    model.predict(SAMPLES[:1])
    tasks = [(span.attributes or {})["ml.task.type"] for span in captured.spans]
    assert tasks == ["binary_classification", "regression"]


@pytest.mark.filterwarnings("ignore:Converting data to scipy sparse matrix:UserWarning")
@pytest.mark.parametrize("series", [FRAME.iloc[0], FRAME.iloc[0][["c", "a", "b"]]])
def test_a_series_is_one_sample_whose_index_names_the_features(series: Any) -> None:
    """As the booster takes it: a row of a data frame, of which the denied feature stays here."""
    settings = Settings(capture_content="span_only", feature_denylist=("b",))
    with capture(settings) as seen:
        answers = booster("multiclass").predict(series)
    facts = told(seen)
    assert len(answers) == facts["ml.batch.size"] == 1
    assert facts["ml.prediction.confidence"] == answers.max()
    assert json.loads(facts["ml.input.features"]) == {"a": series["a"], "c": series["c"]}
    assert [point.value for point in seen.metric("ml.inference.predictions")] == [1]


@pytest.mark.parametrize("width", [2, 4])
def test_another_number_of_features_is_told_of_a_booster_without_names(
    captured: Capture, width: int
) -> None:
    """It made up the names that it has, and knows how many there were."""
    unnamed = lgb.train({**QUIET, "objective": "binary"}, lgb.Dataset(SAMPLES, BINARY), 3)
    with pytest.raises(lgb.basic.LightGBMError):
        unnamed.predict(np.zeros((5, width)))
    unnamed.predict(SAMPLES[:5])
    results = [(span.attributes or {})["ml.validation.result"] for span in captured.spans]
    assert results == ["warn", "pass"]
    (event,) = captured.events_named("ml.validation.failure")
    assert event["ml.validation.rule"] == "shape"
