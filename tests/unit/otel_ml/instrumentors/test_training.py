"""Training as spans, where it is asked for: the outermost fit, and nothing of what happens inside."""

from __future__ import annotations

import inspect
import pickle
from typing import TYPE_CHECKING, Any

import catboost as cb
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import otel_ml
from otel_ml.instrumentors import uninstrument
from otel_ml.instrumentors.xgboost import hooks
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

if TYPE_CHECKING:
    from collections.abc import Iterator

RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(60, 3))
TARGET = (SAMPLES[:, 0] > 0).astype(int)


@pytest.fixture(name="seen")
def _seen() -> Iterator[Capture]:
    """What is recorded where training is captured."""
    with capture(Settings(capture_training=True)) as seen:
        yield seen


def names(seen: Capture) -> list[str]:
    """Return the names of all spans, in the order of their ends."""
    return [span.name for span in seen.spans]


def test_a_fit_is_one_span_whatever_it_fits_inside(seen: Capture) -> None:
    """A pipeline, a forest with threads, a search with folds: one span each, and no inference."""
    make_pipeline(StandardScaler(), LogisticRegression()).fit(SAMPLES, TARGET)
    RandomForestClassifier(5, n_jobs=2).fit(SAMPLES, TARGET)
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(SAMPLES, TARGET)

    assert names(seen) == ["fit Pipeline", "fit RandomForestClassifier", "fit GridSearchCV"]
    told = dict(seen.spans[0].attributes or {})
    assert told["ml.operation.name"] == "fit"
    assert told["ml.training.sample.count"] == 60
    assert told["ml.input.feature.count"] == 3
    assert told["code.function.name"] == "sklearn.pipeline.Pipeline.fit"
    (duration, *_) = seen.metric("ml.training.duration")
    assert sum(point.count for point in seen.metric("ml.training.duration")) == 3
    assert "ml.operation.name" not in dict(duration.attributes)


def test_what_an_inference_fits_is_part_of_it(seen: Capture) -> None:
    """A calibrated classifier numbers its classes each time that it is asked."""
    model = CalibratedClassifierCV(LogisticRegression(), cv=2).fit(SAMPLES, TARGET)
    model.predict_proba(SAMPLES)

    assert names(seen) == ["fit CalibratedClassifierCV", "predict CalibratedClassifierCV"]
    (duration,) = seen.metric("ml.training.duration")
    assert duration.count == 1


def test_training_is_not_told_unless_asked_for(captured: Capture) -> None:
    """By default fitting makes neither span nor metric."""
    LogisticRegression().fit(SAMPLES, TARGET)

    assert names(captured) == []
    assert captured.metric("ml.training.duration") == []


def test_a_fit_that_fails_fails_as_it_does(seen: Capture) -> None:
    """The exception is the framework's own; the span has its type, and no message."""
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticRegression().fit(SAMPLES, TARGET[:-1])

    (span,) = seen.spans
    assert dict(span.attributes or {})["error.type"] == "ValueError"
    assert span.status.description is None


def test_each_fold_of_a_cross_validation_is_a_fit(seen: Capture) -> None:
    """There is no fit around them; scoring them is no inference."""
    cross_val_score(LogisticRegression(), SAMPLES, TARGET, cv=3)

    assert names(seen) == []  # scikit-learn's own parallel calls are parts of one call


@pytest.mark.parametrize("samples", [None, [], object(), "text"])
def test_odd_samples_are_the_frameworks_business(seen: Capture, samples: Any) -> None:
    """What is no table has no counts, and the error is the framework's."""
    with pytest.raises((ValueError, TypeError)):
        LogisticRegression().fit(samples, TARGET)

    (span,) = seen.spans
    assert span.name == "fit LogisticRegression"
    assert seen.metric("ml.sdk.errors") == []


BINARY: dict[str, Any] = {"objective": "binary:logistic", "nthread": 1}
TREES: dict[str, Any] = {"objective": "binary", "verbose": -1, "num_threads": 1}
POOLED: dict[str, Any] = {
    "iterations": 2,
    "loss_function": "Logloss",
    "thread_count": 1,
    "verbose": 0,
    "allow_writing_files": False,
}


def test_functions_that_train_boosters_are_fits(seen: Capture) -> None:
    """`train` of each booster is one span, with the samples, the task and what the model is."""
    xgb.train(BINARY, xgb.DMatrix(SAMPLES, TARGET), 2)
    bins = {**BINARY, "tree_method": "hist"}  # the first versions train by no other on bins
    xgb.training.train(params=bins, dtrain=xgb.QuantileDMatrix(SAMPLES, TARGET))
    lgb.train(TREES, lgb.Dataset(SAMPLES, TARGET), 2)
    cb.train(cb.Pool(SAMPLES, TARGET), POOLED)

    assert names(seen) == ["fit Booster", "fit Booster", "fit Booster", "fit CatBoost"]
    kinds = ["xgboost.core.Booster", "xgboost.core.Booster", "lightgbm.basic.Booster"]
    for span, kind in zip(seen.spans, kinds, strict=False):
        told = dict(span.attributes or {})
        assert told["ml.model.type"] == kind
        assert told["ml.operation.name"] == "fit"
        assert told["ml.task.type"] == "binary_classification"
        assert told["ml.training.sample.count"] == 60
        assert told["ml.input.feature.count"] == 3
    assert sum(point.count for point in seen.metric("ml.training.duration")) == 4
    assert seen.metric("ml.sdk.errors") == []
    seen.conformance.check()


