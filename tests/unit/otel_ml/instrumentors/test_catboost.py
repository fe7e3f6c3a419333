"""What a call of a CatBoost model becomes."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import catboost as cb
import numpy as np
import pandas as pd
import pytest

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from tests.data.framework_calls import told

SAMPLES = np.random.default_rng(0).normal(size=(60, 3))
FRAME = pd.DataFrame(SAMPLES, columns=["a", "b", "c"])
BINARY = (SAMPLES[:, 0] > 0).astype(int)
TERNARY = np.array(["low", "mid", "high"])[np.digitize(SAMPLES[:, 0], [-0.5, 0.5])]
NUMBERS = SAMPLES[:, 0] * 2.0
SEVERAL = np.stack([BINARY, 1 - BINARY], axis=1)
QUIET: dict[str, Any] = {
    "iterations": 3,
    "thread_count": 1,
    "verbose": 0,
    "allow_writing_files": False,
}


@cache
def classifier() -> Any:
    """Return a model of two classes that knows the names of its features."""
    return cb.CatBoostClassifier(**QUIET).fit(FRAME, BINARY)


@cache
def of_three() -> Any:
    """Return a model of three classes without names of features."""
    return cb.CatBoostClassifier(**QUIET).fit(SAMPLES, TERNARY)


@cache
def regressor(loss: str = "RMSE") -> Any:
    """Return a model of numbers."""
    target = np.abs(NUMBERS) if loss == "Poisson" else NUMBERS
    return cb.CatBoostRegressor(loss_function=loss, **QUIET).fit(SAMPLES, target)


def test_a_prediction_is_one_span_with_exactly_these_facts(captured: Capture) -> None:
    """With the default settings: who answered what, how surely, and no value of the input."""
    model = classifier()
    ((first, second),) = model.predict_proba(SAMPLES[:1])
    facts = told(captured)
    assert facts.pop("ml.prediction.entropy") == pytest.approx(
        -(first * np.log2(first) + second * np.log2(second))
    )
    assert facts.pop("ml.prediction.margin") == pytest.approx(abs(second - first))
    assert len(facts.pop("ml.call.stream")) == 16
    assert len(facts.pop("ml.input.schema.hash")) == 16
    assert facts == {
        "ml.operation.name": "predict",
        "ml.model.name": "CatBoostClassifier",
        "ml.model.type": "catboost.core.CatBoostClassifier",
        "ml.model.id": dict(model.get_metadata())["model_guid"],
        "ml.framework.name": "catboost",
        "ml.framework.version": cb.__version__,
        "ml.task.type": "binary_classification",
        "code.function.name": "catboost.core.CatBoostClassifier.predict_proba",
        "ml.call.sequence": 1,
        "ml.batch.size": 1,
        "ml.input.feature.count": 3,
        "ml.input.missing.count": 0,
        "ml.prediction.confidence": max(first, second),
        "ml.prediction.label": str(int(second > first)),
        "ml.validation.result": "pass",
    }


def test_missing_values_are_its_own_business(captured: Capture) -> None:
    """CatBoost has a place for them in its trees: they are counted, and nothing is wrong."""
    classifier().predict([[float("nan"), 1.0, 2.0], [0.0, 1.0, 2.0]])
    assert captured.attributes["ml.input.missing.count"] == 1
    assert captured.attributes["ml.validation.result"] == "pass"


def test_each_method_says_what_it_gives(full: Capture) -> None:
    """Classes, probabilities, their logarithms, or raw values, under the name that was called."""
    model = of_three()
    ((label,),) = model.predict(SAMPLES[:1])
    (probabilities,) = model.predict_proba(SAMPLES[:1])
    model.predict_log_proba(SAMPLES[:1])
    model.predict(SAMPLES[:1], prediction_type="Probability")
    model.predict(SAMPLES[:1], "RawFormulaVal")
    spans = [dict(span.attributes or {}) for span in full.spans]
    names = [facts["code.function.name"].rpartition(".")[2] for facts in spans]
    assert names == ["predict", "predict_proba", "predict_log_proba", "predict", "predict"]
    assert all(facts["ml.task.type"] == "multiclass_classification" for facts in spans)
    assert spans[0]["ml.prediction.label"] == label
    assert "ml.prediction.confidence" not in spans[0]
    for facts in spans[1:4]:
        assert facts["ml.prediction.label"] == label
        assert facts["ml.prediction.confidence"] == pytest.approx(probabilities.max())
    assert spans[4]["ml.output.shape"] == (1, 3)
    assert not [key for key in spans[4] if key.startswith("ml.prediction.")]


def test_a_raw_value_of_a_classifier_is_a_score(full: Capture) -> None:
    """And no probability."""
    (output,) = classifier().predict(SAMPLES[:1], prediction_type="RawFormulaVal")
    facts = told(full)
    assert facts["ml.prediction.score"] == output
    assert "ml.prediction.confidence" not in facts


@pytest.mark.parametrize("loss", ["RMSE", "Quantile:alpha=0.9", "Poisson"])
def test_a_regression_gives_numbers(loss: str, full: Capture) -> None:
    """Whatever its loss, also where the answer is the exponent of what the trees say."""
    output = regressor(loss).predict(SAMPLES[:2])
    facts = told(full)
    assert facts["ml.task.type"] == "regression"
    assert facts["ml.prediction.values"] == tuple(output.tolist())


def test_numbers_are_told_only_when_asked_for(captured: Capture) -> None:
    """By default a predicted number does not leave the process."""
    regressor().predict(SAMPLES[:2])
    assert not [key for key in told(captured) if key.startswith("ml.prediction.")]


def test_a_number_with_its_uncertainty_tells_its_shape(full: Capture) -> None:
    """Two columns that are no classes."""
    output = regressor("RMSEWithUncertainty").predict(SAMPLES[:2])
    facts = told(full)
    assert facts["ml.output.shape"] == output.shape == (2, 2)


def test_a_ranker_ranks(full: Capture) -> None:
    """Its numbers are scores, its task is ranking."""
    model = cb.CatBoostRanker(**QUIET).fit(SAMPLES, BINARY, group_id=np.repeat(range(6), 10))
    full.clear()
    output = model.predict(SAMPLES[:2])
    facts = told(full)
    assert facts["ml.task.type"] == "ranking"
    assert facts["ml.prediction.scores"] == tuple(output.tolist())


def test_several_labels_are_no_distribution(full: Capture) -> None:
    """Each has a probability of its own, and they may well add up to 1, as here."""
    model = cb.CatBoostClassifier(loss_function="MultiLogloss", **QUIET).fit(SAMPLES, SEVERAL)
    full.clear()
    output = model.predict_proba(SAMPLES[:1])
    facts = told(full)
    assert output.sum() == pytest.approx(1.0)
    assert facts["ml.task.type"] == "multilabel_classification"
    assert facts["ml.output.shape"] == (1, 2)
    assert "ml.prediction.confidence" not in facts


@pytest.mark.parametrize(
    "sample",
    [
        SAMPLES[0],
        SAMPLES[0].tolist(),
        pd.Series(SAMPLES[0]),
    ],
    ids=lambda sample: type(sample).__name__,
)
def test_a_plain_sequence_is_one_sample(sample: Any, full: Capture) -> None:
    """As CatBoost takes it: three features, not three samples; the answer is told all the same."""
    model = of_three()
    probabilities = model.predict_proba(sample)
    label = model.predict(sample)
    number = regressor().predict(sample)
    spans = [dict(span.attributes or {}) for span in full.spans]
    assert probabilities.shape == (3,)
    for facts in spans:
        assert (facts["ml.batch.size"], facts["ml.input.feature.count"]) == (1, 3)
        assert facts["ml.input.values"] == tuple(SAMPLES[0])
    assert spans[0]["ml.prediction.confidence"] == probabilities.max()
    assert spans[1]["ml.prediction.label"] == np.ravel(label)[0]
    assert spans[2]["ml.prediction.value"] == number


def test_a_series_in_another_order_does_not_tell_the_denied_feature() -> None:
    """The model takes it by place; whoever denies a feature means what its index calls so."""
    series = FRAME.iloc[0][["b", "a", "c"]]
    settings = Settings(capture_content="span_only", feature_denylist=("b",))
    with capture(settings) as seen:
        classifier().predict(series)
        classifier().predict(pd.Series(FRAME.iloc[0].tolist()))
    named, unnamed = (json.loads((s.attributes or {})["ml.input.features"]) for s in seen.calls)  # type: ignore[arg-type]  # a text
    assert named == unnamed == {"a": series["a"], "c": series["c"]}


def test_a_pool_tells_its_shape_names_and_rows(full: Capture) -> None:
    """In single precision, as it holds them."""
    classifier().predict(cb.Pool(pd.DataFrame({"a": [1.5, 2.5], "b": [np.nan, 3.5], "c": [0, 1]})))
    facts = told(full)
    assert (facts["ml.batch.size"], facts["ml.input.feature.count"]) == (2, 3)
    assert json.loads(facts["ml.input.rows"]) == [
        {"a": 1.5, "b": None, "c": 0.0},
        {"a": 2.5, "b": 3.5, "c": 1.0},
    ]


def test_a_pool_with_categories_tells_no_values(full: Capture) -> None:
    """They cannot be had from it; its schema tells which columns they are."""
    frame = pd.DataFrame({"a": np.arange(20.0), "city": ["x", "y"] * 10})
    model = cb.CatBoostClassifier(cat_features=["city"], **QUIET).fit(frame, [0, 1] * 10)
    full.clear()
    for categories in (["city"], []):
        pool = cb.Pool(frame if categories else frame.assign(city=1.0), cat_features=categories)
        try:
            model.predict(pool)
        except cb.CatBoostError:
            assert categories == []
    with_categories, without = [dict(span.attributes or {}) for span in full.spans]
    assert with_categories["ml.batch.size"] == 20
    assert "ml.input.rows" not in with_categories
    assert with_categories["ml.input.schema.hash"] != without["ml.input.schema.hash"]


def test_a_quantized_pool_tells_no_values(full: Capture) -> None:
    """It has none any more."""
    pool = cb.Pool(FRAME)
    pool.quantize()
    classifier().predict(pool)
    facts = told(full)
    assert (facts["ml.batch.size"], facts["ml.input.feature.count"]) == (60, 3)
    assert "ml.input.rows" not in facts


def test_features_data_tell_their_shape(full: Capture) -> None:
    """CatBoost's own pair of matrices."""
    of_three().predict(cb.FeaturesData(num_feature_data=SAMPLES[:2].astype("float32")))
    facts = told(full)
    assert (facts["ml.batch.size"], facts["ml.input.feature.count"]) == (2, 3)


