"""XGBoost: which methods predict, and how its boosters, matrices and objectives are read."""

import json
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table
from otel_ml.describe.matrices import XgboostMatrix
from otel_ml.instrumentors._answers import Answer
from otel_ml.instrumentors._arguments import given_first
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._boosters import (
    Booster,
    Objective,
    identity_in,
    only_predictions,
    target_count,
)
from otel_ml.instrumentors._identity import Metadata
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded, loaded_into
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.instrumentors.sklearn import Estimator, wrap_methods
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import MlFrameworkNameValues, MlTaskTypeValues

__all__ = ["XgboostInstrumentor"]

_NAME: Final = MlFrameworkNameValues.XGBOOST.value
_UNKNOWN: Final = Objective(None, Answer.UNKNOWN)
_SEVERAL_LABELS: Final = Objective(MlTaskTypeValues.MULTILABEL_CLASSIFICATION, Answer.UNKNOWN)
_BINARY: Final = MlTaskTypeValues.BINARY_CLASSIFICATION
_MULTICLASS: Final = MlTaskTypeValues.MULTICLASS_CLASSIFICATION
_OBJECTIVES: Final = {
    "binary:logistic": Objective(_BINARY, Answer.PROBABILITIES),
    "binary:logitraw": Objective(_BINARY, Answer.SCORES),
    "binary:hinge": Objective(_BINARY, Answer.CLASSES),
    "multi:softprob": Objective(_MULTICLASS, Answer.PROBABILITIES),
    "multi:softmax": Objective(_MULTICLASS, Answer.CLASSES),
}
_FAMILIES: Final = {
    "count": Objective(MlTaskTypeValues.REGRESSION, Answer.NUMBERS),
    "rank": Objective(MlTaskTypeValues.RANKING, Answer.SCORES),
    "reg": Objective(MlTaskTypeValues.REGRESSION, Answer.NUMBERS),
    "survival": Objective(MlTaskTypeValues.REGRESSION, Answer.NUMBERS),
}

# Where the wrappers on XGBoost's classes find us.
hooks: Final = Hooks()


class XgboostInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call that asks an XGBoost model to predict.

    It covers boosters and the classes with scikit-learn's methods. Leaves, contributions and
    predictions in training are no inference. XGBoost is not imported by it.
    """

    framework = FRAMEWORKS["xgboost"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, a booster or an estimator, tells of itself."""
        if hasattr(model, "get_booster"):
            return Estimator(settings, model, is_part)
        return _XgboostBooster(settings, model, is_part)

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return what makes inferences of predictions and of nothing else."""
        return only_predictions(observer)

    def cover(self, coverage: Coverage) -> None:
        """Wrap boosters, the estimators there are, and those that will be."""

        def cover_package(xgboost: ModuleType) -> None:
            booster = xgboost.Booster
            coverage.observe(booster, "predict", "inplace_predict")
            coverage.guard(booster, "eval", "eval_set")
            coverage.guard(booster, "update", "boost", "set_attr", trains=True)
            coverage.load(booster, "load_model")
            callbacks = xgboost.callback.CallbackContainer
            coverage.guard(callbacks, "before_training", "after_training")
            coverage.guard(callbacks, "before_iteration", "after_iteration")
            for place in (xgboost, xgboost.training):
                coverage.train(place, "train")
            if hasattr(xgboost, "XGBModel"):  # not without scikit-learn
                coverage.adopt_family(xgboost.XGBModel, _wrap_estimator)

        coverage.when_imported("xgboost", cover_package)

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], _result: Any
    ) -> Loaded:
        """Return the booster or estimator into which a file was read."""
        return loaded_into(args, kwargs, "fname")


def _wrap_estimator(coverage: Coverage, owner: type) -> None:
    wrap_methods(coverage, owner)
    coverage.load(owner, "load_model")


class _XgboostBooster(Booster):
    """A booster, read through what it saves of its configuration."""

    def __init__(self, settings: Settings, booster: Any, is_part: bool) -> None:
        names = booster.feature_names
        super().__init__(
            settings,
            booster,
            is_part,
            framework=_NAME,
            objective=_objective(booster),
            feature_names=None if names is None else tuple(names),
            metadata=_metadata(booster),
        )

    def table(self, _method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return the samples, in a matrix or as `inplace_predict` takes them."""
        data = given_first(args, kwargs)
        if hasattr(data, "num_nonmissing"):
            return XgboostMatrix(data)
        return super().table(_method, args, kwargs)

    def asks_for_scores(self, captured: Captured) -> bool:
        """Whether margins are wanted, in the words of either method."""
        return captured.argument("predict_type") == "margin" or super().asks_for_scores(captured)


def _metadata(booster: Any) -> Metadata:
    with suppress(Exception):  # a booster that was not trained
        return identity_in(booster.attributes())
    return Metadata()


def _objective(booster: Any) -> Objective:
    with suppress(Exception):  # likewise
        name = json.loads(booster.save_config())["learner"]["objective"]["name"]
        if name.startswith("binary:") and target_count(booster) > 1:
            return _SEVERAL_LABELS
        return _OBJECTIVES.get(name) or _FAMILIES.get(name.partition(":")[0], _UNKNOWN)
    return _UNKNOWN
