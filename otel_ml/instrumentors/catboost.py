"""CatBoost: the methods that all predictions go through, and how its models and pools are read."""

from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.matrices import pool_table
from otel_ml.describe.models import Registration, framework_of, registrations
from otel_ml.describe.probabilities import class_label
from otel_ml.describe.series import is_series, one_sample
from otel_ml.describe.validation import Expectation
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._arguments import argument, given_first
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._boosters import identity_in
from otel_ml.instrumentors._identity import Metadata, identify
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded, loaded_into
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._turns import iterate
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlTaskTypeValues,
)

__all__ = ["CatboostInstrumentor"]

_NAME: Final = MlFrameworkNameValues.CATBOOST.value
_TASKS: Final = {
    "Logloss": MlTaskTypeValues.BINARY_CLASSIFICATION,
    "CrossEntropy": MlTaskTypeValues.BINARY_CLASSIFICATION,
    "MultiClass": MlTaskTypeValues.MULTICLASS_CLASSIFICATION,
    "MultiClassOneVsAll": MlTaskTypeValues.MULTICLASS_CLASSIFICATION,
    "MultiLogloss": MlTaskTypeValues.MULTILABEL_CLASSIFICATION,
    "MultiCrossEntropy": MlTaskTypeValues.MULTILABEL_CLASSIFICATION,
    **dict.fromkeys(
        (
            "LambdaMart",
            "PairLogit",
            "PairLogitPairwise",
            "QueryCrossEntropy",
            "QueryRMSE",
            "QuerySoftMax",
            "StochasticFilter",
            "StochasticRank",
            "YetiRank",
            "YetiRankPairwise",
        ),
        MlTaskTypeValues.RANKING,
    ),
}
_ANSWERS: Final = {
    "Class": Answer.CLASSES,
    "Exponent": Answer.NUMBERS,
    "LogProbability": Answer.LOGARITHMS,
    "Probability": Answer.PROBABILITIES,
}
_DISTRIBUTIONS: Final = frozenset(
    {MlTaskTypeValues.BINARY_CLASSIFICATION, MlTaskTypeValues.MULTICLASS_CLASSIFICATION}
)

# Where the wrappers on CatBoost's classes find us.
hooks: Final = Hooks()


class CatboostInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call that asks a CatBoost model to predict.

    All its methods that predict go through three that are not public, which are told what is asked
    for. Steps of `staged_predict` are one inference. CatBoost is not imported by it.
    """

    framework = FRAMEWORKS["catboost"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model* tells of itself."""
        return _CatboostModel(settings, model, is_part)

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return what makes one inference of a call, by its public name, and of an iteration."""

        def observe(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            name = argument(original, args, kwargs, "parent_method_name") or method
            if method == "_staged_predict":
                return iterate(observer, original, name, args, kwargs)
            return observer.observe(original, name, args, kwargs)

        return observe

    def cover(self, coverage: Coverage) -> None:
        """Wrap what all models have in common."""

        def cover_package(catboost: ModuleType) -> None:
            coverage.observe(
                catboost.CatBoost, "_predict", "_staged_predict", "_virtual_ensembles_predict"
            )
            coverage.adopt_family(catboost.CatBoost, _guard_model)
            coverage.guard(catboost, "cv", trains=True)

        coverage.when_imported("catboost", cover_package)

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], _result: Any
    ) -> Loaded:
        """Return the model into which a file was read."""
        return loaded_into(args, kwargs, "fname")


def _guard_model(coverage: Coverage, owner: type) -> None:
    coverage.guard(owner, "fit", "grid_search", "randomized_search", trains=True)
    coverage.guard(owner, "select_features", "set_feature_names", trains=True)
    coverage.load(owner, "load_model")
    coverage.guard(owner, "score", "calc_feature_statistics")
    coverage.guard(owner, "plot_predictions", "plot_partial_dependence")


class _CatboostModel(Subject):
    """What is read once of a model, until one is trained again."""

    def __init__(self, settings: Settings, model: Any, is_part: bool) -> None:
        said = registrations.get(model) or Registration()
        self._task = said.task or _task(model)
        labels = _labels(model)
        names = said.class_names if len(said.class_names or ()) == len(labels) else None
        self._answers = Answers(
            settings, names or labels, dict(zip(labels, names or labels, strict=True))
        )
        own_names = _feature_names(model)
        self.feature_names = said.feature_names or own_names
        # Of columns with names it takes its own, in whatever order, whatever else is there.
        picks = None if own_names is None else frozenset(own_names)
        self.expectation = Expectation(self.feature_names, takes_missing=True, picks=picks)
        framework = framework_of(type(model), _NAME)
        self.model = identify(
            model, settings, framework, self._task, _metadata(model), is_part=is_part
        )

    def table(self, _method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return the samples; a plain sequence of values is one sample, as CatBoost takes it."""
        data = given_first(args, kwargs)
        if type(data).__module__.partition(".")[0] in {"catboost", "_catboost"}:
            return pool_table(data)
        return read_table(_as_batch(data) if _is_one_sample(data) else data)

    def matters_unsampled(self, _method: str) -> bool:
        """Whether there may be confidences."""
        return self._task in _DISTRIBUTIONS

    def outputs(self, _method: str, output: Any, captured: Captured) -> Facts:
        """Return classes, confidence, numbers or scores; of anything else the shape."""
        if _is_one_sample(captured.argument("data")):
            output = _as_batch(output) if hasattr(output, "reshape") else [output]
        return self._answers.describe(
            self._answer(captured.argument("prediction_type")), output, captured
        )

    def _answer(self, prediction_type: str) -> Answer:
        if prediction_type == "RawFormulaVal":
            is_number = self._task is MlTaskTypeValues.REGRESSION
            return Answer.NUMBERS if is_number else Answer.SCORES
        if prediction_type.endswith("Probability") and self._task not in _DISTRIBUTIONS:
            return Answer.UNKNOWN  # one for each label
        return _ANSWERS.get(prediction_type, Answer.UNKNOWN)


def _is_one_sample(data: Any) -> bool:
    if isinstance(data, list) and data:
        return isinstance(data[0], (str, bytes)) or not hasattr(data[0], "__len__")
    shape = getattr(data, "shape", None)
    return isinstance(shape, tuple) and len(shape) == 1


def _as_batch(sample: Any) -> Any:
    if is_series(sample):
        return one_sample(sample)
    return sample.reshape(1, -1) if type(sample).__module__ == "numpy" else [list(sample)]


def _task(model: Any) -> MlTaskTypeValues | None:
    with suppress(Exception):  # a model that was not trained, or one without its parameters
        name, *_ = model.get_all_params()["loss_function"].split(":")
        is_of_the_user = name.startswith("PythonUserDefined")
        return None if is_of_the_user else _TASKS.get(name, MlTaskTypeValues.REGRESSION)
    return None


def _labels(model: Any) -> tuple[str, ...]:
    with suppress(Exception):
        return tuple(class_label(value) for value in model.classes_.tolist())
    return ()


def _feature_names(model: Any) -> tuple[str, ...] | None:
    names = model.feature_names_
    # Where it was given none it makes up their numbers.
    is_unnamed = names is None or names == list(map(str, range(len(names))))
    return None if is_unnamed else tuple(names)


def _metadata(model: Any) -> Metadata:
    with suppress(Exception):
        kept = dict(model.get_metadata())
        facts = {keys.ML_MODEL_ID: kept["model_guid"]} if "model_guid" in kept else {}
        return identity_in(kept)._replace(facts=facts)
    return Metadata()