@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("staged_predict", "label"),
        ("staged_predict_proba", "confidence"),
        ("staged_predict_log_proba", "confidence"),
    ],
)
def test_stages_are_one_inference_that_ends_with_the_last(
    method: str, key: str, captured: Capture
) -> None:
    """What is told is the last stage, which is what the whole model says."""
    model = classifier()
    stages = getattr(model, method)(SAMPLES[:1])
    assert len(captured.spans) == 0
    first = next(stages)
    assert len(captured.spans) == 0
    *_, last = stages
    facts = told(captured)
    assert facts["code.function.name"].endswith(f"CatBoostClassifier.{method}")
    captured.clear()
    whole = getattr(model, method.removeprefix("staged_"))(SAMPLES[:1])
    assert np.array_equal(last, whole)
    assert not np.array_equal(first, last) or key == "label"
    assert facts[f"ml.prediction.{key}"] == told(captured)[f"ml.prediction.{key}"]


def test_stages_that_are_left_end_the_inference(captured: Capture) -> None:
    """With what the last one said that was looked at."""
    stages = classifier().staged_predict_proba(SAMPLES[:1])
    first = next(stages)
    stages.close()
    assert told(captured)["ml.prediction.confidence"] == first.max()


def test_stages_of_nonsense_fail_as_before(captured: Capture) -> None:
    """When the first is asked for, as without us."""
    stages = classifier().staged_predict(object())
    with pytest.raises(cb.CatBoostError):
        next(stages)
    assert told(captured)["error.type"] == "_catboost.CatBoostError"


