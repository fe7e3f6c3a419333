"""scikit-learn: which methods of which classes predict, and how its estimators and outputs are read."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum, auto
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table
from otel_ml.describe.models import Registration, framework_of, registrations
from otel_ml.describe.probabilities import (
    class_label,
    describe_classes,
    describe_numbers,
    describe_probabilities,
    describe_scores,
    describe_shape,
    probabilities_text,
)
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._identity import identify
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor, SupportedFramework
from otel_ml.instrumentors._observing import Captured, Subject, first_argument
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
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
_PROBABILITIES: Final = frozenset({"predict_proba", "predict_log_proba"})
_NOT_TOLD: Final[Facts] = {}
_BINARY: Final = 2
_DEEPEST: Final = 16  # pipelines in searches in pipelines

# Where the wrappers on scikit-learn's classes find us.
hooks: Final = Hooks()


class SklearnInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call that asks a scikit-learn estimator to predict.

    It covers what extends `BaseEstimator`, at once and later: also other packages' and users'
    classes. scikit-learn is not imported by it.
    """

    framework = SupportedFramework(
        name=MlFrameworkNameValues.SKLEARN.value,
        distributions=("scikit-learn",),
        oldest="1.3",
        calls="`predict`, `predict_proba`, `predict_log_proba`, `decision_function`, "
        "`score_samples` of every estimator",
    )
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, an estimator, tells of itself."""
        return Estimator(settings, model, is_part)

    def cover(self, coverage: Coverage) -> None:
        """Wrap every estimator there is, and see to those that will be."""

        def cover_estimators(base: ModuleType) -> None:
            coverage.adopt_family(base.BaseEstimator, wrap_methods)

        def cover_workers(parallel: ModuleType) -> None:
            # The parts of parallel calls run in threads that do not know who called.
            coverage.guard(parallel._FuncWrapper, "__call__")  # noqa: SLF001 - there is no public place

        coverage.when_imported("sklearn.base", cover_estimators)
        coverage.when_imported("sklearn.utils.parallel", cover_workers)


def wrap_methods(coverage: Coverage, owner: type) -> None:
    """Wrap what *owner* itself defines of the methods that estimators have."""
    coverage.observe(owner, *_PREDICTS)
    coverage.guard(owner, *_TRAINS, trains=True)
    coverage.guard(owner, *_EVALUATES)


class _Kind(Enum):
    """What an estimator's `predict` returns."""

    CLASSIFIER = auto()
    REGRESSOR = auto()
    CLUSTERER = auto()
    OUTLIER_DETECTOR = auto()
    DENSITY_ESTIMATOR = auto()  # mixtures: the component a sample comes from
    UNKNOWN = auto()


_TASK_OF_KIND: Final = {
    _Kind.REGRESSOR: MlTaskTypeValues.REGRESSION,
    _Kind.CLUSTERER: MlTaskTypeValues.CLUSTERING,
    _Kind.OUTLIER_DETECTOR: MlTaskTypeValues.ANOMALY_DETECTION,
}
_KIND_OF_TASK: Final = {
    MlTaskTypeValues.BINARY_CLASSIFICATION: _Kind.CLASSIFIER,
    MlTaskTypeValues.MULTICLASS_CLASSIFICATION: _Kind.CLASSIFIER,
    MlTaskTypeValues.REGRESSION: _Kind.REGRESSOR,
    MlTaskTypeValues.FORECASTING: _Kind.REGRESSOR,
    MlTaskTypeValues.CLUSTERING: _Kind.CLUSTERER,
    MlTaskTypeValues.ANOMALY_DETECTION: _Kind.OUTLIER_DETECTOR,
}


