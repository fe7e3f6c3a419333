"""Keras 3: which calls of a model are inferences, and what its last layer says of its answers."""

import re
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.models import Registration, framework_of, registrations
from otel_ml.describe.probabilities import describe_shape
from otel_ml.describe.several import several
from otel_ml.describe.tensors import plain_array
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._arguments import given_first
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._identity import Metadata, identify
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded, file_of
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["KerasInstrumentor"]

_PREDICTS: Final = ("predict", "predict_on_batch")
_TRAINS: Final = ("fit", "train_on_batch")
_EVALUATES: Final = ("evaluate", "test_on_batch")
_CALL: Final = "__call__"
_NUMBERED: Final = re.compile(r"_\d+")
_REGRESSES: Final = frozenset(
    {"huber", "log_cosh", "mae", "mape", "mean_absolute_error", "mean_squared_error", "mse", "msle"}
)
_BINARY: Final = 2
_DEEPEST: Final = 16  # models in models

# Where the wrappers on Keras' classes find us.
hooks: Final = Hooks()


class KerasInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call that asks a Keras model to predict.

    Calls that train, that build a graph, or that trace one are none; nor are calls of a layer by
    itself, unless it is registered as a model.
    """

    framework = FRAMEWORKS["keras"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, a model or a registered layer, tells of itself."""
        return _Model(settings, model, is_part)

    def cover(self, coverage: Coverage) -> None:
        """Wrap the methods of models, which the back end in use defines, and the call of layers."""

        def cover_models(keras: ModuleType) -> None:
            for owner in keras.Model.__mro__[:-1]:
                coverage.observe(owner, *_PREDICTS)
                coverage.guard(owner, *_TRAINS, trains=True)
                coverage.guard(owner, *_EVALUATES)
            coverage.observe(keras.Layer, _CALL)
            # Its first call builds it: only then are its outputs known.
            coverage.guard(keras.Sequential, "build", trains=True)
            for place in (keras.models, keras.saving):
                coverage.load(place, "load_model")

        coverage.when_imported("keras", cover_models)

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Loaded:
        """Return the model, and the file that it was read from."""
        return Loaded(result, file_of(args[0] if args else kwargs.get("filepath")))

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return the observer's `observe`, except for calls that answer nobody."""

        def observe(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            try:
                is_training = method == _CALL and bool(kwargs.get("training"))
                is_silent = method == _CALL and not is_training and not _answers(args)
            except Exception:  # noqa: BLE001 - a truth that only the graph will know, an odd input
                return original(*args, **kwargs)
            if is_silent:
                return original(*args, **kwargs)
            if is_training:
                return observer.guard(original, trains=False, args=args, kwargs=kwargs)
            return observer.observe(original, method, args, kwargs)

        return observe


def _answers(args: tuple[Any, ...]) -> bool:
    """Whether a call is one of a model that computes now, not of a layer or of a graph to be."""
    keras = sys.modules["keras"]
    if not args or not (isinstance(args[0], keras.Model) or registrations.get(args[0])):
        return False
    return not any(map(_is_symbolic, args[1:])) and _is_eager()


def _is_symbolic(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_symbolic, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_symbolic, value))
    return type(value).__name__ == "KerasTensor" or type(value).__name__.endswith("Tracer")


def _is_eager() -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is None or bool(tensorflow.executing_eagerly())


