"""MLflow: models behind its Python function, whatever framework they are of, and who they are in the registry."""

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.models import Registration, framework_of, registrations, sources
from otel_ml.describe.series import is_row, one_sample
from otel_ml.describe.several import several
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._identity import Metadata, identify, stored_at
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._turns import iterate, within
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.instrumentors.sklearn import Estimator
from otel_ml.running import NO_INFERENCE, running
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["MlflowInstrumentor"]

_LOADS: Final = "load_model"
_STREAMS: Final = "predict_stream"
# Where autologging asks a model that has just been trained: for its metrics, for its signature.
_RESOLVES: Final = "resolve_input_example_and_signature"
_AUTOLOGS: Final = {
    "mlflow.sklearn.utils": ("_log_estimator_content", "_log_specialized_estimator_content"),
    "mlflow.sklearn": (_RESOLVES,),
    "mlflow.lightgbm": (_RESOLVES,),
    "mlflow.tensorflow": (_RESOLVES,),
    "mlflow.xgboost": (_RESOLVES,),
}
# Types of a signature's columns and tensors.
_OF_ONE_SAMPLE: Final = frozenset({"Array", "Object"})
_TRUTHS: Final = frozenset({"boolean", "bool"})
_CLASSES: Final = _TRUTHS | {"string", "str"}
_NUMBERS: Final = ("bool", "date", "double", "float", "int", "long", "uint")

# Where the wrappers on MLflow's classes find us.
hooks: Final = Hooks()


class MlflowInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call of an MLflow model's Python function.

    The framework inside stays silent: the call is one inference, and MLflow knows best whose.
    """

    framework = FRAMEWORKS["mlflow"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, a `PyFuncModel`, tells of itself."""
        return _PyFunc(settings, model, is_part)

    def cover(self, coverage: Coverage) -> None:
        """Wrap what predicts, and what loads a model, for it is told which one; guard what logs one."""

        def cover_pyfunc(pyfunc: ModuleType) -> None:
            coverage.observe(pyfunc.PyFuncModel, "predict", _STREAMS)
            coverage.load(pyfunc, _LOADS)

        def cover_logging(models: ModuleType) -> None:
            coverage.guard(models.Model, "log")

        coverage.when_imported("mlflow.pyfunc", cover_pyfunc)
        coverage.when_imported("mlflow.models.model", cover_logging)
        for name, functions in _AUTOLOGS.items():
            coverage.when_imported(name, partial(_guard, coverage, functions))

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return what tells the two ways to ask a model apart."""

        def observe(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            if method == _STREAMS:
                return _stream(observer, original, args, kwargs)
            return observer.observe(original, method, args, kwargs)

        return observe

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Loaded | None:
        """
        Return the model, the address by which it was asked for, and the run that logged it.

        None of one that is only tried, as when it is logged with an example of its inputs.
        """
        if NO_INFERENCE in running.get():
            return None
        uri = str(args[0] if args else kwargs.get("model_uri"))
        known = _from_uri(uri)
        facts = {}
        if known.version is not None:
            facts[keys.ARTIFACT_PURL] = f"pkg:mlflow/{known.name}@{known.version}"
        run = getattr(getattr(result, "metadata", None), "run_id", None)
        if run:
            facts[keys.ML_TRAINING_RUN_ID] = f"mlflow:{run}"
        return Loaded(result, uri, facts)


def _stream(
    observer: Observer, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running.get():
        return original(*args, **kwargs)
    with within(args[0] if args else None):
        chunks = original(*args, **kwargs)  # now, for it may refuse what it is given
    return iterate(observer, lambda *_, **__: _each(chunks), _STREAMS, args, kwargs)


def _each(chunks: Iterable[Any]) -> Generator[Any, Any, Any]:
    """Yield what *chunks* do, which older versions give as the model itself does: any iterator."""
    return (yield from chunks)


def _guard(coverage: Coverage, functions: tuple[str, ...], module: ModuleType) -> None:
    coverage.guard(module, *functions)


class _PyFunc:
    """What is read of an MLflow model once."""

    def __init__(self, settings: Settings, model: Any, is_part: bool) -> None:
        said = registrations.get(model) or Registration()
        inside = _inside(model)
        self._estimator = Estimator(settings, inside, is_part) if _is_estimator(inside) else None
        self._asks = _function(model)
        self._answers = Answers(settings)
        self._schema = model.metadata.get_input_schema()
        self._tells_classes = _tells_classes(model, settings)
        self.feature_names = said.feature_names or _input_names(model)
        task = None if self._estimator is None else self._estimator.model.task
        if self.feature_names is None and self._estimator is not None:
            self.feature_names = self._estimator.feature_names
        self.model = identify(
            model,
            settings,
            framework_of(type(model), MlFrameworkNameValues.MLFLOW.value),
            None if task is None else MlTaskTypeValues(task),
            _metadata(model, inside),
            is_part=is_part,
        )

    def operation(self, _method: str) -> str:
        """Return `predict`: what is behind the function is not told."""
        return MlOperationNameValues.PREDICT.value

    def table(self, _method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """
        Return the samples, as the signature brings them into their form.

        A row of a data frame becomes a column by it, else it is one sample; what a mapping holds is
        told by it alone.
        """
        data = args[0] if args else kwargs.get("data")
        if self._schema is None:
            return read_table(one_sample(data) if is_row(data) else data)
        return _of_mapping(data, self._schema) if isinstance(data, dict) else read_table(data)

    def matters_unsampled(self, _method: str) -> bool:
        """Whether the function gives confidences."""
        return self._estimator is not None and self._estimator.matters_unsampled(self._asks)

    def outputs(self, method: str, output: Any, captured: Captured) -> Facts:
        """Return what scikit-learn's estimators tell; of other models the classes, or the shape."""
        if method == _STREAMS:
            return {}
        if self._estimator is not None:
            return self._estimator.outputs(self._asks, output, captured)
        answer = Answer.CLASSES if self._tells_classes else Answer.UNKNOWN
        return self._answers.describe(answer, output, captured)