class Estimator:
    """What is read of an estimator once, until one is trained again."""

    def __init__(self, settings: Settings, estimator: Any, is_part: bool) -> None:
        said = registrations.get(estimator) or Registration()
        self._tells_all = settings.capture_outputs == "full"
        self._max_bytes = settings.capture_max_bytes
        self._kind = _kind(estimator, said.task)
        self._classes, self._class_names = _class_labels(estimator, said.class_names)
        self.feature_names = said.feature_names or _feature_names(estimator)
        task = said.task or _TASK_OF_KIND.get(self._kind) or self._classification(estimator)
        cls = type(estimator)
        framework = framework_of(cls, MlFrameworkNameValues.SKLEARN.value)
        self.model = identify(estimator, settings, framework, task, is_part=is_part)

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

    def operation(self, _method: str) -> str:
        """Return `predict`, whatever is asked for: which form it takes is told by the method."""
        return MlOperationNameValues.PREDICT.value

    def table(self, _method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return the samples, the first argument of every method."""
        return first_argument(args, kwargs)

    def matters_unsampled(self, method: str) -> bool:
        """Whether *method* gives confidences."""
        return method in _PROBABILITIES

    def outputs(self, method: str, output: Any, captured: Captured) -> Facts:
        """Return classes, confidence, numbers or scores; of anything else the shape."""
        if isinstance(output, tuple) and output:
            output = output[0]  # what stands beside it is how sure a regressor is
        length = _length(output)
        rows = captured.positions(length) if length else None
        if not rows:
            return describe_shape(output)
        described = self._describe(method, output, rows)
        return describe_shape(output) if described is None else described

    def _describe(self, method: str, output: Any, rows: Sequence[int]) -> Facts | None:
        if method in _PROBABILITIES:
            return self._probabilities(method, output, rows)
        if method != "predict":
            return self._if_told(describe_scores(output, rows))
        if self._kind is _Kind.REGRESSOR:
            return self._if_told(describe_numbers(output, rows))
        if self._kind is _Kind.UNKNOWN:
            return None
        return describe_classes(output, rows, self._class_names)

    def _if_told(self, numbers: Facts | None) -> Facts | None:
        return numbers if numbers is None or self._tells_all else _NOT_TOLD

    def _probabilities(self, method: str, output: Any, rows: Sequence[int]) -> Facts | None:
        are_logarithms = method == "predict_log_proba"
        labels = self._classes
        if labels is None and self._kind is not _Kind.CLASSIFIER and hasattr(output, "shape"):
            labels = tuple(map(str, range(output.shape[-1])))  # clusters are numbered
        described = describe_probabilities(output, rows, labels, are_logarithms=are_logarithms)
        if described is None or labels is None or not self._tells_all:
            return described
        if len(labels) != output.shape[1]:
            return described
        text = probabilities_text(
            output, rows, labels, self._max_bytes, are_logarithms=are_logarithms
        )
        return {**described, keys.ML_PREDICTION_PROBABILITIES: text}


def _length(output: Any) -> int | None:
    if isinstance(output, list):
        return len(output)
    shape = getattr(output, "shape", None)
    return shape[0] if isinstance(shape, tuple) and shape and isinstance(shape[0], int) else None


def _kind(estimator: Any, task: MlTaskTypeValues | None) -> _Kind:
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
    if getattr(classes, "ndim", None) != 1:  # not trained, no classifier, or several outputs
        return None, {}
    labels = tuple(class_label(value) for value in classes.tolist())
    if names is None or len(names) != len(labels):
        return labels, {}
    return names, dict(zip(labels, names, strict=True))


def _feature_names(estimator: Any) -> tuple[str, ...] | None:
    names = _read(estimator, "feature_names_in_")
    return None if names is None else tuple(map(str, names))


def _read(estimator: Any, attribute: str) -> Any:
    # Properties of estimators that are not trained raise more than AttributeError.
    with suppress(Exception):
        return getattr(estimator, attribute, None)
    return None


def _last_part(estimator: Any) -> Any:
    """Return the estimator that answers in the end: the last step, the best candidate."""
    for _ in range(_DEEPEST):
        own = _own(estimator)
        inner, steps = own.get("best_estimator_"), own.get("steps")
        if inner is None and isinstance(steps, list) and steps:
            *_, inner = steps[-1]
        if inner is None:
            break
        estimator = inner
    return estimator


def _own(estimator: Any) -> dict[str, Any]:
    """Return what an estimator itself holds, without asking a property of it."""
    return getattr(estimator, "__dict__", {})


def _is_multilabel(estimator: Any) -> bool:
    if isinstance(_read(estimator, "classes_"), list) or _read(estimator, "multilabel_") is True:
        return True
    # A multi-layer perceptron: one logistic unit per label.
    own = _own(estimator)
    return own.get("out_activation_") == "logistic" and bool(own.get("n_outputs_", 1) > 1)
