"""Inference -> span, metrics and events: what of otel-ml speaks OpenTelemetry, with `record`."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from json import loads
from os import getpid, urandom
from time import perf_counter
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry._logs import LoggerProvider

from otel_ml.describe.models import Model
from otel_ml.describe.validation import Failure, ValidationError
from otel_ml.describe.values import valid_text
from otel_ml.record.channel import Channel, Numbers
from otel_ml.record.current import attach, context_here, detach
from otel_ml.record.deferred import defer
from otel_ml.record.events import Events, sendable
from otel_ml.record.failures import Failures, qualified
from otel_ml.record.in_memory import ModelsInMemory
from otel_ml.record.inference import Inference
from otel_ml.record.measurements import Measurements
from otel_ml.record.recent import recent
from otel_ml.record.recording import Recording
from otel_ml.record.told import Told
from otel_ml.record.tracing import Tracing
from otel_ml.record.under_way import CallsUnderWay
from otel_ml.record.unread import Unread, confidences_of
from otel_ml.record.validation import BrokenRules
from otel_ml.settings import Settings
from otel_ml.validation import Validator
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import (
    ML_BATCH_SIZE,
    ML_CONTENT_TRUNCATED,
)
from otel_ml_conventions.events import (
    EVENT_ML_INFERENCE_EXCEPTION,
    EVENT_ML_PREDICTION_DETAILS,
    EVENT_ML_VALIDATION_FAILURE,
)
from otel_ml_conventions.metrics import (
    create_ml_feedback_events,
    create_ml_model_load_duration,
    create_ml_training_duration,
)
from otel_ml_conventions.schema import SCHEMA_URL

__all__ = ["Channel", "InferenceRecorder", "Recording"]

_SCOPE: Final = "otel_ml"
_MAX_NUMBERED: Final = 1024  # models whose calls are numbered

_FEATURE_VALUES: Final = frozenset(
    {
        keys.ML_INPUT_FEATURES,
        keys.ML_INPUT_HASH,
        keys.ML_INPUT_VALUES,
        keys.ML_INPUT_ROWS,
        keys.ML_CONTENT_REFERENCE,
        keys.ML_CONTENT_TRUNCATED,
    }
)
# What an event with the details of a call tells beside its content: what the model answered.
_ANSWERS: Final = "ml.prediction."
# Not part of the event: what was worked out of the probabilities.
_DERIVED: Final = frozenset(
    {keys.ML_PREDICTION_ENTROPY, keys.ML_PREDICTION_MARGIN, keys.ML_PREDICTION_THRESHOLD}
)
_REJECTED: Final = "validation_failed"  # the `error.type` of a call that did not reach its model
_MAPS: Final = frozenset(
    {keys.ML_INPUT_FEATURES, keys.ML_INPUT_ROWS, keys.ML_PREDICTION_PROBABILITIES}
)


class InferenceRecorder:
    """
    Turns inferences into spans and events, in the caller's thread, and into metrics, in another.

    A call is `begin`, the model's own method, `end`. Nothing here raises into the caller: what
    fails is counted by cause, logged once per cause, and passed over.

    Args:
        tracer_provider: Where spans go; the global provider, also one set later, by default.
        meter_provider: Where metrics go; likewise.
        logger_provider: Where events go; likewise.
        settings: What may be captured; the safe defaults by default.

    Attributes:
        settings: The same.
        meter: Makes the instruments.
        validator: Checks inputs and outputs as the settings ask.
        kept: What others have worked out of it and want to find again, by its type.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        scope = (_SCOPE, _version())
        meter = metrics.get_meter(*scope, meter_provider, SCHEMA_URL)
        self._tracing = Tracing(tracer_provider, scope)
        self._events = Events(logger_provider, scope, are_mirrored=self.settings.events_on_spans)
        self._content_on_spans = self.settings.capture_content != "event_only"
        self._content_on_events = self.settings.capture_content in {"event_only", "span_and_event"}
        self.meter = meter
        self.validator = Validator(self.settings)
        self._broken_rules = BrokenRules(meter, tells_features=self.validator.uses_profile)
        self.kept: dict[type, Any] = {}
        self._failures = Failures(meter)
        self._calls = CallsUnderWay(meter, meter_provider)
        self._measurements = Measurements(meter, self._failures, self._restart)
        self._ring = self._measurements.ring
        self._feedback = create_ml_feedback_events(meter)
        self._trainings = create_ml_training_duration(meter)
        self._loads = create_ml_model_load_duration(meter)
        self._models = ModelsInMemory(meter, meter_provider)
        self.count_loaded = self._models.count
        self._numbers: dict[tuple[str, str | None], Numbers] = {}
        self._stream = urandom(8).hex()
        self.failed = self._failures.failed
        self.refused = self._failures.refused
        self.withheld = self._failures.withheld
        self.count_cut = self._measurements.count_cut
        self.flush = self._measurements.flush
        self.close = self._measurements.close

    def _restart(self) -> None:
        """Begin anew in a process that was forked off: what was counted is still with its parent."""
        self._stream = urandom(8).hex()
        self._failures.restart()
        self._calls.clear()
        for numbers in self._numbers.values():
            numbers.restart()

    def channel(self, model: Model, operation: str, function_name: str | None) -> Channel:
        """Return what calls of *function_name* of *model* share; to be kept and used again."""
        if len(self._numbers) >= _MAX_NUMBERED:  # somebody puts what varies into a name
            self._numbers.clear()
            # Or those that come again would count from 1 in the same.
            self._stream = urandom(8).hex()
        numbers = self._numbers.setdefault((model.name, model.version), Numbers())
        channel = Channel(model, operation, function_name, numbers)
        self._calls.know(channel)
        return channel

    def begin(
        self,
        recording: Recording,
        *,
        is_current: bool = True,
        links: Sequence[trace.Link] | None = None,
    ) -> None:
        """
        Begin *recording*: its call is about to start.

        Its span is the current one until `end`, unless the call ends in another context: a
        generator's, a callback's. *links* lead to the spans of the requests that it serves.
        """
        if self._ring.process_id != getpid():  # a fork that Python was not told of
            self._ring.restart()
        recording.started = perf_counter()
        recording.number = recording.channel.numbers.next()
        if recording.batch_size is None:
            recording.knows_size = False
        if is_current:
            recent.remember(recording)
        self._calls.add(recording)
        try:
            tracer, recording.trace_id = self._tracing.here()
            if tracer is not None:
                recording.span = span = self._start(tracer, recording, links)
                if is_current:
                    recording.token = attach(span)
        except Exception as error:  # noqa: BLE001 - a sampler or processor of the user's may raise anything
            self.failed("start_span", error)

    def _start(
        self,
        tracer: trace.Tracer,
        recording: Recording,
        links: Sequence[trace.Link] | None,
    ) -> trace.Span:
        """Start the span of *recording*, with what is known now, or will be told when somebody looks."""
        channel = recording.channel
        is_watched = self._tracing.is_watched()
        if is_watched:
            facts = self._told(recording)()
            span = tracer.start_span(channel.span_name, attributes=facts, links=links)
        else:
            span = tracer.start_span(channel.span_name, links=links)
        if span.is_recording():
            recording.is_recording = True
            recording.can_wait = self._tracing.is_known and not self._content_on_events
            if not is_watched:
                told = self._told(recording)
                if told.wait(span):
                    recording.told = told
        return span

    def _told(self, recording: Recording) -> Told:
        return Told(recording.channel, recording.number, self._stream, recording.batch_size)

    def end(self, recording: Recording, inference: Inference, *, is_settled: bool = False) -> None:
        """
        Complete the span of *recording*, and hand what the metrics need to their thread.

        *is_settled* says that nobody can change any more what *inference* tells.
        """
        recording.has_ended = True
        self._calls.discard(recording)
        error_type = None if inference.error is None else _error_type(inference.error)
        inputs, outputs, span = inference.inputs, inference.outputs, recording.span
        if span is not None or inference.error is not None:
            try:
                self._end_span(recording, inference, error_type, is_settled=is_settled)
            except Exception as error:  # noqa: BLE001 - a span processor of the user's may raise anything
                self.failed("end_span", error)
        try:
            recording.duration = inference.duration
            recording.batch_size = inference.batch_size
            recording.missing_count = inference.missing_count
            recording.error_type = error_type
            recording.confidences = confidences_of(outputs)
            if ML_CONTENT_TRUNCATED in inputs or ML_CONTENT_TRUNCATED in outputs:
                self.count_cut()
            if span is not None and recording.is_recording:
                recording.span_context = span.get_span_context()
            self._measure(recording)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the caller
            self.failed("measure", error)

    def leave(
        self, recording: Recording, duration: float, end_time_ns: int, unread: Unread | None
    ) -> None:
        """
        End a call that went well, with all there is to say of it left *unread*; None where that is nothing.

        That its span waits for it has to be possible (`Recording.can_wait`), where it records.
        """
        recording.has_ended = True
        self._calls.discard(recording)
        recording.duration = duration
        if unread is not None and unread.reading.probabilities is not None:
            recording.unread = unread
        try:
            if recording.span is not None:
                self._end_unread(recording, recording.span, unread, end_time_ns)
        except Exception as error:  # noqa: BLE001 - a span processor of the user's may raise anything
            self.failed("end_span", error)
        try:
            self._measure(recording)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the caller
            self.failed("measure", error)

    def _end_unread(
        self, recording: Recording, span: trace.Span, unread: Unread | None, end_time_ns: int
    ) -> None:
        """End the span of a call that left something to be looked at later."""
        if recording.token is not None:
            detach(recording.token)
            recording.token = None
        try:
            if recording.is_recording and unread is not None:
                # Who asks for the last call of this context needs no more than where it was.
                recording.span_context = span.get_span_context()
                recording.span, told, recording.told = None, recording.told, None
                if told is None:
                    defer(span, unread.facts)
                else:
                    told.leave(span, unread)
        finally:
            span.end(end_time_ns)

    def _measure(self, recording: Recording) -> None:
        """Hand *recording*, which has ended, to the thread of the metrics."""
        if not self._ring.put(recording):
            self._measurements.keep_the_count(recording)

    def _end_span(
        self,
        recording: Recording,
        inference: Inference,
        error_type: str | None,
        *,
        is_settled: bool,
    ) -> None:
        span = recording.span
        if recording.token is not None:
            detach(recording.token)
            recording.token = None
        try:
            if span is not None and recording.is_recording:
                attributes: dict[str, Any] = {**inference.inputs, **inference.outputs}
                if not self._content_on_spans:
                    attributes = _without_feature_values(attributes)
                if not recording.knows_size and inference.batch_size is not None:
                    attributes[ML_BATCH_SIZE] = inference.batch_size
                if error_type is not None:
                    attributes[keys.ERROR_TYPE] = error_type
                if is_settled and recording.can_wait:
                    defer(span, partial(dict, attributes))
                else:
                    span.set_attributes(attributes)
            if inference.error is not None:
                self._tell_of_exception(recording, inference.error)
            elif self._content_on_events and recording.is_recording:
                self._tell_details(recording, inference)
        finally:
            if span is not None:
                span.end(end_time=inference.end_time_ns)

    def _tell_of_exception(self, recording: Recording, error: BaseException) -> None:
        if recording.span is not None:
            self._mark_failed(recording.span, error)
        facts = {**recording.channel.event_attributes, **self._exception_facts(error)}
        self.event(EVENT_ML_INFERENCE_EXCEPTION, facts, recording.span)

    def _exception_facts(self, error: BaseException) -> dict[str, str]:
        facts = {keys.EXCEPTION_TYPE: qualified(type(error))}
        if self.settings.capture_exception_messages:
            facts[keys.EXCEPTION_MESSAGE] = _message(error)
            facts[keys.EXCEPTION_STACKTRACE] = "".join(traceback.format_exception(error))
        return {key: valid_text(fact) for key, fact in facts.items()}

    def _tell_details(self, recording: Recording, inference: Inference) -> None:
        details = {
            key: _map(fact) if key in _MAPS else fact
            for key, fact in {**inference.inputs, **inference.outputs}.items()
            if key in _FEATURE_VALUES or (key.startswith(_ANSWERS) and key not in _DERIVED)
        }
        if not details:
            return
        if inference.batch_size is not None:
            details[ML_BATCH_SIZE] = inference.batch_size
        self.event(
            EVENT_ML_PREDICTION_DETAILS,
            {**recording.channel.event_attributes, **details},
            recording.span,
        )

    def broken(self, recording: Recording, failures: Sequence[Failure]) -> None:
        """Tell of the rules that the call of *recording* breaks; events only where it is recorded."""
        try:
            self._broken_rules.count(recording.channel, failures)
            if recording.is_recording:
                for facts in self._broken_rules.events(recording.channel, failures):
                    self.event(EVENT_ML_VALIDATION_FAILURE, facts, recording.span)
        except Exception as error:  # noqa: BLE001 - a metrics SDK may raise anything
            self.failed("record_validation", error)

    def event(
        self,
        name: str,
        attributes: Mapping[str, Any],
        span: trace.Span | None = None,
        *,
        to_log: bool = True,
        to_span: bool = False,
    ) -> None:
        """
        Emit event *name* in the trace context of *span*, by default of the current span.

        Args:
            name: One of `otel_ml_conventions.events`.
            attributes: What it says; maps as maps.
            span: A span, or a `NonRecordingSpan` of one that is over or elsewhere.
            to_log: Whether it may leave as a log record.
            to_span: Whether it is written on *span* even where events are not.
        """
        try:
            context = context_here()
            if span is not None:
                context = trace.set_span_in_context(span, context)
            self._events.emit(name, attributes, context, to_log=to_log, to_span=to_span)
        except Exception as error:  # noqa: BLE001 - a processor of the user's may raise anything
            self.failed("emit_event", error)

    def start(
        self,
        name: str,
        attributes: Mapping[str, Any],
        links: Sequence[trace.Link] | None = None,
        began_ns: int | None = None,
    ) -> trace.Span | None:
        """
        Return the span of something other than a call; None where there can be none.

        It begins now, or began *began_ns* nanoseconds after the beginning of 1970.
        """
        try:
            tracer = self._tracing.tracer()
            if tracer is None:
                return None
            known = sendable(attributes)
            return tracer.start_span(
                valid_text(name), attributes=known, links=links, start_time=began_ns
            )
        except Exception as error:  # noqa: BLE001 - a sampler or processor of the user's may raise anything
            self.failed("start_span", error)
            return None

    def finish(
        self,
        span: trace.Span,
        attributes: Mapping[str, Any],
        error: BaseException | None = None,
        ended_ns: int | None = None,
        name: str | None = None,
    ) -> None:
        """
        End what `start` returned, with what has become known of it, its *name* too, and what it raised.

        It ends now, or ended *ended_ns* nanoseconds after the beginning of 1970.
        """
        try:
            try:
                if name is not None:
                    span.update_name(name)
                span.set_attributes(sendable(attributes))
                if error is not None:
                    span.set_attribute(keys.ERROR_TYPE, qualified(type(error)))
                    self._mark_failed(span, error)
            finally:
                span.end(end_time=ended_ns)
        except Exception as failure:  # noqa: BLE001 - an exception or a span processor of the user's may raise anything
            self.failed("end_span", failure)

    def _mark_failed(self, span: trace.Span, error: BaseException) -> None:
        if not self.settings.capture_exception_messages:
            span.set_status(trace.StatusCode.ERROR)
            return
        facts = self._exception_facts(error)
        span.set_status(trace.StatusCode.ERROR, facts[keys.EXCEPTION_MESSAGE])
        span.record_exception(error, facts)

    def count_feedback(self, attributes: Mapping[str, Any]) -> None:
        """Count one piece of feedback."""
        self._tell_quietly(partial(self._feedback.add, 1, dict(attributes)))

    def time_training(self, seconds: float, attributes: Mapping[str, Any]) -> None:
        """Record that a training took *seconds*."""
        self._tell_quietly(partial(self._trainings.record, seconds, dict(attributes)))

    def time_load(self, seconds: float, attributes: Mapping[str, Any]) -> None:
        """Record that loading a model took *seconds*."""
        self._tell_quietly(partial(self._loads.record, seconds, dict(attributes)))

    def _tell_quietly(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - a metrics SDK may raise anything
            self.failed("record_metrics", error)


def _error_type(error: BaseException) -> str:
    return _REJECTED if isinstance(error, ValidationError) else qualified(type(error))


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a class of the user's may raise anything
        return ""


def _map(fact: Any) -> Any:
    """Return what the text *fact* stands for; itself where a hook of the user's has made something else of it."""
    try:
        return loads(fact)
    except (TypeError, ValueError):
        return fact


def _without_feature_values(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: fact for key, fact in facts.items() if key not in _FEATURE_VALUES}


def _version() -> str:
    try:
        return version("otel-ml")
    except PackageNotFoundError:  # a checkout on the path, not installed
        return "unknown"
