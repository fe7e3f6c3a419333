"""Inference -> span and metrics: the only file that speaks OpenTelemetry."""

import re
import secrets
import threading
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from logging import getLogger
from os import getpid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry import context as context_api
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_ml.describe.models import Model
from otel_ml.describe.values import Facts
from otel_ml.inference import Inference
from otel_ml.ring import Ring
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.metrics import (
    DEFINITIONS,
    METRIC_ML_SDK_DROPPED,
    create_ml_inference_batch_size,
    create_ml_inference_duration,
    create_ml_inference_predictions,
    create_ml_input_missing_values,
    create_ml_prediction_confidence,
    create_ml_sdk_errors,
)
from otel_ml_conventions.schema import SCHEMA_URL

if TYPE_CHECKING:
    from contextvars import Token

__all__ = ["Channel", "InferenceRecorder", "Recording"]

_SCOPE: Final = "otel_ml"
# A measurement is at most 2 KB (32 confidences by default), so what waits is at most 8 MB.
_CAPACITY: Final = 4096

# The samplers that decide as an unsampled parent did, told by the description every sampler has:
# under them a child of an unsampled parent need not be started to know that nothing comes of it.
_FOLLOWS_UNSAMPLED_PARENT: Final = re.compile(
    r"ParentBased\{root:.*,remoteParentSampled:[^{},]*,remoteParentNotSampled:AlwaysOffSampler,"
    r"localParentSampled:[^{},]*,localParentNotSampled:AlwaysOffSampler\}"
)

_logger = getLogger("otel_ml")


