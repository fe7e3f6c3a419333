"""scikit-learn: which methods of which classes predict, and how its estimators and outputs are read."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum, auto
from inspect import isgeneratorfunction
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.models import Registration, framework_of, registrations
from otel_ml.describe.probabilities import class_label, exponentials, one_array
from otel_ml.describe.validation import Expectation
from otel_ml.describe.values import Facts, own_text
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._boosters import (
    asks_for_margins,
    identity_in,
    only_predictions,
    target_count,
)
from otel_ml.instrumentors._identity import Metadata, identify
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded, file_of
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._steps import Step, Steps, is_outermost
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._turns import iterate
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["Estimator", "SklearnInstrumentor", "wrap_methods"]

_PREDICTS: Final = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
)
_TRAINS: Final = ("fit", "partial_fit", "fit_predict", "fit_transform")
_EVALUATES: Final = ("score",)
_STAGED: Final = "staged_"
# The answers after each step of a booster, by generators.
_PREDICTS_IN_STAGES: Final = ("staged_predict", "staged_predict_proba", "staged_decision_function")
# Whose `transform` asks other estimators, which are parts of it.
_ASK_TO_TRANSFORM: Final = frozenset(
    {
        "IterativeImputer",
        "StackingClassifier",
        "StackingRegressor",
        "VotingClassifier",
        "VotingRegressor",
    }
)
# What a transformer does by itself: before a model is asked, and with its answers; and what inside.
_AROUND: Final = {
    "transform": MlOperationNameValues.PREPROCESS.value,
    "inverse_transform": MlOperationNameValues.POSTPROCESS.value,
}
_INSIDE: Final = {**_AROUND, "transform": MlOperationNameValues.TRANSFORM.value}
# Where pipelines, unions and transformers of columns keep their parts, as (name, part, ...).
_PARTS: Final = ("steps", "transformer_list", "transformers_")
_OF_TARGETS: Final = "transformer"  # what a `TransformedTargetRegressor` calls its own
_DISTRIBUTIONS: Final = {"predict_proba": one_array, "predict_log_proba": exponentials}
_ANSWER_OF_METHOD: Final = {
    "predict_proba": Answer.PROBABILITIES,
    "predict_log_proba": Answer.LOGARITHMS,
    "decision_function": Answer.SCORES,
    "score_samples": Answer.SCORES,
}
# Of other packages, with scikit-learn's methods, but without its word for them.
_RANKERS: Final = frozenset({"LGBMRanker", "XGBRanker"})
# What joblib and pickle keep, of packages that wrap no function of theirs to hear of it.
_MODELS: Final = (
    ("sklearn.base", "BaseEstimator"),
    ("catboost", "CatBoost"),
    ("lightgbm", "Booster"),
    ("xgboost", "Booster"),
)
_BINARY: Final = 2
_FEW: Final = 32
_DEEPEST: Final = 16  # pipelines in searches in pipelines

# Where the wrappers on scikit-learn's classes find us.
hooks: Final = Hooks()


class SklearnInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call that asks a scikit-learn estimator to predict.

    It covers what extends `BaseEstimator`, at once and later: also other packages' and users'
    classes. scikit-learn is not imported by it.
    """

    framework = FRAMEWORKS["sklearn"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, an estimator, tells of itself."""
        return Estimator(settings, model, is_part)

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """
        Return what makes inferences of predictions, also of boosters that give more than those.

        Where parts are asked for it makes steps of transformers too, which are wrapped only then.
        """
        predict_at_once = only_predictions(observer)

        def predict(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            if method not in _PREDICTS_IN_STAGES:
                return predict_at_once(original, method, args, kwargs)
            if not isgeneratorfunction(original):  # a user's, who may give a list
                return original(*args, **kwargs)
            return iterate(observer, original, method, args, kwargs)

        if self._recorder is None or not self._tells_parts():
            return predict
        steps = Steps(self._recorder, self.framework.name, _steps_of, take_samples=True)

        def observe(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            if method in _AROUND:
                if args and is_outermost():
                    return steps.alone(original, _AROUND[method], args, kwargs)
                return steps.inside(original, _INSIDE[method], args, kwargs)
            with steps.known(args):
                return predict(original, method, args, kwargs)

        return observe

    def _tells_parts(self) -> bool:
        return self._recorder is not None and self._recorder.settings.capture_nested

    def cover(self, coverage: Coverage) -> None:
        """Wrap every estimator there is, and see to those that will be."""
        tells_parts = self._tells_parts()

        def wrap(coverage: Coverage, owner: type) -> None:
            wrap_methods(coverage, owner)
            coverage.observe(owner, *_PREDICTS_IN_STAGES)
            if tells_parts:
                coverage.observe(owner, *_AROUND)
            elif owner.__name__ in _ASK_TO_TRANSFORM:
                coverage.guard(owner, "transform")

        def cover_estimators(base: ModuleType) -> None:
            coverage.adopt_family(base.BaseEstimator, wrap)

        def cover_workers(parallel: ModuleType) -> None:
            # The parts of parallel calls run in threads that do not know who called.
            coverage.guard(parallel._FuncWrapper, "__call__")  # noqa: SLF001 - there is no public place

        def cover_scorers(scorer: ModuleType) -> None:
            for kind in (scorer._BaseScorer, scorer._MultimetricScorer):  # noqa: SLF001 - as above
                coverage.guard(kind, "__call__")

        def cover_explaining(inspection: ModuleType) -> None:
            coverage.guard(inspection, "_partial_dependence_brute")

        def cover_loading(module: ModuleType) -> None:
            coverage.load(module, "load")

        coverage.when_imported("sklearn.base", cover_estimators)
        coverage.when_imported("sklearn.utils.parallel", cover_workers)
        coverage.when_imported("sklearn.metrics._scorer", cover_scorers)
        coverage.when_imported("sklearn.inspection._partial_dependence", cover_explaining)
        coverage.when_imported("joblib", cover_loading)
        coverage.when_imported("pickle", cover_loading)

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Loaded | None:
        """Return the estimator or booster that joblib or pickle has read; whatever else they read is no model."""
        # By its type: what stands for another object may go and fetch that when asked for its class.
        if "sklearn.base" not in sys.modules or not _is_model(type(result)):
            return None
        named = kwargs.get("filename", kwargs.get("file"))  # joblib's word, pickle's
        return Loaded(result, file_of(args[0] if args else named))


def _is_model(kind: type) -> bool:
    known = (getattr(sys.modules.get(module), name, None) for module, name in _MODELS)
    return any(model is not None and issubclass(kind, model) for model in known)


def wrap_methods(coverage: Coverage, owner: type) -> None:
    """Wrap what *owner* itself defines of the methods that estimators have."""
    coverage.observe(owner, *_PREDICTS)
    coverage.guard(owner, *_TRAINS, trains=True)
    coverage.guard(owner, *_EVALUATES)


def _steps_of(estimator: Any, depth: int = 0) -> dict[int, Step]:
    """Return the steps of a pipeline, and those of the unions, column transformers and pipelines in it."""
    own = _own(estimator)
    held = next((own[place] for place in _PARTS if isinstance(own.get(place), list)), None)
    found = {id(own.get(f"{_OF_TARGETS}_")): Step(_OF_TARGETS)}
    if held is None or depth > _DEEPEST:
        return found
    for position, (name, part, *_) in enumerate(held):
        found[id(part)] = Step(str(name), position)
        found |= _steps_of(part, depth + 1)
    return found


class _Kind(Enum):
    """What an estimator's `predict` returns."""

    CLASSIFIER = auto()
    REGRESSOR = auto()
    CLUSTERER = auto()
    OUTLIER_DETECTOR = auto()
    DENSITY_ESTIMATOR = auto()  # mixtures: the component a sample comes from
    RANKER = auto()
    UNKNOWN = auto()


_TASK_OF_KIND: Final = {
    _Kind.REGRESSOR: MlTaskTypeValues.REGRESSION,
    _Kind.CLUSTERER: MlTaskTypeValues.CLUSTERING,
    _Kind.OUTLIER_DETECTOR: MlTaskTypeValues.ANOMALY_DETECTION,
    _Kind.RANKER: MlTaskTypeValues.RANKING,
}
_KIND_OF_TASK: Final = {
    MlTaskTypeValues.BINARY_CLASSIFICATION: _Kind.CLASSIFIER,
    MlTaskTypeValues.MULTICLASS_CLASSIFICATION: _Kind.CLASSIFIER,
    MlTaskTypeValues.REGRESSION: _Kind.REGRESSOR,
    MlTaskTypeValues.FORECASTING: _Kind.REGRESSOR,
    MlTaskTypeValues.CLUSTERING: _Kind.CLUSTERER,
    MlTaskTypeValues.ANOMALY_DETECTION: _Kind.OUTLIER_DETECTOR,
    MlTaskTypeValues.RANKING: _Kind.RANKER,
}
_ANSWER_OF_KIND: Final = {
    _Kind.REGRESSOR: Answer.NUMBERS,
    _Kind.RANKER: Answer.SCORES,
    _Kind.UNKNOWN: Answer.UNKNOWN,
}


# Which column may have missing values is told by the parts of these, not by their own tags.
_PASSES_ON: Final = frozenset({"ColumnTransformer", "FeatureUnion", "FunctionTransformer"})
_PICKS: Final = "ColumnTransformer"
_ASKS_A_FUNCTION: Final = "FunctionTransformer"
_ASKS: Final = ("estimator", "regressor")  # what estimators call the one that they ask


class Estimator(Subject):
    """What is read of an estimator once, until one is trained again."""

    def __init__(self, settings: Settings, estimator: Any, is_part: bool) -> None:
        said = registrations.get(estimator) or Registration()
        self._kind = _kind(estimator, said.task)
        self._classes, names = _class_labels(estimator, said.class_names)
        self._known_labels = frozenset(names or self._classes or ())
        self._answers = Answers(
            settings, self._classes, names, are_numbered=self._kind is not _Kind.CLASSIFIER
        )
        self.feature_names = said.feature_names or _feature_names(estimator)
        self.expectation = Expectation(
            self.feature_names,
            _feature_count(estimator),
            takes_missing=_takes_missing(estimator),
            picks=_picked(estimator),
        )
        task = said.task or _TASK_OF_KIND.get(self._kind) or self._classification(estimator)
        self._is_of_several = task is MlTaskTypeValues.MULTILABEL_CLASSIFICATION
        cls = type(estimator)
        framework = framework_of(cls, MlFrameworkNameValues.SKLEARN.value)
        self._is_booster = framework.name != MlFrameworkNameValues.SKLEARN.value
        # A booster can be asked for margins in their place.
        self.distributions = None if self._is_booster or self._is_of_several else _DISTRIBUTIONS
        metadata = _metadata(estimator)
        self.model = identify(estimator, settings, framework, task, metadata, is_part=is_part)

    def _classification(self, estimator: Any) -> MlTaskTypeValues | None:
        if self._kind is not _Kind.CLASSIFIER:
            return None
        if _is_multilabel(_last_part(estimator)):
            return MlTaskTypeValues.MULTILABEL_CLASSIFICATION
        if self._classes is None:  # not trained yet
            return None
        if len(self._classes) <= _BINARY:
            return MlTaskTypeValues.BINARY_CLASSIFICATION
        return MlTaskTypeValues.MULTICLASS_CLASSIFICATION

    def matters_unsampled(self, method: str) -> bool:
        """Whether *method* gives confidences."""
        return method.removeprefix(_STAGED) in _DISTRIBUTIONS and not self._is_of_several

    def outputs(self, method: str, output: Any, captured: Captured) -> Facts:
        """Return classes, confidence, numbers or scores; of anything else the shape."""
        method = method.removeprefix(_STAGED)
        if isinstance(output, tuple) and output:
            output = output[0]  # what stands beside it is how sure a regressor is
        return self._answers.describe(self._answer(method, output, captured), output, captured)

    def _answer(self, method: str, output: Any, captured: Captured) -> Answer:
        if self._is_booster and asks_for_margins(captured):
            return Answer.SCORES
        if method in _DISTRIBUTIONS and self._is_of_several:
            return Answer.UNKNOWN  # one for each label, which add up to 1 by chance
        if method != "predict":
            return _ANSWER_OF_METHOD[method]
        answer = _ANSWER_OF_KIND.get(self._kind, Answer.CLASSES)
        return Answer.SCORES if answer is Answer.CLASSES and self._are_sums(output) else answer

    def _are_sums(self, output: Any) -> bool:
        """
        Whether *output* holds numbers that are no classes: sums over trees.

        A booster returns them that is asked for margins, or has an objective of the user's, also as
        the last step of a pipeline.
        """
        if getattr(getattr(output, "dtype", None), "kind", "") != "f" or not self._known_labels:
            return False
        return any(class_label(each) not in self._known_labels for each in _first_of(output))


def _first_of(numbers: Any) -> list[Any]:
    first: list[Any] = numbers[:_FEW].tolist() if len(numbers.shape) == 1 else []
    return first


def _kind(estimator: Any, task: MlTaskTypeValues | None) -> _Kind:
    if any(ancestor.__name__ in _RANKERS for ancestor in type(_last_part(estimator)).__mro__):
        return _Kind.RANKER
    base = sys.modules["sklearn.base"]
    tests: tuple[tuple[_Kind, Callable[[Any], bool]], ...] = (
        (_Kind.CLASSIFIER, base.is_classifier),
        (_Kind.REGRESSOR, base.is_regressor),
        (_Kind.OUTLIER_DETECTOR, base.is_outlier_detector),
        (_Kind.CLUSTERER, getattr(base, "is_clusterer", _is_clusterer)),
        (_Kind.DENSITY_ESTIMATOR, lambda model: isinstance(model, base.DensityMixin)),
    )
    for kind, is_of_kind in tests:
        with suppress(Exception):  # an estimator whose tags cannot be read is of no known kind
            if is_of_kind(estimator):
                return kind
    return _Kind.UNKNOWN if task is None else _KIND_OF_TASK.get(task, _Kind.UNKNOWN)


def _is_clusterer(estimator: Any) -> bool:
    """Stand in for `sklearn.base.is_clusterer`, which came with scikit-learn 1.6."""
    return getattr(estimator, "_estimator_type", None) == "clusterer"


def _class_labels(
    estimator: Any, names: tuple[str, ...] | None
) -> tuple[tuple[str, ...] | None, dict[str, str]]:
    """Return the classes as text in the order of the columns, and what users call each of them."""
    classes = _read(estimator, "classes_")
    if isinstance(classes, (list, tuple)) and not _is_of_arrays(classes):  # of a user's own
        values = list(classes)
    elif getattr(classes, "ndim", None) == 1:
        values = classes.tolist()
    else:  # not trained, no classifier, or several outputs
        return None, {}
    labels = tuple(class_label(value) for value in values)
    if names is None or len(names) != len(labels):
        return labels, {}
    return names, dict(zip(labels, names, strict=True))


def _is_of_arrays(classes: Sequence[Any]) -> bool:
    """Whether *classes* are those of several outputs."""
    return any(isinstance(each, list) or getattr(each, "ndim", 0) for each in classes)


def _target_count(estimator: Any) -> int:
    """Return how many labels one of XGBoost's predicts at once, which it says nowhere else."""
    booster_of = getattr(estimator, "get_booster", None)
    with suppress(Exception):  # it was not trained, or is older than this
        return target_count(booster_of()) if booster_of else 1
    return 1


def _metadata(estimator: Any) -> Metadata:
    booster_of = getattr(estimator, "get_booster", None)  # XGBoost's keep a model in their model
    with suppress(Exception):
        return identity_in(booster_of().attributes()) if booster_of else Metadata()
    return Metadata()


def _feature_names(estimator: Any) -> tuple[str, ...] | None:
    names = _read(estimator, "feature_names_in_")
    return None if names is None else tuple(map(own_text, names))


def _feature_count(estimator: Any) -> int | None:
    count = _read(estimator, "n_features_in_")
    return count if isinstance(count, int) else None


def _takes_missing(estimator: Any, depth: int = 0) -> bool:
    """Whether an estimator says that missing values are its business, or that of its parts."""
    first = _part(estimator, 0)
    if type(first).__name__ in _PASSES_ON:
        return True
    # Some that only pass the samples on say nothing of whom they ask.
    asked = next((own for name in _ASKS if (own := _own(first).get(name)) is not None), None)
    return _says_it_takes_missing(first) or (
        asked is not None and depth < _DEEPEST and _takes_missing(asked, depth + 1)
    )


def _picked(estimator: Any) -> frozenset[str] | None:
    """
    Return the names that a transformer of columns picks out of a data frame; None where none is the first to see it.

    What a function picks is its own affair: it is no name that is known.
    """
    first = _part(estimator, 0)
    if type(first).__name__ == _ASKS_A_FUNCTION and not _own(first).get("validate"):
        return frozenset()
    if type(first).__name__ != _PICKS:
        return None
    names, kept = _feature_names(first), _own(first).get("transformers_")
    with suppress(Exception):  # it was not trained, or is built in another way than is known
        places = first._transformer_to_input_indices  # noqa: SLF001 - there is no public place
        used = {place for name, part, _ in kept if part != "drop" for place in places[name]}  # type: ignore[union-attr]  # None is not trained
        return frozenset(names[place] for place in used)  # type: ignore[index]  # likewise
    return None


def _says_it_takes_missing(estimator: Any) -> bool:
    with suppress(Exception):
        return bool(estimator.__sklearn_tags__().input_tags.allow_nan)
    with suppress(Exception):  # before scikit-learn 1.6
        return bool(estimator._get_tags()["allow_nan"])  # noqa: SLF001 - there was no other place
    return False


def _read(estimator: Any, attribute: str) -> Any:
    # Properties of estimators that are not trained raise more than AttributeError.
    with suppress(Exception):
        return getattr(estimator, attribute, None)
    return None


def _last_part(estimator: Any) -> Any:
    """Return the estimator that answers in the end: the last step, the best candidate."""
    return _part(estimator, -1)


def _part(estimator: Any, position: int) -> Any:
    """Return the step at *position* of a pipeline, the best candidate of a search, innermost."""
    for _ in range(_DEEPEST):
        own = _own(estimator)
        inner, steps = own.get("best_estimator_"), own.get("steps")
        if inner is None and isinstance(steps, list) and steps:
            inner = _part_of(steps, position)
        if inner is None:
            break
        estimator = inner
    return estimator


def _part_of(steps: list[Any], position: int) -> Any:
    """Return what takes a step, of those that do something; None where `steps` is a word of the user's for something else."""
    if not all(isinstance(step, (list, tuple)) and len(step) > 1 for step in steps):
        return None
    parts = [step[-1] for step in steps if not isinstance(step[-1], str) and step[-1] is not None]
    return parts[position] if parts else None


def _own(estimator: Any) -> dict[str, Any]:
    """Return what an estimator itself holds, without asking a property of it."""
    return getattr(estimator, "__dict__", {})


def _is_multilabel(estimator: Any) -> bool:
    classes = _read(estimator, "classes_")
    if isinstance(classes, list) and _is_of_arrays(classes):
        return True
    if _read(estimator, "multilabel_") is True or _target_count(estimator) > 1:
        return True
    # Linear models and perceptrons, which have a number for each label.
    kind = getattr(_own(estimator).get("_label_binarizer"), "y_type_", "")
    return str(kind).startswith("multilabel")
