"""One call of a model, observed: what every framework's instrumentor does, in the order it happens."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from time import perf_counter, time_ns
from typing import Any, Final, Protocol

from otel_ml.describe.arrays import Table, read_table, schema_hash
from otel_ml.describe.models import ByIdentity, Model, registrations
from otel_ml.describe.samples import ContentPolicy, draw_rows, names_in_force
from otel_ml.describe.values import Facts
from otel_ml.inference import Inference
from otel_ml.recorder import Channel, InferenceRecorder, Recording
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys

__all__ = ["Observer", "Subject"]

_Args = tuple[Any, ...]
_Kwargs = dict[str, Any]
_Function = Callable[..., Any]

# What runs in this context, for all frameworks: nothing; something inside of which no call of a
# model is an inference (training, a worker of a parallel call); or the model of this identity.
_NOTHING: Final = 0
_NO_INFERENCE: Final = -1
_running: Final[ContextVar[int]] = ContextVar("otel_ml_running", default=_NOTHING)

_UNKNOWN: Final[Facts] = {}


class Subject(Protocol):
    """A model as its framework reads it, once, until a model is trained again."""

    model: Model
    feature_names: tuple[str, ...] | None

    def operation(self, method: str) -> str:
        """Return the value of `ml.operation.name` for *method*."""

    def matters_unsampled(self, method: str) -> bool:
        """Whether the outputs of *method* hold something that metrics need of every call."""

    def outputs(self, method: str, output: Any, captured: "Captured") -> Facts:
        """Return what is to be told of *output*, of the samples that *captured* gives."""


class Captured(Protocol):
    """Tells which samples of an output are captured."""

    def positions(self, length: int) -> Sequence[int] | None:
        """Return positions in an output of *length* samples; None if the input had another number."""


class _Call:
    """What is known of a call before its model is asked."""

    __slots__ = (
        "_max_rows",
        "content_rows",
        "inputs",
        "missing_count",
        "recording",
        "subject",
        "table",
    )

    def __init__(self, subject: Subject, table: Table, recording: Recording, max_rows: int) -> None:
        self.subject = subject
        self.table = table
        self.recording = recording
        self.inputs: Facts = _UNKNOWN
        self.missing_count: int | None = None
        self.content_rows: Sequence[int] | None = None
        self._max_rows = max_rows

    def positions(self, length: int) -> Sequence[int] | None:
        """Return the positions of the samples whose inputs are captured, or else might have been."""
        if self.table.rows is None:
            self.table.rows = length
        if self.table.rows != length:
            return None
        return draw_rows(length, self._max_rows) if self.content_rows is None else self.content_rows


class Observer:
    """
    Lets the original be called and tells the recorder of it; nothing else of the call changes.

    Args:
        recorder: Where inferences go.
        settings: What may be captured.
        read: Gives the subject of a model, told whether that model is a part of another.
    """

    def __init__(
        self,
        recorder: InferenceRecorder,
        settings: Settings,
        read: Callable[[Any, bool], Subject],
    ) -> None:
        self._recorder = recorder
        self._read = read
        self._captures_parts = settings.capture_nested
        self._captures_outputs = settings.capture_outputs != "none"
        self._max_rows = settings.capture_max_rows
        self._policy: ContentPolicy | None = None
        if settings.capture_content == "span_only":
            self._policy = ContentPolicy(
                settings.capture_max_rows,
                settings.capture_max_features,
                settings.capture_max_bytes,
                settings.feature_allowlist,
                settings.feature_denylist,
            )
        self.forget()

    def forget(self) -> None:
        """Read every model anew when it is next called, for one of them was trained."""
        self._registrations_seen = registrations.changes
        self._models: ByIdentity[tuple[Subject, dict[str, Channel]]] = ByIdentity()
        self._parts: ByIdentity[tuple[Subject, dict[str, Channel]]] = ByIdentity()

    def guard(self, original: _Function, trains: bool, args: _Args, kwargs: _Kwargs) -> Any:
        """Call *original*, inside of which no call of a model is an inference."""
        if _running.get() == _NO_INFERENCE:
            return original(*args, **kwargs)
        token = _running.set(_NO_INFERENCE)
        try:
            return original(*args, **kwargs)
        finally:
            _running.reset(token)
            if trains:
                self.forget()

    def observe(self, original: _Function, method: str, args: _Args, kwargs: _Kwargs) -> Any:
        """Call *original*, and make an inference of it if it is the outermost call of a model."""
        running = _running.get()
        if running and not (self._captures_parts and _is_part(running, args)):
            return original(*args, **kwargs)
        if not args or not self._recorder.is_enabled():
            return original(*args, **kwargs)
        token = _running.set(id(args[0]))
        try:
            return self._call(original, method, args, kwargs, running != _NOTHING)
        finally:
            _running.reset(token)

    def _call(
        self, original: _Function, method: str, args: _Args, kwargs: _Kwargs, is_part: bool
    ) -> Any:
        call = self._begin(method, args, kwargs, is_part)
        started = perf_counter()
        try:
            output = original(*args, **kwargs)
        except BaseException as error:
            self._end(call, method, perf_counter() - started, None, error)
            raise
        self._end(call, method, perf_counter() - started, output, None)
        return output

    def _begin(self, method: str, args: _Args, kwargs: _Kwargs, is_part: bool) -> _Call | None:
        try:
            subject, channel = self._identify(args[0], method, is_part)
        except Exception as error:  # noqa: BLE001 - a model of the user's may raise anything
            self._recorder.failed("describe_model", error)
            return None
        table = self._table(args, kwargs)
        recording = self._recorder.begin(channel, table.rows)
        call = _Call(subject, table, recording, self._max_rows)
        try:
            self._describe_input(call)
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            self._recorder.failed("describe_input", error)
        return call

    def _identify(self, model: Any, method: str, is_part: bool) -> tuple[Subject, Channel]:
        if self._registrations_seen != registrations.changes:
            self.forget()
        known = self._parts if is_part else self._models
        entry = known.get(model)
        if entry is None:
            entry = (self._read(model, is_part), {})
            with suppress(TypeError):  # a model that cannot be weakly referenced is read every time
                known.remember(model, entry)
        subject, channels = entry
        channel = channels.get(method)
        if channel is None:
            function_name = f"{subject.model.type}.{method}"
            channel = channels[method] = self._recorder.channel(
                subject.model, subject.operation(method), function_name
            )
        return subject, channel

    def _table(self, args: _Args, kwargs: _Kwargs) -> Table:
        try:
            data = args[1] if len(args) > 1 else next(iter(kwargs.values()), None)
            return read_table(data)
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            self._recorder.failed("describe_input", error)
            return Table(None)

    def _describe_input(self, call: _Call) -> None:
        table, names = call.table, call.subject.feature_names
        call.missing_count = table.missing()
        if not call.recording.is_recording:
            return
        inputs = _shape_of_inputs(table, names, call.missing_count)
        # Before the call, for a model may work in place on what it is given.
        content = None if self._policy is None else self._policy.capture(table, names)
        if content is not None:
            inputs.update(content.facts)
            call.content_rows = content.rows
        call.inputs = inputs

    def _end(
        self,
        call: _Call | None,
        method: str,
        duration: float,
        output: Any,
        error: BaseException | None,
    ) -> None:
        if call is None:
            return
        end_time_ns = time_ns()
        outputs = _UNKNOWN if error is not None else self._outputs(call, method, output)
        inference = Inference(
            call.table.rows,
            duration,
            end_time_ns,
            call.missing_count,
            call.inputs,
            outputs,
            error,
        )
        self._recorder.end(call.recording, inference)

    def _outputs(self, call: _Call, method: str, output: Any) -> Facts:
        subject = call.subject
        if not self._captures_outputs or not (
            call.recording.is_recording or subject.matters_unsampled(method)
        ):
            return _UNKNOWN
        try:
            return subject.outputs(method, output, call)
        except Exception as error:  # noqa: BLE001 - an output of the user's may raise anything
            self._recorder.failed("describe_output", error)
            return _UNKNOWN


def _is_part(running: int, args: _Args) -> bool:
    """Whether another model than the running one is called, as a part of an inference."""
    return running != _NO_INFERENCE and bool(args) and id(args[0]) != running


def _shape_of_inputs(
    table: Table, names: tuple[str, ...] | None, missing_count: int | None
) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if table.columns is not None:
        facts[keys.ML_INPUT_FEATURE_COUNT] = table.columns
    if missing_count is not None:
        facts[keys.ML_INPUT_MISSING_COUNT] = missing_count
    schema = schema_hash(table, names_in_force(table, names))
    if schema is not None:
        facts[keys.ML_INPUT_SCHEMA_HASH] = schema
    if table.tensor_shape is not None:
        facts[keys.ML_INPUT_SHAPE] = table.tensor_shape
        types = table.types()
        if types is not None:
            facts[keys.ML_INPUT_DTYPE] = types[0]
    return facts