class _Sequence:
    """Numbers the calls of one model in this process: 1, 2, 3 ..."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.next: Callable[[], int] = count(1).__next__


class Channel:
    """What all calls of one method of one model share, prepared once."""

    __slots__ = ("attributes", "metric_attributes", "sequence", "span_name")

    def __init__(
        self, model: Model, operation: str, function_name: str, sequence: _Sequence
    ) -> None:
        self.span_name = f"{operation} {model.name}"
        self.metric_attributes = _known(
            {
                keys.ML_OPERATION_NAME: operation,
                keys.ML_MODEL_NAME: model.name,
                keys.ML_MODEL_VERSION: model.version,
                keys.ML_FRAMEWORK_NAME: model.framework,
                keys.ML_TASK_TYPE: model.task,
            }
        )
        details = _known(
            {
                keys.ML_MODEL_TYPE: model.type,
                keys.ML_FRAMEWORK_VERSION: model.framework_version,
                keys.CODE_FUNCTION_NAME: function_name,
            }
        )
        self.attributes: dict[str, Any] = {**self.metric_attributes, **details, **model.facts}
        self.sequence = sequence


class Recording:
    """A call under way: its span, where there is one, and where it came from."""

    __slots__ = ("channel", "is_recording", "knows_size", "span", "token")

    def __init__(self, channel: Channel, *, knows_size: bool) -> None:
        self.channel = channel
        self.knows_size = knows_size
        self.span: trace.Span | None = None
        self.token: Token[Any] | None = None
        self.is_recording = False


class _Measurement(NamedTuple):
    """What the metrics need of one call, small enough to wait in a queue."""

    channel: Channel
    duration: float
    batch_size: int | None
    confidences: Sequence[float]
    missing_count: int | None
    error_type: str | None
    span_context: trace.SpanContext | None


class _Overflow:
    """Calls that found the queue full: their number and time are kept, their details are not."""

    __slots__ = ("calls", "predictions", "seconds")

    def __init__(self) -> None:
        self.calls = 0
        self.predictions = 0
        self.seconds = 0.0


class InferenceRecorder:
    """
    Turns inferences into spans, in the caller's thread, and into metrics, in a thread of its own.

    A call is `begin`, the model's own method, `end`. Nothing here raises into the caller: what
    fails is counted by cause, logged once per cause, and passed over.

    Args:
        tracer_provider: Where spans go; the global provider, also one set later, by default.
        meter_provider: Where metrics go; likewise.
        captures_exception_messages: Whether messages and stacks of exceptions go onto spans.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        *,
        captures_exception_messages: bool = False,
    ) -> None:
        self._tracer_provider = tracer_provider
        self._captures_exception_messages = captures_exception_messages
        self._tracer: trace.Tracer | None = None
        self._follows_unsampled_parent = False
        self._sequences: dict[tuple[str, str | None], _Sequence] = {}
        self._logged: set[str] = set()
        meter = metrics.get_meter(_SCOPE, _version(), meter_provider, SCHEMA_URL)
        self._durations = create_ml_inference_duration(meter)
        self._batch_sizes = create_ml_inference_batch_size(meter)
        self._predictions = create_ml_inference_predictions(meter)
        self._confidences = create_ml_prediction_confidence(meter)
        self._missing_values = create_ml_input_missing_values(meter)
        self._failures = create_ml_sdk_errors(meter)
        self._ring: Ring[_Measurement] = Ring(_CAPACITY, self._consume, self._restart)
        self._begin()
        _live.add(self)
        _observe_collections(meter)

    def _begin(self) -> None:
        self._stream = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._overflow: dict[tuple[Channel, str | None], _Overflow] = {}
        self._failed: Counter[str] = Counter()

    def _restart(self) -> None:
        """Begin anew in a process that was forked off: what was counted is still with its parent."""
        self._begin()
        _drops.total = 0
        for sequence in self._sequences.values():
            sequence.restart()

    @staticmethod
    def is_enabled() -> bool:
        """Whether telemetry is wanted in this context: an exporter, say, suppresses its own."""
        return not context_api.get_current() or is_instrumentation_enabled()

    def channel(self, model: Model, operation: str, function_name: str) -> Channel:
        """Return what calls of *function_name* of *model* share; to be kept and used again."""
        sequence = self._sequences.setdefault((model.name, model.version), _Sequence())
        return Channel(model, operation, function_name, sequence)

    def begin(
        self, channel: Channel, batch_size: int | None, *, is_current: bool = True
    ) -> Recording:
        """
        Return the recording of a call that is about to start.

        Its span is the current one until `end`, unless the call ends in another context: a
        generator's, a callback's.
        """
        if self._ring.process_id != getpid():  # a fork that Python was not told of
            self._ring.restart()
        recording = Recording(channel, knows_size=batch_size is not None)
        sequence = channel.sequence.next()
        try:
            span = self._start_span(channel, batch_size, sequence)
            if span is not None:
                recording.span = span
                recording.is_recording = span.is_recording()
                if is_current:
                    recording.token = context_api.attach(trace.set_span_in_context(span))
        except Exception as error:  # noqa: BLE001 - a sampler or processor of the user's may raise anything
            self.failed("start_span", error)
        return recording

    def _start_span(
        self, channel: Channel, batch_size: int | None, sequence: int
    ) -> trace.Span | None:
        tracer = self._tracer or self._resolve_tracer()
        if tracer is None or (self._follows_unsampled_parent and _is_parent_unsampled()):
            return None
        attributes: dict[str, Any] = {
            **channel.attributes,
            keys.ML_CALL_SEQUENCE: sequence,
            keys.ML_CALL_STREAM: self._stream,
        }
        if batch_size is not None:
            attributes[keys.ML_BATCH_SIZE] = batch_size
        return tracer.start_span(channel.span_name, attributes=attributes)

    def _resolve_tracer(self) -> trace.Tracer | None:
        provider = self._tracer_provider or trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):
            return None  # no SDK yet: a span would go nowhere
        self._tracer = provider.get_tracer(_SCOPE, _version(), SCHEMA_URL)
        self._follows_unsampled_parent = _follows_unsampled_parent(self._tracer)
        return self._tracer

    def end(self, recording: Recording, inference: Inference) -> None:
        """Complete the span of *recording* and hand what the metrics need to their thread."""
        error_type = None if inference.error is None else _qualified(type(inference.error))
        try:
            self._end_span(recording, inference, error_type)
        except Exception as error:  # noqa: BLE001 - a span processor of the user's may raise anything
            self.failed("end_span", error)
        try:
            self._measure(recording, inference, error_type)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the caller
            self.failed("measure", error)

    def _end_span(self, recording: Recording, inference: Inference, error_type: str | None) -> None:
        span = recording.span
        if span is None:
            return
        if recording.token is not None:
            context_api.detach(recording.token)
        try:
            if recording.is_recording:
                attributes = {**inference.inputs, **inference.outputs}
                if not recording.knows_size and inference.batch_size is not None:
                    attributes[keys.ML_BATCH_SIZE] = inference.batch_size
                if error_type is not None:
                    attributes[keys.ERROR_TYPE] = error_type
                span.set_attributes(attributes)
                if inference.error is not None:
                    self._mark_failed(span, inference.error)
        finally:
            span.end(end_time=inference.end_time_ns)

    def _mark_failed(self, span: trace.Span, error: BaseException) -> None:
        if not self._captures_exception_messages:
            span.set_status(trace.StatusCode.ERROR)
            return
        span.set_status(trace.StatusCode.ERROR, str(error))
        span.record_exception(error)

    def _measure(self, recording: Recording, inference: Inference, error_type: str | None) -> None:
        span_context = None
        if recording.is_recording and recording.span is not None:
            span_context = recording.span.get_span_context()
        measurement = _Measurement(
            recording.channel,
            inference.duration,
            inference.batch_size,
            _confidences(inference.outputs),
            inference.missing_count,
            error_type,
            span_context,
        )
        if not self._ring.put(measurement):
            self._keep_the_count(measurement)

    def _keep_the_count(self, measurement: _Measurement) -> None:
        with self._lock:
            overflow = self._overflow.setdefault(
                (measurement.channel, measurement.error_type), _Overflow()
            )
            overflow.calls += 1
            overflow.predictions += measurement.batch_size or 0
            overflow.seconds += measurement.duration

    def failed(self, cause: str, error: BaseException) -> None:
        """
        Count a failure of ours by *cause*, and log the first of each.

        Neither the message of *error* nor its stack is logged: they may quote a user's data.
        """
        with suppress(Exception):
            with self._lock:
                self._failed[cause] += 1
                is_first = cause not in self._logged
                self._logged.add(cause)
            if is_first:
                _logger.warning(
                    "%s failed with %s (%s): telemetry is incomplete, the call of the model is not "
                    "affected; further failures of this kind are counted in ml.sdk.errors only",
                    cause,
                    _qualified(type(error)),
                    _place(error),
                )

    def flush(self) -> None:
        """Record, before returning, the metrics of every call that has ended."""
        self._ring.drain()
        try:
            self._record_leftovers()
        except Exception as error:  # noqa: BLE001 - a metrics SDK may raise anything
            self.failed("record_metrics", error)

    def close(self) -> None:
        """Flush, and let the thread end."""
        self._ring.close()
        self.flush()

    def _consume(self, measurements: list[_Measurement]) -> None:
        try:
            self._record(measurements)
            self._record_leftovers()
        except Exception as error:  # noqa: BLE001 - a metrics SDK may raise anything
            self.failed("record_metrics", error)

    def _record(self, measurements: Iterable[_Measurement]) -> None:
        predictions: Counter[tuple[Channel, str | None]] = Counter()
        missing: Counter[Channel] = Counter()
        for measurement in measurements:
            self._record_histograms(measurement)
            if measurement.batch_size is not None:
                predictions[measurement.channel, measurement.error_type] += measurement.batch_size
            if measurement.missing_count:
                missing[measurement.channel] += measurement.missing_count
        for (channel, error_type), number in predictions.items():
            self._predictions.add(number, _with_error(channel, error_type))
        for channel, number in missing.items():
            self._missing_values.add(number, channel.metric_attributes)

    def _record_histograms(self, measurement: _Measurement) -> None:
        attributes = measurement.channel.metric_attributes
        context = _exemplar_context(measurement.span_context)
        self._durations.record(
            measurement.duration,
            _with_error(measurement.channel, measurement.error_type),
            context,
        )
        if measurement.batch_size is not None:
            self._batch_sizes.record(measurement.batch_size, attributes, context)
        for confidence in measurement.confidences:
            self._confidences.record(confidence, attributes, context)

    def _record_leftovers(self) -> None:
        if not self._overflow and not self._failed:
            return
        with self._lock:
            overflow, self._overflow = self._overflow, {}
            failed, self._failed = self._failed, Counter()
            _drops.total += sum(kept.calls for kept in overflow.values())
        for cause, number in failed.items():
            self._failures.add(number, {keys.ML_SDK_ERROR_CAUSE: cause})
        for (channel, error_type), kept in overflow.items():
            attributes = _with_error(channel, error_type)
            if kept.predictions:
                self._predictions.add(kept.predictions, attributes)
            # Their mean, as often as there were calls: number and sum are exact.
            for _ in range(kept.calls):
                self._durations.record(kept.seconds / kept.calls, attributes)


