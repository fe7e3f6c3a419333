"""One call of a model, observed: what every framework's instrumentor does, in the order it happens."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter, time_ns
from typing import Any, Final, NamedTuple

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.by_identity import ByIdentity
from otel_ml.describe.inputs import Forms, describe_form
from otel_ml.describe.models import registrations
from otel_ml.describe.samples import Content, ContentPolicy, draw_rows
from otel_ml.describe.soundness import is_array
from otel_ml.describe.validation import Expectation, Failure, ValidationError, validation_facts
from otel_ml.describe.values import Facts
from otel_ml.hooks import CallHooks, ContentHook, without_content
from otel_ml.instrumentors._arguments import argument
from otel_ml.instrumentors._kept import kept
from otel_ml.instrumentors._subject import Subject
from otel_ml.permitted import content_policy, input_hash
from otel_ml.record.inference import Inference
from otel_ml.record.recording import Recording
from otel_ml.record.tracing import is_enabled
from otel_ml.record.unread import Reading, Unread
from otel_ml.recorder import Channel, InferenceRecorder
from otel_ml.running import NO_INFERENCE, enter, leave, running
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import (
    ML_CONTENT_TRUNCATED,
    ML_INPUT_HASH,
    ML_INPUT_MISSING_COUNT,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
)

__all__ = ["Call", "Observer", "trainings"]

_Args = tuple[Any, ...]
_Kwargs = dict[str, Any]
_Function = Callable[..., Any]
_Pick = Callable[[Any], Any]

_UNKNOWN: Final[Facts] = {}
_NOTHING_ASKED: Final[tuple[_Function | None, _Args, _Kwargs]] = (None, (), {})
_NO_TABLE: Final = Table(None)
_NOTHING_WRONG: Final = validation_facts((), is_rejected=False)
_THE_ONLY_ONE: Final = range(1)


class _Known(NamedTuple):
    """What is kept of a model from one call to the next."""

    subject: "Subject"
    expectation: Expectation
    forms: Forms
    methods: dict[str, "_Method"]


class _Method(NamedTuple):
    """
    What is kept of one of its methods.

    Attributes:
        name: What it is called.
        known: The model.
        takes_first: Whether it reads its samples from the first argument, as most do.
        channel: What the calls share.
        is_needed: Whether metrics need something of the outputs of every call.
        reads_values: Whether of outputs more is told than their shape and type.
        reading: How what calls leave is looked at later; None where all is looked at in the call.
        asks_for: An argument without which the outputs of calls that give it cannot be read.
        returns: Whether what it returns is the answer.
    """

    name: str
    known: _Known
    takes_first: bool
    channel: Channel
    is_needed: bool
    reads_values: bool
    reading: Reading | None
    asks_for: str | None
    returns: bool


class Call(Recording):
    """
    A call under way, as its instrumentor knows it.

    Args:
        of_method: What is kept of the method.
        asked: The method, and what it is called with: the model first.
        table: The input.
        max_rows: Of how many samples something is told, at most.
    """

    # What most calls leave as it is, so that only the others set it.
    content_rows: Sequence[int] | None = None
    failures: tuple[Failure, ...] = ()
    form: Facts | None = None  # of the input, where it is one that was seen before
    inputs: Facts = _UNKNOWN
    permits_content = True
    samples: Any = (
        None  # copies of those whose values may be told later: of the only one, or `Drawn`
    )
    waits = False  # whether the rest of the input can be looked at when the call is over

    def __init__(
        self,
        of_method: _Method,
        asked: tuple[_Function | None, _Args, _Kwargs],
        table: Table,
        max_rows: int,
    ) -> None:
        # As a recording begins, in the caller's time.
        self.channel = of_method.channel
        self.batch_size = table.rows
        self.of_method = of_method
        self._asked = asked
        self.table = table
        self._max_rows = max_rows

    @property
    def is_told(self) -> bool:
        """Whether what is said goes onto a span."""
        return self.is_recording

    @property
    def model(self) -> Any:
        """The model that is called."""
        return self._asked[1][0]

    def argument(self, name: str) -> Any:
        """Return what was given for the parameter *name* of the method, None where nothing was."""
        function, args, kwargs = self._asked
        return argument(function, args, kwargs, name)

    def positions(self, length: int) -> Sequence[int] | None:
        """Return the positions of the samples whose inputs are captured, or else might have been."""
        if self.batch_size is None:
            self.batch_size = length
        if self.batch_size != length:
            return None
        if self.content_rows is None:
            # Drawn once, or a label would stand beside the confidence of another sample.
            self.content_rows = draw_rows(length, self._max_rows)
        return self.content_rows

    def let_go(self) -> None:
        """Hold nothing of the caller's any more: the call is over, and what is kept of it waits to be recorded."""
        self._asked, self.table = _NOTHING_ASKED, _NO_TABLE
        self.inputs, self.samples = _UNKNOWN, None


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
        self._validator = recorder.validator
        self._read = read
        # What would keep a call from its model, or needs all that a profile says, is looked at now.
        self._uses_profile = self._validator.uses_profile
        self._looks_later = not (self._validator.rejects or self._uses_profile)
        self._captures_parts = settings.capture_nested
        self._captures_outputs = settings.capture_outputs != "none"
        self._max_rows = settings.capture_max_rows
        self._policy: ContentPolicy | None = None
        if settings.capture_content != "no_content":
            self._policy = content_policy(settings)
        self._input_hash = input_hash(settings)
        self._captures_content = self._policy is not None or self._input_hash is not None
        self._content_hook = ContentHook.chosen(settings, recorder.failed)
        self._call_hooks = CallHooks.chosen(settings, recorder.failed)
        # What users look at, or a hash of all samples, is worked out in the call.
        hooks = (self._content_hook, self._call_hooks, self._input_hash)
        self._tells_later = all(hook is None for hook in hooks)
        self._begin_anew()

    def _begin_anew(self) -> None:
        # What grows with every reason to read the models anew.
        self._seen = trainings.number + registrations.changes
        self._models: ByIdentity[_Known] = ByIdentity()
        self._parts: ByIdentity[_Known] = ByIdentity()

    def guard(self, original: _Function, trains: bool, args: _Args, kwargs: _Kwargs) -> Any:
        """Call *original*, inside of which no call of a model is an inference."""
        inside = enter(NO_INFERENCE)
        try:
            return original(*args, **kwargs)
        finally:
            leave(inside)
            if trains:
                trainings.number += 1

    def observe(self, original: _Function, method: str, args: _Args, kwargs: _Kwargs) -> Any:
        """Call *original*, and make an inference of it if it is the outermost call of a model."""
        current = running.get()
        if current and not (self._captures_parts and _is_part(current, args)):
            return original(*args, **kwargs)
        if not args or not is_enabled():
            return original(*args, **kwargs)
        inside = enter(id(args[0]))
        try:
            call = self._begin(original, method, args, kwargs, bool(current))
            started = perf_counter()
            try:
                output = original(*args, **kwargs)
            except BaseException as error:
                self._end(call, perf_counter() - started, None, error)
                raise
            self._end(call, perf_counter() - started, output, None)
            return output
        finally:
            leave(inside)

    def open(
        self, method: str, args: _Args, kwargs: _Kwargs, original: _Function | None = None
    ) -> Call | None:
        """
        Begin an inference that `close` ends in another context; None where it is none.

        With *original* the subject can ask for arguments that were given by position.
        """
        if running.get() or not args or not is_enabled():
            return None
        call = self._begin(original, method, args, kwargs, is_part=False, is_current=False)
        if call is not None:
            call.started = perf_counter()
        return call

    def close(
        self,
        call: Call | None,
        output: Any,
        error: BaseException | None = None,
        seconds: float | None = None,
    ) -> None:
        """End what `open` began, with what the model returned or raised, and the *seconds* that it took if not all since then."""
        if call is not None:
            duration = perf_counter() - call.started if seconds is None else seconds
            self._end(call, duration, output, error)

    def _begin(
        self,
        original: _Function | None,
        method: str,
        args: _Args,
        kwargs: _Kwargs,
        is_part: bool,
        is_current: bool = True,
    ) -> Call | None:
        try:
            of_method = self._identify(args[0], method, is_part)
        except Exception as error:  # noqa: BLE001 - a model of the user's may raise anything
            self._recorder.failed("describe_model", error)
            return None
        try:
            if of_method.takes_first and len(args) > 1:  # most calls
                table = read_table(args[1])
            else:
                table = of_method.known.subject.table(method, args[1:], kwargs)
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            self._recorder.failed("describe_input", error)
            table = Table(None)
        call = Call(of_method, (original, args, kwargs), table, self._max_rows)
        self._recorder.begin(call, is_current=is_current)
        try:
            if self._call_hooks is not None and call.is_recording:
                permits = self._call_hooks.permits(call.span, args[0], args[1:], kwargs)
                call.permits_content = permits
            self._describe_input(call)
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            self._recorder.failed("describe_input", error)
        except BaseException as interruption:
            self._give_up(call, 0.0, interruption)
            raise
        if call.failures and self._validator.rejects:
            rejection = ValidationError(of_method.known.subject.model.name, call.failures)
            self._end(call, 0.0, None, rejection)
            raise rejection
        return call

    def _identify(self, model: Any, method: str, is_part: bool) -> _Method:
        if self._seen != trainings.number + registrations.changes:
            self._begin_anew()
        known = self._parts if is_part else self._models
        entry = known.get(model)
        if entry is None:
            entry = _known(self._read(model, is_part))
            with suppress(TypeError):  # a model that cannot be weakly referenced is read every time
                known.remember(model, entry)
        of_method = entry.methods.get(method)
        if of_method is None:
            of_method = entry.methods[method] = self._of_method(entry, method)
        return of_method

    def _of_method(self, known: _Known, method: str) -> _Method:
        subject = known.subject
        model = subject.model
        distributions: Mapping[str, _Pick] | None = getattr(subject, "distributions", None)
        is_needed = self._captures_outputs and subject.matters_unsampled(method)
        reading = None
        if distributions is not None and self._looks_later:
            probabilities = distributions.get(method) if is_needed else None
            if probabilities is not None or not is_needed:
                reading = Reading(partial(self._describe, subject, method), probabilities)
        return _Method(
            method,
            known,
            type(subject).table is Subject.table,
            self._recorder.channel(model, subject.operation(method), f"{model.type}.{method}"),
            is_needed,
            getattr(subject, "reads_values", True),
            reading,
            getattr(subject, "asks_for", None),
            method not in getattr(subject, "answers_elsewhere", ()),
        )

    def _describe_input(self, call: Call) -> None:
        table, of_method = call.table, call.of_method
        form = of_method.known.forms.of(table)
        is_sound = table.is_sound()
        call.missing_count = 0 if is_sound else table.missing()
        is_usual = False
        if form is not None:
            call.form = form.facts
            is_usual = bool(is_sound and form.is_expected and table.rows)
        if not is_usual or self._uses_profile:
            model = of_method.known.subject.model
            call.failures = self._validator.check_input(table, model, of_method.known.expectation)
        elif of_method.reading is not None and (not call.is_recording or self._can_wait(call)):
            call.waits = True
            return
        if call.is_recording:
            call.inputs = self._inputs(call)

    def _can_wait(self, call: Call) -> bool:
        """Whether the span need not be told of the input now; a copy of what it may be told later is taken."""
        if not (self._tells_later and call.can_wait):
            return False
        if self._policy is None:
            return True
        table = call.table
        if table.rows == 1 and table.columns is not None:  # most calls, in the caller's time
            call.samples = table.copy()
        else:
            call.samples = self._policy.draw(table, call.of_method.known.subject.feature_names)
        return call.samples is not None

    def _inputs(self, call: Call) -> dict[str, Any]:
        """Return what is told of the input, of which only `samples` are looked at once the call is over."""
        table, names = call.table, call.of_method.known.subject.feature_names
        inputs = dict(describe_form(table, names, None) if call.form is None else call.form)
        if call.missing_count is not None:
            inputs[ML_INPUT_MISSING_COUNT] = call.missing_count
        if self._captures_content and call.permits_content:
            inputs.update(self._content(call, names))
        return inputs

    def _content(self, call: Call, names: tuple[str, ...] | None) -> Facts:
        """Return what is told of the values; of a copy, or before the call, for a model may work in place."""
        table = call.table
        facts: dict[str, Any] = {}
        content = None
        if call.samples is not None:
            content = self._captured(call.samples, names)
        elif self._policy is not None:
            content = self._policy.capture(table, names)
        if content is not None:
            facts.update(content.facts)
            call.content_rows = content.rows
        told = None if self._input_hash is None else self._input_hash.of(table, names)
        if told is not None:
            facts[ML_INPUT_HASH] = told
        return facts

    def _end(
        self,
        call: Call | None,
        duration: float,
        output: Any,
        error: BaseException | None,
    ) -> None:
        if call is None:
            return
        try:
            self._tell_end(call, duration, output, error)
        except BaseException as interruption:
            self._give_up(call, duration, error or interruption)
            raise

    def _give_up(self, call: Call, duration: float, error: BaseException) -> None:
        """End *call* with nothing but *error*, for somebody has interrupted what is told of it: from a keyboard, say."""
        if not call.has_ended:
            size = call.batch_size
            call.let_go()
            told = Inference(size, duration, time_ns(), None, _UNKNOWN, _UNKNOWN, error)
            self._recorder.end(call, told, is_settled=self._tells_later)

    def _tell_end(
        self, call: Call, duration: float, output: Any, error: BaseException | None
    ) -> None:
        end_time_ns = time_ns()
        if call.waits:
            if error is None and self._leave(call, duration, end_time_ns, output):
                return
            if call.is_recording:
                call.inputs = self._inputs(call)
        outputs = _UNKNOWN if error is not None else self._outputs(call, output)
        if self._validator.is_on:
            self._judge(call, output, outputs, error)
        inputs: Facts = call.inputs
        if call.is_recording and (self._content_hook or self._call_hooks):
            inputs, outputs = _UNKNOWN, self._permitted(call, {**inputs, **outputs})
            if self._call_hooks is not None and error is None:
                self._call_hooks.tell(call.span, call.model, output)
        size, missing = call.batch_size, call.missing_count
        call.let_go()
        inference = Inference(size, duration, end_time_ns, missing, inputs, outputs, error)
        self._recorder.end(call, inference, is_settled=self._tells_later)

    def _leave(self, call: Call, duration: float, end_time_ns: int, output: Any) -> bool:
        """End a call in which nothing is wrong, with a copy of its output; False where there can be none."""
        of_method = call.of_method
        reading, form, rows = of_method.reading, call.form, call.batch_size
        if of_method.asks_for is not None and call.argument(of_method.asks_for) is not None:
            return False
        try:
            copied = kept(output, has_values=of_method.reads_values)
        except Exception:  # noqa: BLE001 - of a kind that cannot be read
            copied = None
        if copied is None or reading is None or form is None or rows is None:
            return False
        unread = None
        if call.is_recording or of_method.is_needed:
            unread = Unread(reading, form, call.samples, copied, rows, self._max_rows)
        call.let_go()
        self._recorder.leave(call, duration, end_time_ns, unread)
        return True

    def _describe(self, subject: Subject, method: str, call: Unread) -> Facts:
        """Return what the span says of *call*, in which nothing was wrong."""
        facts: dict[str, Any] = {**call.form, ML_INPUT_MISSING_COUNT: 0}
        content = None
        if call.samples is not None:
            content = self._captured(call.samples, subject.feature_names)
        if content is not None:
            facts.update(content.facts)
            call.choose(content.rows)
        if self._validator.is_on:
            facts.update(_NOTHING_WRONG)
        try:
            if self._captures_outputs:
                facts.update(subject.outputs(method, call.output, call))
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach who looks at a span
            self._recorder.failed("describe_output", error)
        if ML_CONTENT_TRUNCATED in facts:
            self._recorder.count_cut()
        return facts

    def _captured(self, samples: Any, names: tuple[str, ...] | None) -> Content | None:
        """Return what of the samples that were copied may leave."""
        try:
            return None if self._policy is None else self._policy.capture_drawn(samples, names)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach who looks at a span
            self._recorder.failed("describe_input", error)
            return None

    def _permitted(self, call: Call, facts: Facts) -> Facts:
        """Return what the user's functions let pass of *facts*."""
        if not call.permits_content:
            facts = without_content(facts)
        if self._content_hook is None:
            return facts
        return self._content_hook.filtered(facts, call.span)

    def _judge(self, call: Call, output: Any, outputs: Facts, error: BaseException | None) -> None:
        """Tell of the rules that the call breaks."""
        # One array whose rows were found to be distributions needs no second look.
        is_sound = is_array(output) and (
            ML_PREDICTION_CONFIDENCE in outputs or ML_PREDICTION_CONFIDENCES in outputs
        )
        if error is None and not is_sound and call.of_method.returns:
            self._validate_output(call, output)
        if call.failures:
            self._recorder.broken(call, call.failures)
        if call.is_recording:
            is_rejected = isinstance(error, ValidationError)
            told = validation_facts(call.failures, is_rejected=is_rejected)
            call.inputs = {**call.inputs, **told}

    def _validate_output(self, call: Call, output: Any) -> None:
        """Look at what the model answered, and add what is wrong with that."""
        try:
            call.failures += self._validator.check_output(output, call.batch_size)
        except Exception as failure:  # noqa: BLE001 - an output of the user's may raise anything
            self._recorder.failed("validate_output", failure)

    def _outputs(self, call: Call, output: Any) -> Facts:
        """Return what is told of *output*: on a span all that may be, else what metrics need."""
        if not (self._captures_outputs if call.is_recording else call.of_method.is_needed):
            return _UNKNOWN
        try:
            return call.of_method.known.subject.outputs(call.of_method.name, output, call)
        except Exception as error:  # noqa: BLE001 - an output of the user's may raise anything
            self._recorder.failed("describe_output", error)
            return _UNKNOWN


def _known(subject: Subject) -> _Known:
    expectation = getattr(subject, "expectation", None) or Expectation(subject.feature_names)
    return _Known(subject, expectation, Forms(subject.feature_names, expectation), {})


class _Trainings:
    """How often a model was trained, in this process, where that was seen."""

    number = 0


trainings: Final = _Trainings()


def _is_part(current: Sequence[int], args: _Args) -> bool:
    """Whether another model than the running one is called, as a part of an inference."""
    return NO_INFERENCE not in current and bool(args) and id(args[0]) not in current
