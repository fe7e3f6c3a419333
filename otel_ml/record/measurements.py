"""The metrics of the calls: measured in the caller's thread, recorded in a thread of their own."""

import threading
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Sized
from itertools import repeat
from typing import Final, NamedTuple

from opentelemetry import context as context_api
from opentelemetry import metrics, trace

from otel_ml.record.channel import Channel
from otel_ml.record.failures import Failures
from otel_ml.record.histograms import DirectHistogram
from otel_ml.record.unread import Unread, confidences_together
from otel_ml.ring import Ring
from otel_ml_conventions.attributes import ERROR_TYPE, ML_FALLBACK_REASON
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

__all__ = ["Measurement", "Measurements"]

# A measurement is at most 2 KB (an output, or 32 confidences), so what waits is at most 8 MB; where
# values are captured, it holds copies of as many bytes as may be told of them, 8 KB by default.
_CAPACITY: Final = 4096
_MAX_KINDS: Final = 1024


class Measurement(NamedTuple):
    """
    What the metrics need of one call, small enough to wait in a queue.

    `error_type` and `fallback_reason` are None where the model answered as it should; `is_cut` says
    that what was told of its content is not all of it; what `unread` holds is yet to be looked at, and
    `content` are attributes of a span that hold samples of it, and may have to be worked out yet.
    """

    channel: Channel
    duration: float
    batch_size: int | None
    fallback_reason: str | None
    unread: Unread | None
    confidences: Sequence[float] = ()
    missing_count: int | None = None
    error_type: str | None = None
    span_context: trace.SpanContext | None = None
    is_cut: bool = False
    content: Sized | None = None

    @property
    def kind(self) -> "_Kind":
        """Whose call it was, and how it went: what durations and predictions are told apart by."""
        return (self.channel, self.error_type, self.fallback_reason)


_Kind = tuple[Channel, str | None, str | None]
_Attributes = dict[str, str]
_Numbers = list[tuple[float, context_api.Context]]


class _Overflow:
    """Calls that found the queue full: their number and time are kept, their details are not."""

    __slots__ = ("calls", "predictions", "seconds")

    def __init__(self) -> None:
        self.calls = 0
        self.predictions = 0
        self.seconds = 0.0


class _Lot:
    """What measurements say that are recorded together, by the attributes that it is recorded with."""

    def __init__(self) -> None:
        self.durations: defaultdict[_Kind, _Numbers] = defaultdict(list)
        self.predictions: Counter[_Kind] = Counter()
        self.batch_sizes: defaultdict[Channel, _Numbers] = defaultdict(list)
        self.confidences: defaultdict[Channel, _Numbers] = defaultdict(list)
        self.missing: Counter[Channel] = Counter()
        self.cut = 0

    def add(self, measurement: Measurement) -> None:
        """Add what one *measurement* says."""
        kind, channel = measurement.kind, measurement.channel
        context = _context(measurement.span_context)
        self.durations[kind].append((measurement.duration, context))
        if measurement.batch_size is not None:
            self.batch_sizes[channel].append((measurement.batch_size, context))
            self.predictions[kind] += measurement.batch_size
        if measurement.confidences:
            self.add_confidences(measurement, measurement.confidences)
        if measurement.missing_count:
            self.missing[channel] += measurement.missing_count
        self.cut += measurement.is_cut or _is_cut(measurement)

    def add_confidences(self, measurement: Measurement, confidences: Sequence[float]) -> None:
        """Add *confidences* that were found in the call of *measurement*."""
        context = _context(measurement.span_context)
        self.confidences[measurement.channel] += [(number, context) for number in confidences]