class _Model:
    """What is read of a model once, until one is trained again."""

    def __init__(self, settings: Settings, model: Any, is_part: bool) -> None:
        said = registrations.get(model) or Registration()
        self.feature_names = said.feature_names
        activation, units = _last_activation(model), _units(model)
        self._is_one_logistic = activation == "sigmoid" and units == 1
        task = said.task or _task(activation, units, model)
        self._answer = _answer(activation, task)
        self._answers = Answers(settings, said.class_names, are_numbered=True)
        self.model = identify(
            model,
            settings,
            framework_of(type(model), MlFrameworkNameValues.KERAS.value),
            task,
            _metadata(model),
            is_part=is_part,
        )

    def operation(self, _method: str) -> str:
        """Return `predict`, by whatever method."""
        return MlOperationNameValues.PREDICT.value

    def table(self, _method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return the inputs; of a model with several, where each has one column, one table."""
        given = given_first(args, kwargs)
        if isinstance(given, Mapping):
            return several({str(name): read_table(value) for name, value in given.items()})
        if isinstance(given, (list, tuple)) and given and hasattr(given[0], "shape"):
            return several({f"x{place}": read_table(value) for place, value in enumerate(given)})
        return read_table(given)

    def matters_unsampled(self, _method: str) -> bool:
        """Whether the model gives confidences."""
        return self._answer is Answer.PROBABILITIES

    def outputs(self, _method: str, output: Any, captured: Captured) -> Facts:
        """Return what the last layer's activation says; of several outputs the first one's shape."""
        is_one = hasattr(output, "shape")
        first = output if is_one else _first(output)
        plain = plain_array(first)
        values = first if plain is None else plain
        if not is_one or type(values).__name__ != "ndarray":
            return describe_shape(values)
        if self._is_one_logistic and values.ndim == _BINARY and self._answer is not Answer.UNKNOWN:
            values = sys.modules["numpy"].concatenate([1.0 - values, values], axis=1)
        return self._answers.describe(self._answer, values, captured)


def _first(output: Any) -> Any:
    values = list(output.values()) if isinstance(output, Mapping) else output
    return values[0] if isinstance(values, (list, tuple)) and values else None


def _last_activation(model: Any) -> str | None:
    """Return the name of the activation of the only output, None where there are several or none."""
    layer = model
    for _ in range(_DEEPEST):
        inner = _output_layer(layer)
        if inner is None:
            break
        layer = inner
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def _output_layer(model: Any) -> Any:
    outputs = getattr(model, "outputs", None)
    if not isinstance(outputs, list) or len(outputs) != 1:
        return None
    layers = getattr(model, "layers", None)
    history = getattr(outputs[0], "_keras_history", None)
    return getattr(history, "operation", None) or (layers[-1] if layers else None)


def _units(model: Any) -> int | None:
    """Return the length of the last axis of the only output."""
    shape = getattr(model, "output_shape", None) if getattr(model, "built", False) else None
    return shape[-1] if isinstance(shape, tuple) and shape and isinstance(shape[-1], int) else None


def _task(activation: str | None, units: int | None, model: Any) -> MlTaskTypeValues | None:
    if units is None:
        return None
    if activation == "softmax":
        is_binary = units == _BINARY
    elif activation == "sigmoid":
        is_binary = units == 1
        if not is_binary:
            return MlTaskTypeValues.MULTILABEL_CLASSIFICATION
    else:
        return MlTaskTypeValues.REGRESSION if _loss(model) in _REGRESSES else None
    if is_binary:
        return MlTaskTypeValues.BINARY_CLASSIFICATION
    return MlTaskTypeValues.MULTICLASS_CLASSIFICATION


def _loss(model: Any) -> str | None:
    loss = getattr(model, "loss", None)
    name = loss if isinstance(loss, str) else getattr(loss, "name", None)
    return name if isinstance(name, str) else None


def _answer(activation: str | None, task: MlTaskTypeValues | None) -> Answer:
    if task is MlTaskTypeValues.REGRESSION:
        return Answer.NUMBERS
    is_classification = task in {
        MlTaskTypeValues.BINARY_CLASSIFICATION,
        MlTaskTypeValues.MULTICLASS_CLASSIFICATION,
    }
    knows = activation in {"softmax", "sigmoid"}
    return Answer.PROBABILITIES if is_classification and knows else Answer.UNKNOWN


def _metadata(model: Any) -> Metadata:
    """Return the model's name, unless Keras made it up and numbered it, and the type of its weights."""
    name, precision = getattr(model, "name", None), getattr(model, "variable_dtype", None)
    made_up = _snake_case(type(model).__name__)
    is_given = isinstance(name, str) and _NUMBERED.sub("", name) != made_up
    return Metadata(
        name=name if is_given else None,
        facts={keys.ML_MODEL_PRECISION: precision} if isinstance(precision, str) else {},
    )


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