def test_virtual_ensembles_are_an_inference_with_a_shape(full: Capture) -> None:
    """What they return are several answers, none of them the model's."""
    model = cb.CatBoostClassifier(**{**QUIET, "iterations": 20}).fit(SAMPLES, BINARY)
    full.clear()
    output = model.virtual_ensembles_predict(SAMPLES[:2], virtual_ensembles_count=2)
    facts = told(full)
    assert facts["ml.output.shape"] == output.shape
    assert not [key for key in facts if key.startswith("ml.prediction.")]


def test_training_scoring_searching_and_leaves_are_no_inference(captured: Capture) -> None:
    """However often they predict."""
    model = cb.CatBoostClassifier(**QUIET)
    model.fit(SAMPLES, BINARY, eval_set=(SAMPLES, BINARY))
    model.score(SAMPLES, BINARY)
    model.calc_leaf_indexes(SAMPLES)
    list(model.iterate_leaf_indexes(SAMPLES))
    model.eval_metrics(cb.Pool(SAMPLES, BINARY), ["Logloss"])
    model.get_feature_importance(cb.Pool(SAMPLES, BINARY), type="ShapValues")
    cb.CatBoostClassifier(**QUIET).grid_search(
        {"depth": [1, 2]}, SAMPLES, BINARY, cv=2, verbose=False
    )
    assert [span.name for span in captured.spans] == []


