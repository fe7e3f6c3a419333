"""The metrics of the calls: measured in the caller's thread, recorded in a thread of their own."""

import threading
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Final

from opentelemetry import context as context_api
from opentelemetry import metrics, trace

from otel_ml.record.failures import Failures
from otel_ml.record.histograms import DirectHistogram
from otel_ml.record.recording import Kind, Recording
from otel_ml.record.unread import confidences_together
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

if TYPE_CHECKING:
    from otel_ml.record.channel import Channel

__all__ = ["Measurements"]

# What waits of a call is at most 8 KB (an output, or 32 confidences), so what waits is at most 32 MB; where
# values are captured, it holds copies of as many bytes as may be told of them, again 8 KB by default.
_CAPACITY: Final = 4096
_MAX_KINDS: Final = 1024

# Not an empty one, for which the SDK would take what is current in whatever thread asks for metrics.
_NO_SPAN: Final = trace.set_span_in_context(trace.INVALID_SPAN, context_api.Context())

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
    """What calls say that are recorded together, by the attributes that it is recorded with."""

    def __init__(self) -> None:
        self.durations: defaultdict[Kind, _Numbers] = defaultdict(list)
        self.predictions: Counter[Kind] = Counter()
        self.batch_sizes: defaultdict[Channel, _Numbers] = defaultdict(list)
        self.confidences: defaultdict[Channel, _Numbers] = defaultdict(list)
        self.missing: Counter[Channel] = Counter()

    def add(self, recording: Recording) -> None:
        """Add what *recording* says."""
        kind, channel = recording.kind, recording.channel
        context = _context(recording)
        self.durations[kind].append((recording.duration, context))
        if recording.batch_size is not None:
            self.batch_sizes[channel].append((recording.batch_size, context))
            self.predictions[kind] += recording.batch_size
        if recording.confidences:
            self.add_confidences(recording, recording.confidences)
        if recording.missing_count:
            self.missing[channel] += recording.missing_count

    def add_confidences(self, recording: Recording, confidences: Sequence[float]) -> None:
        """Add *confidences* that were found in the call of *recording*."""
        context = _context(recording)
        self.confidences[recording.channel] += [(number, context) for number in confidences]


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
        self.ring: Ring[Recording] = Ring(_CAPACITY, self._consume, self._restart)
        _live.add(self)
        _observe_collections(meter)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._overflow: dict[Kind, _Overflow] = {}
        self._cut = 0
        self._attributes_of: dict[Kind, _Attributes] = {}

    def _restart(self) -> None:
        self._begin()
        _drops.total = 0
        self._forget()

    def keep_the_count(self, recording: Recording) -> None:
        """Keep number and time of a *recording* that the ring had no room for."""
        with self._lock:
            overflow = self._overflow.setdefault(recording.kind, _Overflow())
            overflow.calls += 1
            overflow.predictions += recording.batch_size or 0
            overflow.seconds += recording.duration
        recording.forget()

    def count_cut(self) -> None:
        """Count a span or an event whose content was too large to be told whole."""
        with self._lock:
            self._cut += 1

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

    def _consume(self, recordings: list[Recording]) -> None:
        try:
            self._record(recordings)
            self._record_leftovers()
        except Exception as error:  # noqa: BLE001 - a metrics SDK may raise anything
            self._failures.failed("record_metrics", error)

    def _record(self, recordings: Sequence[Recording]) -> None:
        lot = _Lot()
        for recording in recordings:
            lot.add(recording)
        for recording, confidences in self._look_at(recordings):
            lot.add_confidences(recording, confidences)
        for recording in recordings:
            recording.forget()
        self._record_lot(lot)

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
        self, recordings: Sequence[Recording]
    ) -> Iterable[tuple[Recording, Sequence[float]]]:
        """Return the confidences in what callers left to be looked at, and in whose call."""
        left = [(each, each.unread) for each in recordings if each.unread is not None]
        try:
            found = confidences_together([unread for _, unread in left])
        except Exception as error:  # noqa: BLE001 - numpy may run out of memory
            self._failures.failed("describe_output", error)
            return ()
        return zip((recording for recording, _ in left), found, strict=True)

    def _record_leftovers(self) -> None:
        self._failures.record()
        if not (self._overflow or self._cut):
            return
        with self._lock:
            overflow, self._overflow = self._overflow, {}
            cut, self._cut = self._cut, 0
            _drops.total += sum(kept.calls for kept in overflow.values())
        if cut:
            self._truncated.add(cut)
        for kind, kept in overflow.items():
            attributes = self._attributes(kind)
            if kept.predictions:
                self._predictions.add(kept.predictions, attributes)
            # Their mean, as often as there were calls: number and sum are exact.
            mean = (kept.seconds / kept.calls, _NO_SPAN)
            self._durations.record(repeat(mean, kept.calls), attributes)

    def _attributes(self, kind: Kind) -> _Attributes:
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


def _context(recording: Recording) -> context_api.Context:
    """Return where the metrics of *recording* are recorded: what leads from them to its span."""
    if recording.context is None:
        at = recording.span_context
        recording.context = (
            _NO_SPAN
            if at is None
            else trace.set_span_in_context(trace.NonRecordingSpan(at), context_api.Context())
        )
    return recording.context


def _attributes(kind: Kind) -> _Attributes:
    channel, error_type, fallback_reason = kind
    attributes = channel.metric_attributes
    if error_type is not None:
        attributes = {**attributes, ERROR_TYPE: error_type}
    if fallback_reason is not None:
        attributes = {**attributes, ML_FALLBACK_REASON: fallback_reason}
    return attributes