def test_an_estimator_that_trains_a_booster_inside_is_one_fit(seen: Capture) -> None:
    """scikit-learn's way to a booster is one span, also where both frameworks are observed; so is a training by hand."""
    xgb.XGBClassifier(n_estimators=2, n_jobs=1).fit(SAMPLES, TARGET)
    lgb.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1).fit(SAMPLES, TARGET)
    with otel_ml.training("fraud"):
        xgb.train(BINARY, xgb.DMatrix(SAMPLES, TARGET), 2)

    assert names(seen) == ["fit XGBClassifier", "fit LGBMClassifier", "fit fraud"]


def test_a_cross_validation_of_boosters_is_no_fit(seen: Capture) -> None:
    """As with scikit-learn's: no model comes of it."""
    xgb.cv(BINARY, xgb.DMatrix(SAMPLES, TARGET), 2)
    lgb.cv(TREES, lgb.Dataset(SAMPLES, TARGET), 2)

    assert names(seen) == []


def test_a_booster_that_is_trained_on_keeps_its_name(seen: Capture) -> None:
    """The span is called as the model that came of it, by the name in its file."""
    data = xgb.DMatrix(SAMPLES, TARGET)
    earlier = xgb.train(BINARY, data, 2)
    earlier.set_attr(model_name="fraud", model_version="3")
    xgb.train(BINARY, data, 2, xgb_model=earlier)

    assert names(seen) == ["fit Booster", "fit fraud"]
    told = dict(seen.spans[-1].attributes or {})
    assert (told["ml.model.name"], told["ml.model.version"]) == ("fraud", "3")
    assert "fraud" in [dict(point.attributes)["ml.model.name"] for point in training_times(seen)]


def training_times(seen: Capture) -> list[Any]:
    """Return the points of the durations."""
    return list(seen.metric("ml.training.duration"))


def test_a_booster_that_cannot_be_trained_fails_as_it_does(seen: Capture) -> None:
    """The exception is the framework's; the span says what kind of model it was to be."""
    with pytest.raises(xgb.core.XGBoostError, match="Unknown objective") as raised:
        xgb.train({"objective": "nothing"}, xgb.DMatrix(SAMPLES, TARGET), 2)
    with pytest.raises(TypeError):
        lgb.train(TREES, SAMPLES)  # type: ignore[arg-type]  # it is no data set

    assert names(seen) == ["fit Booster", "fit Booster"]
    told = [dict(span.attributes or {}) for span in seen.spans]
    assert [each["error.type"] for each in told] == [
        f"{raised.type.__module__}.XGBoostError",
        "TypeError",
    ]
    assert [each["ml.framework.name"] for each in told] == ["xgboost", "lightgbm"]
    assert seen.metric("ml.sdk.errors") == []


def test_what_a_callback_starts_is_below_the_training(seen: Capture) -> None:
    """A span that a callback starts is a child; what it predicts is no inference."""
    probe = xgb.train(BINARY, xgb.DMatrix(SAMPLES, TARGET), 1)

    def judge(_environment: Any) -> None:
        with otel_ml.pipeline_step("judge"):
            probe.inplace_predict(SAMPLES)

    lgb.train(TREES, lgb.Dataset(SAMPLES, TARGET), 1, callbacks=[judge])
    _, step, training = seen.spans
    assert training.name == "fit Booster"
    assert step.parent is not None
    assert step.parent.span_id == training.get_span_context().span_id


class Trainer:
    """What trains a model that somebody else has, as transformers' does."""

    def train(self, steps: int) -> int:
        """Return how often something was learned."""
        return steps


def train(steps: int) -> int:
    """Return no model, as a function of another framework may."""
    return steps


@pytest.mark.parametrize(
    ("function", "given"), [(Trainer.train, (Trainer(), 3)), (train, (3,))], ids=["method", "other"]
)
def test_what_is_only_called_train_is_guarded(
    seen: Capture, function: Any, given: tuple[Any, ...]
) -> None:
    """It is no fit of its first argument, nor does it return a booster: nothing is told, nothing fails."""
    trains = True
    assert hooks.guard is not None
    assert hooks.guard(function, trains, given, {}) == 3
    assert names(seen) == []
    assert seen.metric("ml.sdk.errors") == []


def test_functions_that_train_stay_what_they_are() -> None:
    """They keep signature and pickle; without capture of training, and afterwards, they are the very functions."""
    places = [(xgb, "train"), (xgb.training, "train"), (lgb, "train"), (lgb.engine, "train")]
    originals = [vars(place)[name] for place, name in places]
    with capture(Settings(capture_training=True)):
        for (place, name), original in zip(places, originals, strict=True):
            wrapped = vars(place)[name]
            assert wrapped is not original
            assert inspect.signature(wrapped) == inspect.signature(original)
            assert pickle.loads(pickle.dumps(wrapped)) is wrapped
    uninstrument()
    assert [vars(place)[name] for place, name in places] == originals
    with capture(Settings()):
        assert xgb.train is originals[0]
        assert xgb.training.train is originals[1]
