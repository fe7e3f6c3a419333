"""scikit-learn: which methods of which classes predict, and how its estimators and outputs are read."""

import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from importlib.metadata import version
from logging import getLogger
from re import match
from types import ModuleType
from typing import Any, Final
from weakref import WeakSet

from opentelemetry.instrumentation import dependencies
from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # published without types
    BaseInstrumentor,
)

from otel_ml.describe.models import Model, Registration, framework_of, registrations
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
from otel_ml.instrumentors._imports import ImportHooks
from otel_ml.instrumentors._observing import Captured, Observer
from otel_ml.instrumentors._wrapping import Hooks, Patches, guarded, observed
from otel_ml.recorder import InferenceRecorder
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["SklearnInstrumentor"]

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

_REQUIRED: Final = "scikit-learn >= 1.3"
_OLDEST: Final = (1, 3)

_logger = getLogger("otel_ml")

# Where the wrappers on scikit-learn's classes find us.
hooks: Final = Hooks()


class SklearnInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # the base class is published without types
    """
    Makes a span and metrics of every outermost call that asks a scikit-learn estimator to predict.

    It covers what extends `BaseEstimator`, at once and later: also other packages' and users'
    classes. scikit-learn is not imported by it.
    """

    _coverage: "_Coverage | None" = None
    _imports: ImportHooks | None = None
    _recorder: InferenceRecorder | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the requirement that the loader checks."""
        return (_REQUIRED,)

    def _instrument(self, **kwargs: Any) -> None:
        """
        Begin to observe.

        Args:
            **kwargs: `tracer_provider` and `meter_provider`, the global ones by default; `settings`,
                what the environment says by default.

        Raises:
            DependencyConflictError: If scikit-learn is missing or too old; nothing else is raised,
                for it would keep other people's instrumentors from being loaded.
        """
        if not _may_instrument():
            return
        try:
            self._begin(**kwargs)
        except Exception:
            _logger.exception("scikit-learn is not instrumented")
            with suppress(Exception):
                self._uninstrument()

    def _begin(
        self,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        settings: Settings | None = None,
        **_unknown: Any,
    ) -> None:
        settings = settings or Settings.from_environment()
        self._recorder = InferenceRecorder(
            tracer_provider,
            meter_provider,
            captures_exception_messages=settings.capture_exception_messages,
        )
        self._coverage = _Coverage(self._recorder)
        self._imports = ImportHooks()
        observer = Observer(self._recorder, settings, partial(_Estimator, settings))
        hooks.observe = observer.observe
        hooks.guard = observer.guard
        hooks.adopt = self._coverage.adopt
        self._imports.when_imported("sklearn.base", self._coverage.cover_estimators)
        self._imports.when_imported("sklearn.utils.parallel", self._coverage.cover_workers)

    def _uninstrument(self, **_kwargs: Any) -> None:
        hooks.clear()
        if self._imports is not None:
            self._imports.clear()
        if self._coverage is not None:
            self._coverage.end()
        if self._recorder is not None:
            self._recorder.close()
        self._imports = self._coverage = self._recorder = None


def _may_instrument() -> bool:
    conflict = dependencies.get_dependency_conflicts([_REQUIRED])
    if conflict is None or (conflict.found and _is_recent(version("scikit-learn"))):
        return True
    refusal = getattr(dependencies, "DependencyConflictError", None)
    if refusal is None:  # older loaders know no exception that would not end all loading
        _logger.debug("%s", conflict)
        return False
    raise refusal(conflict)


def _is_recent(found: str) -> bool:
    """Whether *found* is new enough; unlike the loader's check it takes pre-releases too."""
    numbers = match(r"(\d+)\.(\d+)", found)
    return numbers is not None and tuple(map(int, numbers.groups())) >= _OLDEST


class _Coverage:
    """The classes that are wrapped. Nothing here raises: it runs inside other people's imports."""

    def __init__(self, recorder: InferenceRecorder) -> None:
        self._recorder = recorder
        self._patches = Patches()
        self._adopted: WeakSet[type] = WeakSet()

    def cover_estimators(self, base: ModuleType) -> None:
        """Wrap every estimator there is, and see to those that will be."""
        try:
            self._patches.hook_subclasses(base.BaseEstimator, __name__)
            for estimator in _family(base.BaseEstimator):
                self.adopt(estimator)
        except Exception as error:  # noqa: BLE001 - an import must not fail because of us
            self._recorder.failed("cover_estimators", error)

    def cover_workers(self, parallel: ModuleType) -> None:
        """Guard the parts of parallel calls: they run in threads that do not know who called."""
        try:
            guard = partial(guarded, module=__name__, trains=False)
            self._patches.wrap(parallel._FuncWrapper, "__call__", guard)  # noqa: SLF001 - there is no public place
        except Exception as error:  # noqa: BLE001 - an import must not fail because of us
            self._recorder.failed("cover_workers", error)

    def adopt(self, estimator: type) -> None:
        """Wrap the methods of *estimator* and of all it extends, for mixins define many of them."""
        try:
            for owner in estimator.__mro__[:-1]:
                if owner not in self._adopted:
                    self._adopted.add(owner)
                    self._wrap_methods(owner)
        except Exception as error:  # noqa: BLE001 - a class statement must not fail because of us
            self._recorder.failed("cover_estimators", error)

    def _wrap_methods(self, owner: type) -> None:
        for method in _PREDICTS:
            self._patches.wrap(owner, method, partial(observed, module=__name__, method=method))
        for method in _TRAINS:
            self._patches.wrap(owner, method, partial(guarded, module=__name__, trains=True))
        for method in _EVALUATES:
            self._patches.wrap(owner, method, partial(guarded, module=__name__, trains=False))

    def end(self) -> None:
        """Take every wrapper off again."""
        self._patches.undo()


def _family(ancestor: type) -> list[type]:
    found = [ancestor]
    for member in found:  # it grows on the way
        found.extend(type.__subclasses__(member))
    return found


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


class _Estimator:
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
        self.model = Model(
            name=said.name or (None if is_part else settings.model_name) or cls.__name__,
            version=said.version or (None if is_part else settings.model_version),
            type=f"{cls.__module__}.{cls.__qualname__}",
            framework=framework.name,
            framework_version=framework.version,
            task=None if task is None else task.value,
        )

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
