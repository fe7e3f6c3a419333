"""TensorFlow: the functions and signatures of SavedModels; what Keras models do is Keras' to tell."""

import sys
import weakref
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.by_identity import ByIdentity
from otel_ml.describe.models import Registration, framework_of, registrations, sources
from otel_ml.describe.probabilities import describe_shape
from otel_ml.describe.several import several
from otel_ml.describe.tensors import plain_array
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._arguments import first_argument
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._identity import identify
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["TensorflowInstrumentor"]

_ANSWERS: Final = {
    MlTaskTypeValues.BINARY_CLASSIFICATION: Answer.PROBABILITIES,
    MlTaskTypeValues.MULTICLASS_CLASSIFICATION: Answer.PROBABILITIES,
    MlTaskTypeValues.REGRESSION: Answer.NUMBERS,
    MlTaskTypeValues.FORECASTING: Answer.NUMBERS,
}

# What a function was loaded with: whoever registers that speaks of all its functions.
_loaded_with: Final[ByIdentity["weakref.ref[Any]"]] = ByIdentity()

# Where the wrappers on TensorFlow's classes find us.
hooks: Final = Hooks()


class TensorflowInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call of a function that a SavedModel was loaded with.

    Other functions of TensorFlow are programs, not models, and stay silent; what they call too.
    """

    framework = FRAMEWORKS["tensorflow"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, a loaded function, tells of itself."""
        return _Function(settings, model, is_part)

    def cover(self, coverage: Coverage) -> None:
        """Wrap how functions are called, and what loads them, for only loaded ones are models."""

        def cover_signatures(module: ModuleType) -> None:
            coverage.observe(module.ConcreteFunction, "__call__")

        def cover_functions(module: ModuleType) -> None:
            coverage.observe(module.Function, "__call__")

        def cover_loading(module: ModuleType) -> None:
            coverage.load(module, "load")

        package = "tensorflow.python.eager.polymorphic_function"
        coverage.when_imported(f"{package}.concrete_function", cover_signatures)
        coverage.when_imported(f"{package}.polymorphic_function", cover_functions)
        for place in ("tensorflow.python.saved_model.load", "tensorflow._api.v2.saved_model"):
            coverage.when_imported(place, cover_loading)

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Loaded | None:
        """Return the first signature, which stands for all that can be called; None without any."""
        place = str(args[0] if args else kwargs["export_dir"])
        functions = [] if result is None else _functions(result)
        for function in functions:
            sources.remember(function, place)
            _loaded_with.remember(function, weakref.ref(result))
        return Loaded(next(iter(functions), None), place)

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return the observer's `observe` for calls of loaded functions."""

        def observe(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            if not args or sources.get(args[0]) is None or not _is_eager():
                return original(*args, **kwargs)
            return observer.observe(original, method, args, kwargs)

        return observe


def _is_eager() -> bool:
    """Whether something is computed now, not a graph built that computes it later."""
    return bool(sys.modules["tensorflow"].executing_eagerly())


def _functions(loaded: Any) -> list[Any]:
    """Return what can be called of a SavedModel: its signatures, by name, then its other functions."""
    signatures = getattr(loaded, "signatures", {})
    held = (*signatures.values(), *vars(loaded).values())
    return [function for function in held if callable(function)]


def _said(function: Any) -> Registration:
    """Return what was said of *function*, or else of what it was loaded with."""
    whole = _loaded_with.get(function)
    of_whole = None if whole is None else registrations.get(whole())
    return registrations.get(function) or of_whole or Registration()


class _Function:
    """
    What is read of a loaded function once.

    What its outputs mean is not in the file: shapes are told, more where the task is registered.
    """

    def __init__(self, settings: Settings, function: Any, is_part: bool) -> None:
        said = _said(function)
        self.feature_names = said.feature_names
        self._answer = Answer.UNKNOWN if said.task is None else _ANSWERS.get(said.task)
        self._answers = Answers(settings, said.class_names, are_numbered=True)
        self.model = identify(
            function,
            settings,
            framework_of(type(function), MlFrameworkNameValues.TENSORFLOW.value),
            None,
            said=said,
            is_part=is_part,
        )

    def operation(self, _method: str) -> str:
        """Return `predict`, whatever the function is called."""
        return MlOperationNameValues.PREDICT.value

    def table(self, _method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return the only input, or several of them, each with its name; without names the first."""
        if args or len(kwargs) == 1:
            return first_argument(args, kwargs)
        return several({name: read_table(value) for name, value in kwargs.items()})

    def matters_unsampled(self, _method: str) -> bool:
        """Whether the function is known to give confidences."""
        return self._answer is Answer.PROBABILITIES

    def outputs(self, _method: str, output: Any, captured: Captured) -> Facts:
        """Return what the first output says."""
        first = _first(output)
        values = plain_array(first)
        if values is None:
            return describe_shape(first)
        return self._answers.describe(self._answer or Answer.UNKNOWN, values, captured)


def _first(output: Any) -> Any:
    if isinstance(output, Mapping):
        return next(iter(output.values()), None)
    return output[0] if isinstance(output, (list, tuple)) and output else output