def test_what_a_file_says_of_the_model_is_its_identity(captured: Capture, tmp_path: Path) -> None:
    """`model_name` and `model_version` among the metadata that CatBoost saves, and its identifier."""
    model = cb.CatBoostClassifier(**QUIET).fit(SAMPLES, BINARY)
    model.get_metadata()["model_name"] = "fraud"
    model.get_metadata()["model_version"] = "7"
    model.save_model(str(tmp_path / "model.cbm"))
    loaded = cb.CatBoost()
    with pytest.raises(cb.CatBoostError):
        loaded.predict(SAMPLES[:1])  # there is nothing in it yet
    captured.clear()
    loaded.load_model(str(tmp_path / "model.cbm"))
    loaded.predict(SAMPLES[:1], prediction_type="Class")
    facts = told(captured)
    assert (facts["ml.model.name"], facts["ml.model.version"]) == ("fraud", "7")
    assert facts["ml.model.id"] == dict(model.get_metadata())["model_guid"]
    assert facts["ml.task.type"] == "binary_classification"
    assert facts["ml.prediction.label"] in {"0", "1"}


def test_what_is_registered_comes_first(full: Capture) -> None:
    """Name, version, names of classes, by methods that give classes and those that give probabilities."""
    model = cb.CatBoostClassifier(**QUIET).fit(SAMPLES, TERNARY)
    full.clear()
    otel_ml.register_model(
        model,
        name="heat",
        version="8",
        class_names=["hot", "cold", "warm"],
        feature_names=["x", "y", "z"],
    )
    ((label,),) = model.predict(SAMPLES[:1])
    model.predict_proba(SAMPLES[:1])
    expected = {"high": "hot", "low": "cold", "mid": "warm"}[label]
    for span in full.spans:
        facts = dict(span.attributes or {})
        assert (facts["ml.model.name"], facts["ml.model.version"]) == ("heat", "8")
        assert facts["ml.prediction.label"] == expected
        assert list(json.loads(facts["ml.input.features"])) == ["x", "y", "z"]


def test_a_model_that_was_not_trained_fails_as_before(captured: Capture) -> None:
    """What it knows of itself is nothing, and it is one span with an error."""
    with pytest.raises(cb.CatBoostError):
        cb.CatBoostClassifier().predict(SAMPLES)
    facts = told(captured)
    assert facts["error.type"] == "_catboost.CatBoostError"
    assert "ml.task.type" not in facts


def test_a_loss_of_the_user_gives_scores(full: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the trees say is known to the user alone."""
    if find_spec("numba"):  # it would compile the loss, for ten seconds
        monkeypatch.setattr("numba.config.DISABLE_JIT", True)

    class HalfSquaredError:
        def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Any:
            return [(targets[place] - approxes[place], -1.0) for place in range(len(targets))]

    model = cb.CatBoost({**QUIET, "loss_function": HalfSquaredError(), "eval_metric": "RMSE"})
    model.fit(SAMPLES, NUMBERS)
    full.clear()
    (output,) = model.predict(SAMPLES[:1])
    facts = told(full)
    assert "ml.task.type" not in facts
    assert facts["ml.prediction.score"] == output


def test_a_class_that_extends_a_model_is_one_inference(captured: Capture) -> None:
    """Its own method calls those of CatBoost, through which all predictions go."""

    class Careful(cb.CatBoostClassifier):  # type: ignore[misc]  # CatBoost has no types
        def score(self, samples: Any, target: Any) -> float:
            return float((self.predict(samples) == target).mean())

    model = Careful(**QUIET).fit(SAMPLES, BINARY)
    model.score(SAMPLES, BINARY)
    assert len(captured.spans) == 0
    model.predict(SAMPLES[:1])
    assert told(captured)["ml.model.name"] == "Careful"


@pytest.mark.parametrize(
    "changed",
    [FRAME.assign(customer=1.0), FRAME.assign(customer=1.0)[["customer", "c", "b", "a"]]],
    ids=["more", "another order"],
)
def test_columns_are_taken_by_name(changed: pd.DataFrame) -> None:
    """As CatBoost takes them, wherever they stand: nothing is told to be wrong, and no call is rejected."""
    expected = classifier().predict_proba(FRAME)
    with capture(Settings(validation_blocks=True)) as seen:
        assert (classifier().predict_proba(changed) == expected).all()
        assert seen.attributes["ml.validation.result"] == "pass"


def test_a_column_that_is_taken_by_name_has_to_be_there(captured: Capture) -> None:
    """CatBoost raises; the span says which it is."""
    with pytest.raises(cb.CatBoostError):
        classifier().predict_proba(FRAME[["a", "c"]].assign(customer=1.0))
    (event,) = captured.events_named("ml.validation.failure")
    assert (event["ml.validation.rule"], event["ml.feature.name"]) == ("schema", "b")
