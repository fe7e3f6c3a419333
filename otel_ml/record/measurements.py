"""The metrics of the calls: measured in the caller's thread, recorded in a thread of their own."""

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from opentelemetry import context as context_api
from opentelemetry import metrics, trace

from otel_ml.describe.values import Facts
from otel_ml.record.channel import Channel
from otel_ml.record.failures import Failures
from otel_ml.ring import Ring
from otel_ml_conventions.attributes import (
    ERROR_TYPE,
    ML_FALLBACK_REASON,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
)
from otel_ml_conventions.metrics import (
    DEFINITIONS,
    METRIC_ML_SDK_DROPPED,
    create_ml_inference_batch_size,
    create_ml_inference_duration,
    create_ml_inference_predictions,
    create_ml_input_missing_values,
    create_ml_prediction_confidence,
    create_ml_sdk_truncated,
)

__all__ = ["Measurement", "Measurements", "confidences_of"]

# A measurement is at most 2 KB (32 confidences by default), so what waits is at most 8 MB.
_CAPACITY: Final = 4096


class Measurement(NamedTuple):
    """
    What the metrics need of one call, small enough to wait in a queue.

    `error_type` and `fallback_reason` are None where the model answered as it should; `is_cut` says
    that what was told of its content is not all of it.
    """

    channel: Channel
    duration: float
    batch_size: int | None
    confidences: Sequence[float]
    missing_count: int | None
    error_type: str | None
    fallback_reason: str | None
    span_context: trace.SpanContext | None
    is_cut: bool

    @property
    def kind(self) -> "_Kind":
        """Whose call it was, and how it went: what durations and predictions are told apart by."""
        return (self.channel, self.error_type, self.fallback_reason)


_Kind = tuple[Channel, str | None, str | None]


class _Overflow:
    """Calls that found the queue full: their number and time are kept, their details are not."""

    __slots__ = ("calls", "predictions", "seconds")

    def __init__(self) -> None:
        self.calls = 0
        self.predictions = 0
        self.seconds = 0.0


class Measurements:
    """
    Records what callers put into `ring`, a moment later.

    Args:
        meter: Makes the instruments.
        failures: Is told of what the metrics SDK raises; what it counted is recorded here too.
        forget: Called in a forked child before anything is measured there.
    """

    def __init__(
        self, meter: metrics.Meter, failures: Failures, forget: Callable[[], None]
    ) -> None:
        self._failures = failures
        self._forget = forget
        self._durations = create_ml_inference_duration(meter)
        self._batch_sizes = create_ml_inference_batch_size(meter)
        self._predictions = create_ml_inference_predictions(meter)
        self._confidences = create_ml_prediction_confidence(meter)
        self._missing_values = create_ml_input_missing_values(meter)
        self._truncated = create_ml_sdk_truncated(meter)
        self._begin()
        self.ring: Ring[Measurement] = Ring(_CAPACITY, self._consume, self._restart)
        _live.add(self)
        _observe_collections(meter)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._overflow: dict[_Kind, _Overflow] = {}

    def _restart(self) -> None:
        self._begin()
        _drops.total = 0
        self._forget()

    def keep_the_count(self, measurement: Measurement) -> None:
        """Keep number and time of a *measurement* that the ring had no room for."""
        with self._lock:
            overflow = self._overflow.setdefault(measurement.kind, _Overflow())
            overflow.calls += 1
            overflow.predictions += measurement.batch_size or 0
            overflow.seconds += measurement.duration

    def flush(self) -> None:
        """Record, before returning, everything that was measured."""
        self.ring.drain()
        try:
            self._record_leftovers()
        except Exception as error:  # noqa: BLE001 - a metrics SDK may raise anything
            self._failures.failed("record_metrics", error)

    def close(self) -> None:
        """Flush, and let the thread end."""
        self.ring.close()
        self.flush()

    def _consume(self, measurements: list[Measurement]) -> None:
        try:
            self._record(measurements)
            self._record_leftovers()
        except Exception as error:  # noqa: BLE001 - a metrics SDK may raise anything
            self._failures.failed("record_metrics", error)

    def _record(self, measurements: Sequence[Measurement]) -> None:
        predictions: Counter[_Kind] = Counter()
        missing: Counter[Channel] = Counter()
        for measurement in measurements:
            self._record_histograms(measurement)
            if measurement.batch_size is not None:
                predictions[measurement.kind] += measurement.batch_size
            if measurement.missing_count:
                missing[measurement.channel] += measurement.missing_count
        cut = sum(measurement.is_cut for measurement in measurements)
        if cut:
            self._truncated.add(cut)
        for kind, number in predictions.items():
            self._predictions.add(number, _attributes(kind))
        for channel, number in missing.items():
            self._missing_values.add(number, channel.metric_attributes)

    def _record_histograms(self, measurement: Measurement) -> None:
        attributes = measurement.channel.metric_attributes
        context = _exemplar_context(measurement.span_context)
        self._durations.record(measurement.duration, _attributes(measurement.kind), context)
        if measurement.batch_size is not None:
            self._batch_sizes.record(measurement.batch_size, attributes, context)
        for confidence in measurement.confidences:
            self._confidences.record(confidence, attributes, context)

    def _record_leftovers(self) -> None:
        self._failures.record()
        if not self._overflow:
            return
        with self._lock:
            overflow, self._overflow = self._overflow, {}
            _drops.total += sum(kept.calls for kept in overflow.values())
        for kind, kept in overflow.items():
            attributes = _attributes(kind)
            if kept.predictions:
                self._predictions.add(kept.predictions, attributes)
            # Their mean, as often as there were calls: number and sum are exact.
            for _ in range(kept.calls):
                self._durations.record(kept.seconds / kept.calls, attributes)


class _Drops:
    """How many calls of this process found a full queue."""

    total = 0


_drops: Final = _Drops()
_live: Final["weakref.WeakSet[Measurements]"] = weakref.WeakSet()


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
    for measurements in list(_live):
        measurements.flush()
    return [metrics.Observation(_drops.total)]


def confidences_of(outputs: Facts) -> Any:
    """Return the confidences that *outputs* tell, none where they tell none."""
    confidence = outputs.get(ML_PREDICTION_CONFIDENCE)
    if confidence is not None:
        return (confidence,)
    return outputs.get(ML_PREDICTION_CONFIDENCES, ())


def _exemplar_context(span_context: trace.SpanContext | None) -> context_api.Context | None:
    if span_context is None:
        return None
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context), context_api.Context())


def _attributes(kind: _Kind) -> dict[str, Any]:
    channel, error_type, fallback_reason = kind
    attributes: dict[str, Any] = channel.metric_attributes
    if error_type is not None:
        attributes = {**attributes, ERROR_TYPE: error_type}
    if fallback_reason is not None:
        attributes = {**attributes, ML_FALLBACK_REASON: fallback_reason}
    return attributes