class Measurements:
    """
    Records what callers put into `ring`, a moment later.

    Args:
        meter: Makes the instruments.
        failures: Is told of what the metrics SDK raises; what it counted is recorded here too.
        forget: Called in a forked child before anything is measured there.
    """

    def __init__(
        self,
        meter: metrics.Meter,
        failures: Failures,
        forget: Callable[[], None],
    ) -> None:
        self._failures = failures
        self._forget = forget
        self._durations = DirectHistogram(create_ml_inference_duration(meter))
        self._batch_sizes = DirectHistogram(create_ml_inference_batch_size(meter))
        self._predictions = create_ml_inference_predictions(meter)
        self._confidences = DirectHistogram(create_ml_prediction_confidence(meter))
        self._missing_values = create_ml_input_missing_values(meter)
        self._truncated = create_ml_sdk_truncated(meter)
        self._begin()
        self.ring: Ring[Measurement] = Ring(_CAPACITY, self._consume, self._restart)
        _live.add(self)
        _observe_collections(meter)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._overflow: dict[_Kind, _Overflow] = {}
        self._attributes_of: dict[_Kind, _Attributes] = {}

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
        lot = _Lot()
        for measurement in measurements:
            lot.add(measurement)
        for measurement, confidences in self._look_at(measurements):
            lot.add_confidences(measurement, confidences)
        self._record_lot(lot)
        if lot.cut:
            self._truncated.add(lot.cut)

    def _record_lot(self, lot: "_Lot") -> None:
        for kind, durations in lot.durations.items():
            self._durations.record(durations, self._attributes(kind))
        for channel, sizes in lot.batch_sizes.items():
            self._batch_sizes.record(sizes, channel.metric_attributes)
        for channel, confidences in lot.confidences.items():
            self._confidences.record(confidences, channel.metric_attributes)
        for kind, samples in lot.predictions.items():
            self._predictions.add(samples, self._attributes(kind))
        for channel, missing in lot.missing.items():
            if missing:
                self._missing_values.add(missing, channel.metric_attributes)

    def _look_at(
        self, measurements: Sequence[Measurement]
    ) -> Iterable[tuple[Measurement, Sequence[float]]]:
        """Return the confidences in what callers left to be looked at, and in whose call."""
        left = [(each, each.unread) for each in measurements if each.unread is not None]
        try:
            found = confidences_together([unread for _, unread in left])
        except Exception as error:  # noqa: BLE001 - numpy may run out of memory
            self._failures.failed("describe_output", error)
            return ()
        return zip((measurement for measurement, _ in left), found, strict=True)

    def _record_leftovers(self) -> None:
        self._failures.record()
        if not self._overflow:
            return
        with self._lock:
            overflow, self._overflow = self._overflow, {}
            _drops.total += sum(kept.calls for kept in overflow.values())
        for kind, kept in overflow.items():
            attributes = self._attributes(kind)
            if kept.predictions:
                self._predictions.add(kept.predictions, attributes)
            # Their mean, as often as there were calls: number and sum are exact.
            mean = (kept.seconds / kept.calls, _NO_SPAN)
            self._durations.record(repeat(mean, kept.calls), attributes)

    def _attributes(self, kind: _Kind) -> _Attributes:
        """Return the attributes of *kind*, the same object every time: histograms know it again."""
        attributes = self._attributes_of.get(kind)
        if attributes is None:
            if len(self._attributes_of) >= _MAX_KINDS:
                self._attributes_of.clear()
            attributes = self._attributes_of[kind] = _attributes(kind)
        return attributes


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


def _is_cut(measurement: Measurement) -> bool:
    """Whether samples of a call are told in part only; that is known when they are written."""
    if measurement.content is None or measurement.unread is None:
        return False
    len(measurement.content)  # whatever is asked of them, they are worked out
    return measurement.unread.is_cut


def _context(span_context: trace.SpanContext | None) -> context_api.Context:
    if span_context is None:
        return _NO_SPAN
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context), context_api.Context())


# Not an empty one, for which the SDK would take what is current in whatever thread asks for metrics.
_NO_SPAN: Final = trace.set_span_in_context(trace.INVALID_SPAN, context_api.Context())


def _attributes(kind: _Kind) -> _Attributes:
    channel, error_type, fallback_reason = kind
    attributes = channel.metric_attributes
    if error_type is not None:
        attributes = {**attributes, ERROR_TYPE: error_type}
    if fallback_reason is not None:
        attributes = {**attributes, ML_FALLBACK_REASON: fallback_reason}
    return attributes