def _of_mapping(data: dict[Any, Any], schema: Any) -> Table:
    """Return one sample, or the columns or tensors of several, as MLflow makes of a mapping."""
    if not schema.is_tensor_spec():
        kinds = {type(column.type).__name__ for column in schema.inputs}
        if not _OF_ONE_SAMPLE.isdisjoint(kinds) or all(map(_is_one_value, data.values())):
            return read_table([data])
    return several({str(name): read_table(values) for name, values in data.items()})


def _is_one_value(value: Any) -> bool:
    """Whether *value* is no column: a list of texts is taken for the value of one sample."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], str)
    return isinstance(value, (str, bytes)) or not hasattr(value, "__len__")


def _inside(model: Any) -> Any:
    """Return the framework's own model, None where MLflow does not give it."""
    with suppress(Exception):  # of most flavours it is not there, which MLflow raises
        return model.get_raw_model()
    return None


def _is_estimator(model: Any) -> bool:
    base = getattr(sys.modules.get("sklearn.base"), "BaseEstimator", None)
    return base is not None and isinstance(model, base)


def _function(model: Any) -> str:
    """Return the name of the method that MLflow calls: `predict`, or `predict_proba` where asked."""
    return str(model.metadata.flavors.get("python_function", {}).get("predict_fn", "predict"))


def _input_names(model: Any) -> tuple[str, ...] | None:
    schema = model.metadata.get_input_schema()
    if schema is None or not schema.has_input_names():
        return None
    return tuple(map(str, schema.input_names()))


def _tells_classes(model: Any, settings: Settings) -> bool:
    """
    Whether the signature says that the answer is one truth value, or one text, per sample.

    A text that answers nothing but texts may be anything that somebody or something wrote: it is a
    class only where everything of outputs is asked for.
    """
    answers = _types(model.metadata.get_output_schema())
    if len(answers) != 1 or answers[0] not in _CLASSES:
        return False
    is_told = answers[0] in _TRUTHS or settings.capture_outputs == "full"
    inputs = _types(model.metadata.get_input_schema())
    return is_told or any(name.startswith(_NUMBERS) for name in inputs)


def _types(schema: Any) -> list[str]:
    """Return the types of the columns or tensors of a signature, none without one."""
    types = [] if schema is None else schema.input_types()
    return [str(getattr(each, "name", each)) for each in types]


def _metadata(model: Any, inside: Any) -> Metadata:
    """Return what the registry knows; without a name there, the class of the model *inside*."""
    known = _from_uri(sources.get(model) or "")
    model_id = getattr(model, "model_id", None)
    facts = {keys.ML_MODEL_ID: f"models:/{model_id}", **known.facts} if model_id else known.facts
    own_name = None if inside is None else type(inside).__name__
    return Metadata(known.name or own_name, known.version, facts)


def _from_uri(uri: str) -> Metadata:
    """
    Return what the address says that a model was loaded by.

    `models:/fraud/3`, `models:/fraud@champion`, `models:/fraud/Staging`, `models:/m-4f1c`,
    `runs:/<run>/fraud`, or the path of a folder.
    """
    scheme, _, rest = uri.partition(":/")
    place = rest.strip("/")
    if scheme != "models":
        known = stored_at(place or uri)
        return known._replace(facts={keys.ML_MODEL_ID: uri}) if scheme == "runs" else known
    name, _, alias = place.partition("@")
    if alias:
        return Metadata(name=name, facts={keys.ML_MODEL_ALIAS: alias})
    name, _, version = place.rpartition("/")
    if not name:  # the identifier of a logged model
        return Metadata(facts={keys.ML_MODEL_ID: f"models:/{place}"})
    if version.isdecimal():
        facts = {keys.ML_MODEL_ID: f"models:/{name}/{version}"}
        return Metadata(name=name, version=version, facts=facts)
    return Metadata(name=name, facts={keys.ML_MODEL_ALIAS: version})
