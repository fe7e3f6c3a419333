"""One call of a model, observed: what every framework's instrumentor does, in the order it happens."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter, time_ns
from typing import Any, Final, Protocol

from otel_ml.describe.arrays import Table, read_table, schema_hash
from otel_ml.describe.models import ByIdentity, Model, registrations
from otel_ml.describe.samples import ContentPolicy, draw_rows, names_in_force
from otel_ml.describe.values import Facts
from otel_ml.inference import Inference
from otel_ml.recorder import Channel, InferenceRecorder, Recording
from otel_ml.running import NO_INFERENCE, NOTHING, running
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys

__all__ = ["Call", "Captured", "Observer", "Subject", "first_argument", "trainings", "within"]

_Args = tuple[Any, ...]
_Kwargs = dict[str, Any]
_Function = Callable[..., Any]

_UNKNOWN: Final[Facts] = {}


class Subject(Protocol):
    """A model as its framework reads it, once, until a model is trained again."""

    model: Model
    feature_names: tuple[str, ...] | None

    def operation(self, method: str) -> str:
        """Return the value of `ml.operation.name` for *method*."""

    def table(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return what *method* is asked about, given its arguments after the model."""

    def matters_unsampled(self, method: str) -> bool:
        """Whether the outputs of *method* hold something that metrics need of every call."""

    def outputs(self, method: str, output: Any, captured: "Captured") -> Facts:
        """Return what is to be told of *output*, of the samples that *captured* gives."""


class Captured(Protocol):
    """Tells which samples of an output are captured."""

    def positions(self, length: int) -> Sequence[int] | None:
        """Return positions in an output of *length* samples; None if the input had another number."""


class Call:
    """A call under way: what is known of it before its model has answered."""

    __slots__ = (
        "_max_rows",
        "content_rows",
        "inputs",
        "method",
        "missing_count",
        "recording",
        "started",
        "subject",
        "table",
    )

    def __init__(
        self, subject: Subject, method: str, table: Table, recording: Recording, max_rows: int
    ) -> None:
        self.method = method
        self.started = 0.0
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
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._seen = _changes()
        self._models: ByIdentity[tuple[Subject, dict[str, Channel]]] = ByIdentity()
        self._parts: ByIdentity[tuple[Subject, dict[str, Channel]]] = ByIdentity()

    def guard(self, original: _Function, trains: bool, args: _Args, kwargs: _Kwargs) -> Any:
        """Call *original*, inside of which no call of a model is an inference."""
        if running.get() == NO_INFERENCE:
            return original(*args, **kwargs)
        token = running.set(NO_INFERENCE)
        try:
            return original(*args, **kwargs)
        finally:
            running.reset(token)
            if trains:
                trainings.number += 1

    def observe(self, original: _Function, method: str, args: _Args, kwargs: _Kwargs) -> Any:
        """Call *original*, and make an inference of it if it is the outermost call of a model."""
        current = running.get()
        if current and not (self._captures_parts and _is_part(current, args)):
            return original(*args, **kwargs)
        if not args or not self._recorder.is_enabled():
            return original(*args, **kwargs)
        token = running.set(id(args[0]))
        try:
            return self._call(original, method, args, kwargs, current != NOTHING)
        finally:
            running.reset(token)

    def iterate(
        self, original: _Function, method: str, args: _Args, kwargs: _Kwargs
    ) -> Iterator[Any]:
        """
        Yield what *original*, a generator function, yields, and make one inference of it.

        It ends with the last step, or when the caller goes; what is told is the last step's
        output. Nothing of ours is current while the caller has its turn.
        """
        call = self.open(method, args, kwargs)
        steps = original(*args, **kwargs)
        output = None
        try:
            while True:
                with within(args[0] if args else None):
                    output = next(steps)
                yield output
        except StopIteration:
            self.close(call, output)
        except GeneratorExit:
            steps.close()
            self.close(call, output)
            raise
        except BaseException as error:
            self.close(call, None, error)
            raise

    def open(self, method: str, args: _Args, kwargs: _Kwargs) -> Call | None:
        """Begin an inference that `close` ends in another context; None where it is none."""
        if running.get() or not args or not self._recorder.is_enabled():
            return None
        call = self._begin(method, args, kwargs, is_part=False, is_current=False)
        if call is not None:
            call.started = perf_counter()
        return call

    def close(self, call: Call | None, output: Any, error: BaseException | None = None) -> None:
        """End what `open` began, with what the model returned or raised."""
        if call is not None:
            self._end(call, perf_counter() - call.started, output, error)

    def _call(
        self, original: _Function, method: str, args: _Args, kwargs: _Kwargs, is_part: bool
    ) -> Any:
        call = self._begin(method, args, kwargs, is_part)
        started = perf_counter()
        try:
            output = original(*args, **kwargs)
        except BaseException as error:
            self._end(call, perf_counter() - started, None, error)
            raise
        self._end(call, perf_counter() - started, output, None)
        return output

    def _begin(
        self, method: str, args: _Args, kwargs: _Kwargs, is_part: bool, is_current: bool = True
    ) -> Call | None:
        try:
            subject, channel = self._identify(args[0], method, is_part)
        except Exception as error:  # noqa: BLE001 - a model of the user's may raise anything
            self._recorder.failed("describe_model", error)
            return None
        table = self._table(subject, method, args, kwargs)
        recording = self._recorder.begin(channel, table.rows, is_current=is_current)
        call = Call(subject, method, table, recording, self._max_rows)
        try:
            self._describe_input(call)
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            self._recorder.failed("describe_input", error)
        return call

    def _identify(self, model: Any, method: str, is_part: bool) -> tuple[Subject, Channel]:
        if self._seen != _changes():
            self._begin_anew()
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

    def _table(self, subject: Subject, method: str, args: _Args, kwargs: _Kwargs) -> Table:
        try:
            return subject.table(method, args[1:], kwargs)
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            self._recorder.failed("describe_input", error)
            return Table(None)

    def _describe_input(self, call: Call) -> None:
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
        call: Call | None,
        duration: float,
        output: Any,
        error: BaseException | None,
    ) -> None:
        if call is None:
            return
        end_time_ns = time_ns()
        outputs = _UNKNOWN if error is not None else self._outputs(call, output)
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

    def _outputs(self, call: Call, output: Any) -> Facts:
        subject, method = call.subject, call.method
        if not self._captures_outputs or not (
            call.recording.is_recording or subject.matters_unsampled(method)
        ):
            return _UNKNOWN
        try:
            return subject.outputs(method, output, call)
        except Exception as error:  # noqa: BLE001 - an output of the user's may raise anything
            self._recorder.failed("describe_output", error)
            return _UNKNOWN


def first_argument(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
    """Return the first argument after the model as a table, by position or else by name."""
    return read_table(args[0] if args else next(iter(kwargs.values()), None))


@contextmanager
def within(model: Any) -> Iterator[None]:
    """Make what runs in this block a part of *model*."""
    token = running.set(id(model))
    try:
        yield
    finally:
        running.reset(token)


class _Trainings:
    """How often a model was trained, in this process, where that was seen."""

    number = 0


trainings: Final = _Trainings()


def _changes() -> int:
    """Return what grows with every reason to read the models anew."""
    return trainings.number + registrations.changes


def _is_part(current: int, args: _Args) -> bool:
    """Whether another model than the running one is called, as a part of an inference."""
    return current != NO_INFERENCE and bool(args) and id(args[0]) != current


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
