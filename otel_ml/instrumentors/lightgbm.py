"""LightGBM: which methods predict, and how its boosters and objectives are read."""

from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.series import is_series, one_sample
from otel_ml.instrumentors._answers import Answer
from otel_ml.instrumentors._arguments import given_first
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._boosters import (
    Booster,
    Objective,
    only_predictions,
)
from otel_ml.instrumentors._identity import Metadata
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded, file_of
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Subject
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.instrumentors.sklearn import Estimator, wrap_methods
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import MlFrameworkNameValues, MlTaskTypeValues

__all__ = ["LightgbmInstrumentor"]

_NAME: Final = MlFrameworkNameValues.LIGHTGBM.value
_MULTICLASS: Final = Objective(MlTaskTypeValues.MULTICLASS_CLASSIFICATION, Answer.PROBABILITIES)
_RANKING: Final = Objective(MlTaskTypeValues.RANKING, Answer.SCORES)
_REGRESSION: Final = Objective(MlTaskTypeValues.REGRESSION, Answer.NUMBERS)
_OF_THE_USER: Final = Objective(None, Answer.SCORES)
_OBJECTIVES: Final = {
    "binary": Objective(MlTaskTypeValues.BINARY_CLASSIFICATION, Answer.PROBABILITIES),
    "multiclass": _MULTICLASS,
    "multiclassova": _MULTICLASS,
    "lambdarank": _RANKING,
    "rank_xendcg": _RANKING,
    "": _OF_THE_USER,
    "custom": _OF_THE_USER,
}

_MODEL_FILE: Final = 3  # its position among the arguments of `Booster`

# Where the wrappers on LightGBM's classes find us.
hooks: Final = Hooks()


class LightgbmInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call that asks a LightGBM model to predict.

    It covers boosters and the classes with scikit-learn's methods. Leaves and contributions are no
    inference, nor is what runs in training. LightGBM is not imported by it.
    """

    framework = FRAMEWORKS["lightgbm"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, a booster or an estimator, tells of itself."""
        if hasattr(model, "get_params"):
            return Estimator(settings, model, is_part)
        return _LightgbmBooster(
            settings,
            model,
            is_part,
            framework=_NAME,
            objective=_objective(model),
            feature_names=_feature_names(model),
            metadata=Metadata(),
            feature_count=_feature_count(model),
        )

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return what makes inferences of predictions and of nothing else."""
        return only_predictions(observer)

    def cover(self, coverage: Coverage) -> None:
        """Wrap boosters, the estimators there are, and those that will be."""

        def cover_package(lightgbm: ModuleType) -> None:
            coverage.observe(lightgbm.Booster, "predict")
            coverage.guard(lightgbm.Booster, "eval", "eval_train", "eval_valid")
            coverage.guard(lightgbm.Booster, "update", "refit", "model_from_string", trains=True)
            coverage.load(lightgbm.Booster, "__init__")
            for place in (lightgbm, lightgbm.engine):
                coverage.guard(place, "train", "cv", trains=True)  # they call users' callbacks
            coverage.adopt_family(lightgbm.LGBMModel, wrap_methods)

        coverage.when_imported("lightgbm", cover_package)

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], _result: Any
    ) -> Loaded | None:
        """Return the booster that was made of a file; None where it was made to be trained."""
        source = file_of(
            kwargs.get("model_file", args[_MODEL_FILE] if len(args) > _MODEL_FILE else None)
        )
        return None if source is None else Loaded(args[0], source)


class _LightgbmBooster(Booster):
    """A booster, which takes a series for one sample."""

    def table(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return the samples."""
        data = given_first(args, kwargs)
        if is_series(data):
            return read_table(one_sample(data))
        return super().table(method, args, kwargs)


def _objective(booster: Any) -> Objective:
    with suppress(Exception):  # a booster that was not trained
        # The parameters are gone once a model was saved; the head of its text has the objective.
        head, *_ = booster.model_to_string(num_iteration=1).partition("\nTree=")
        lines = dict(line.partition("=")[::2] for line in head.splitlines())
        name, *_ = lines.get("objective", "").split(" ")
        return _OBJECTIVES.get(name, _REGRESSION)
    return Objective(None, Answer.UNKNOWN)


def _feature_names(booster: Any) -> tuple[str, ...] | None:
    with suppress(Exception):
        names = tuple(map(str, booster.feature_name()))
        # Which it makes up where it was given none.
        is_unnamed = all(name == f"Column_{number}" for number, name in enumerate(names))
        return None if is_unnamed else names
    return None


def _feature_count(booster: Any) -> int | None:
    with suppress(Exception):
        return int(booster.num_feature())
    return None
