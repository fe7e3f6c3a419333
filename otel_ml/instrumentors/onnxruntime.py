"""ONNX Runtime: which methods of a session run its model, and how sessions, feeds and answers are read."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from itertools import chain
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.models import Registration, framework_of, registrations
from otel_ml.describe.probabilities import class_label, describe_shape, one_array, two_classes
from otel_ml.describe.several import several
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._identity import Metadata, identify, stored_at
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded, loaded_into
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

__all__ = ["OnnxRuntimeInstrumentor", "OnnxSession"]

_BOUND: Final = "run_with_iobinding"
_RUNS: Final = ("run", "run_with_ort_values", _BOUND, "run_async")
_ANSWERS: Final = frozenset({"run", "run_async"})  # others may leave outputs on a device
_FEEDS: Final = {"run_with_ort_values": "input_dict_ort_values"}  # what others call `input_feed`
_CALLBACK: Final = 3  # its position in `run_async`, after the session, the outputs and the feed

# What converters of scikit-learn, XGBoost and LightGBM models call their outputs.
_LABELS: Final = frozenset({"label", "labels", "output_label", "predicted_label"})
_PROBABILITIES: Final = frozenset({"output_probability", "probabilities", "probability"})
_NUMBERS: Final = frozenset({"variable", "variables"})

# What exporters call a graph where nobody gave it a name.
_NO_NAMES: Final = frozenset(
    {
        "graph",
        "main",
        "main_graph",
        "model",
        "onnx_model",
        "tf2onnx",
        "torch_jit",
        "torch_jit_export",
    }
)
_UUID_DIGITS: Final = 32
_HEXADECIMAL: Final = frozenset("0123456789abcdef")
_NO_VERSIONS: Final = frozenset({0, 2**63 - 1})  # what a file without a version is said to have
_PROVIDER: Final = "ExecutionProvider"

_CLASSIFIES: Final = frozenset(
    {MlTaskTypeValues.BINARY_CLASSIFICATION, MlTaskTypeValues.MULTICLASS_CLASSIFICATION}
)
_PREDICTS_NUMBERS: Final = frozenset({MlTaskTypeValues.REGRESSION, MlTaskTypeValues.FORECASTING})
_NOT_TOLD: Final[Facts] = {}
_BINARY: Final = 2
_TABLE_AXES: Final = 2

# Where the wrappers on ONNX Runtime's classes find us.
hooks: Final = Hooks()


class OnnxRuntimeInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every run of an `InferenceSession`.

    A run that is asynchronous is one inference from its submission to its callback, a child of
    what was current at the submission; the callback sees the context of the submission.
    """

    framework = FRAMEWORKS["onnxruntime"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, a session, tells of itself."""
        return OnnxSession(settings, model, is_part)

    def cover(self, coverage: Coverage) -> None:
        """Wrap what all sessions run by, and see when one goes to another device."""

        def cover_sessions(collection: ModuleType) -> None:
            coverage.observe(collection.Session, *_RUNS)
            coverage.guard(collection.Session, "set_providers", trains=True)
            coverage.load(collection.InferenceSession, "__init__")

        coverage.when_imported("onnxruntime.capi.onnxruntime_inference_collection", cover_sessions)

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], _result: Any
    ) -> Loaded:
        """Return the session, and the file that it was made of."""
        return loaded_into(args, kwargs, "path_or_bytes")

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return the observer's `observe`, except for runs that end in a callback."""
        observe = observer.observe

        def observe_run(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            if method == "run_async":
                return _submit(observer, original, args, kwargs)
            return observe(original, method, args, kwargs)

        return observe_run


def _submit(
    observer: Observer,
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call *original*, `run_async`, and end the inference when its callback is called."""
    by_position = len(args) > _CALLBACK
    callback: Any = args[_CALLBACK] if by_position else kwargs.get("callback")
    call = observer.open("run_async", args, kwargs, original) if callable(callback) else None
    if call is None:
        return original(*args, **kwargs)
    # The callback is called in a thread of C++, which has no context of its own.
    context = copy_context()

    def answered(results: Any, user_data: Any, failure: str) -> Any:
        observer.close(call, results, _error(failure) if failure else None)
        return context.run(callback, results, user_data, failure)

    if by_position:
        args = (*args[:_CALLBACK], answered, *args[_CALLBACK + 1 :])
    else:
        kwargs = {**kwargs, "callback": answered}
    try:
        return original(*args, **kwargs)
    except BaseException as error:
        observer.close(call, None, error)
        raise


def _error(failure: str) -> BaseException:
    """Return what `run` would have raised, of which a callback is told the message only."""
    state = sys.modules["onnxruntime.capi.onnxruntime_pybind11_state"]
    error: BaseException = state.Fail(failure)
    return error


class OnnxSession:
    """
    What is read of a session once.

    Of a model with several inputs, those are its features where each has one column; else the
    first of them tells how many samples there are, and only missing values are told of all.
    """

    asks_for = "output_names"
    answers_elsewhere = frozenset({_BOUND})

    def __init__(self, settings: Settings, session: Any, is_part: bool) -> None:
        said = registrations.get(session) or Registration()
        outputs = session.get_outputs()
        self._settings = settings
        self._answers = Answers(settings, said.class_names)
        self._are_named = said.class_names is not None
        self._inputs = tuple(declared.name for declared in session.get_inputs())
        self._outputs = tuple(declared.name for declared in outputs)
        self._label = _named(outputs, _LABELS)
        self._probability = _named(outputs, _PROBABILITIES)
        # One column is that of the second class; of an output without such a name it may be a logit.
        self._convert = _same if self._probability is None else two_classes
        self._number = _named(outputs, _NUMBERS)
        if said.task in _CLASSIFIES and self._label is None and self._probability is None:
            self._probability = self._outputs[0]
        if said.task in _PREDICTS_NUMBERS:
            self._number = self._number or self._outputs[0]
        elif self._label is not None or self._probability is not None:
            self._number = None
        self.distributions = (
            {} if self._probability is None else dict.fromkeys(_ANSWERS, self._given)
        )
        self.reads_values = any((self._label, self._probability, self._number))
        self._answers_per_sample = _share_first_axis(session.get_inputs(), outputs)
        self.feature_names = said.feature_names
        framework = framework_of(type(session), MlFrameworkNameValues.ONNXRUNTIME.value)
        self.model = identify(
            session,
            settings,
            framework,
            said.task or self._task(outputs),
            _metadata(session),
            is_part=is_part,
        )

    def _task(self, outputs: Sequence[Any]) -> MlTaskTypeValues | None:
        if self._probability is not None:
            return _classification(outputs[self._outputs.index(self._probability)].shape)
        return MlTaskTypeValues.REGRESSION if self._number is not None else None

    def operation(self, _method: str) -> str:
        """Return `predict`, whatever way the model is run."""
        return MlOperationNameValues.PREDICT.value

    def table(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return what is fed; of what is bound to a device nothing is known."""
        feed = args[1] if len(args) > 1 else kwargs.get(_FEEDS.get(method, "input_feed"))
        if not isinstance(feed, (dict, Mapping)):
            return Table(None)
        if len(self._inputs) == 1:
            return read_table(feed.get(self._inputs[0]))
        return several({name: read_table(feed[name]) for name in self._inputs if name in feed})

    def matters_unsampled(self, method: str) -> bool:
        """Whether the model gives confidences."""
        return self._probability is not None and method in _ANSWERS

    def outputs(self, method: str, output: Any, captured: Captured) -> Facts:
        """Return class and confidence, or numbers, of outputs known for that; else the first's shape."""
        if method == _BOUND:
            return self._bound(captured.argument("iobinding").get_outputs(), captured)
        if method == "run_with_ort_values":
            return _shape_of(output[0])
        asked = captured.argument("output_names") or self._outputs
        answers = dict(zip(asked, output, strict=False))  # names may have been used up by the call
        return self._told(answers, captured) or describe_shape(output[0])

    def _given(self, outputs: Any) -> Any:
        """Return the probabilities in all *outputs*."""
        probabilities = outputs[self._outputs.index(self._probability or "")]
        if isinstance(probabilities, list):
            return _rows(probabilities)
        return one_array(self._convert(probabilities))

    def _bound(self, bound: Sequence[Any], captured: Captured) -> Facts:
        facts = _shape_of(bound[0])
        if facts and self._answers_per_sample:
            captured.positions(bound[0].shape()[0])  # the inputs could not be asked
        return facts

    def _told(self, answers: Mapping[str, Any], captured: Captured) -> Facts:
        numbers = answers.get(self._number or "")
        if numbers is not None:
            return self._answers.describe(Answer.NUMBERS, numbers, captured)
        label, probabilities = answers.get(self._label or ""), answers.get(self._probability or "")
        classes, confidences = _NOT_TOLD, _NOT_TOLD
        if label is not None:
            classes = self._answers.describe(Answer.CLASSES, label, captured)
        if probabilities is not None:
            confidences = self._confidences(probabilities, captured)
        # What a user calls the classes comes before what the model calls them.
        return {**classes, **confidences} if self._are_named else {**confidences, **classes}

    def _confidences(self, probabilities: Any, captured: Captured) -> Facts:
        answers = self._answers
        if isinstance(probabilities, list):  # of each sample, a map of classes
            if not probabilities or not isinstance(probabilities[0], dict):
                return _NOT_TOLD  # of each of several targets, an array
            if not self._are_named:
                answers = Answers(self._settings, tuple(map(class_label, probabilities[0])))
            probabilities = _rows(probabilities)
        else:
            probabilities = self._convert(probabilities)
        return answers.describe(Answer.PROBABILITIES, probabilities, captured)


def _same(probabilities: Any) -> Any:
    return probabilities


def _rows(maps: Sequence[dict[Any, float]]) -> Any:
    """Return an array with the values of each of *maps* as a row."""
    # One by one: lists of them would be as many objects again, for the garbage collector to look at.
    values = chain.from_iterable(map(dict.values, maps))
    size = len(maps) * len(maps[0])
    return sys.modules["numpy"].fromiter(values, "float32", size).reshape(len(maps), -1)


def _named(outputs: Sequence[Any], names: frozenset[str]) -> str | None:
    return next((declared.name for declared in outputs if declared.name in names), None)


def _classification(shape: Any) -> MlTaskTypeValues | None:
    """Return the task, by the number of classes; None where the model does not declare it."""
    if not isinstance(shape, list) or len(shape) != _TABLE_AXES or not isinstance(shape[1], int):
        return None
    if shape[1] <= _BINARY:
        return MlTaskTypeValues.BINARY_CLASSIFICATION
    return MlTaskTypeValues.MULTICLASS_CLASSIFICATION


def _share_first_axis(inputs: Sequence[Any], outputs: Sequence[Any]) -> bool:
    """Whether the model declares one row of its first output for each of its first input."""
    first = [declared[0].shape for declared in (inputs, outputs) if declared]
    return all(first) and len({shape[0] for shape in first}) == 1


def _shape_of(answer: Any) -> Facts:
    """Return shape and type of an `OrtValue`, which may be on a device."""
    types = read_table(answer).types()
    if types is None:  # a sequence or a map
        return _NOT_TOLD
    return {keys.ML_OUTPUT_SHAPE: tuple(answer.shape()), keys.ML_OUTPUT_DTYPE: types[0]}


def _metadata(session: Any) -> Metadata:
    """
    Return name, version and device of the model.

    The name is `model_name` of the file's own metadata, else the graph's, unless an exporter made
    it up, else the file's; the version is `model_version` there, else the one of the ONNX file.
    """
    meta = session.get_modelmeta()
    own = meta.custom_metadata_map
    version = None if meta.version in _NO_VERSIONS else str(meta.version)
    file = stored_at(getattr(session, "_model_path", None) or "")  # there is no public place
    return Metadata(
        name=own.get("model_name") or _graph_name(meta.graph_name) or file.name,
        version=own.get("model_version") or version or file.version,
        facts={keys.ML_DEVICE_NAME: _device(session)},
    )


def _graph_name(name: str) -> str | None:
    is_uuid = len(name) == _UUID_DIGITS and _HEXADECIMAL.issuperset(name)
    return None if is_uuid or name.lower().replace("-", "_") in _NO_NAMES else name


def _device(session: Any) -> str:
    """Return the device that is preferred; what it cannot run may still run on the processor."""
    provider = session.get_providers()[0]
    number = session.get_provider_options().get(provider, {}).get("device_id")
    name: str = provider.removesuffix(_PROVIDER).lower()
    return name if number is None else f"{name}:{number}"