class _Drops:
    """How many calls of this process found a full queue."""

    total = 0


_drops: Final = _Drops()
_live: Final["weakref.WeakSet[InferenceRecorder]"] = weakref.WeakSet()


def _observe_collections(meter: metrics.Meter) -> None:
    """
    Make every collection, be it a flush or a shutdown, find all calls that have ended.

    A collection asks the observable instruments first, and `ml.sdk.dropped` is one of ours.
    """
    dropped = DEFINITIONS[METRIC_ML_SDK_DROPPED]
    meter.create_observable_counter(
        dropped.name, [_flush_and_count], dropped.unit, dropped.description
    )


def _flush_and_count(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
    for recorder in list(_live):
        recorder.flush()
    return [metrics.Observation(_drops.total)]


def _confidences(outputs: Facts) -> Any:
    confidence = outputs.get(keys.ML_PREDICTION_CONFIDENCE)
    if confidence is not None:
        return (confidence,)
    return outputs.get(keys.ML_PREDICTION_CONFIDENCES, ())


def _follows_unsampled_parent(tracer: trace.Tracer) -> bool:
    with suppress(
        Exception
    ):  # only the SDK's tracers tell their sampler, and a user's may not tell
        description = tracer.sampler.get_description()  # type: ignore[attr-defined]  # of the SDK's
        return _FOLLOWS_UNSAMPLED_PARENT.fullmatch(description) is not None
    return False


def _is_parent_unsampled() -> bool:
    parent = trace.get_current_span().get_span_context()
    return parent.is_valid and not parent.trace_flags.sampled


def _exemplar_context(span_context: trace.SpanContext | None) -> context_api.Context | None:
    if span_context is None:
        return None
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context), context_api.Context())


def _known(facts: Mapping[str, str | None]) -> dict[str, str]:
    return {key: fact for key, fact in facts.items() if fact is not None}


def _with_error(channel: Channel, error_type: str | None) -> dict[str, Any]:
    if error_type is None:
        return channel.metric_attributes
    return {**channel.metric_attributes, keys.ERROR_TYPE: error_type}


def _qualified(kind: type) -> str:
    is_builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if is_builtin else f"{kind.__module__}.{kind.__qualname__}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"


def _version() -> str:
    try:
        return version("otel-ml")
    except PackageNotFoundError:  # a checkout on the path, not installed
        return "unknown"
