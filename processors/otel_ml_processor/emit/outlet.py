"""Where the pipeline's findings leave it: the book of metrics, events, verdicts on spans or beside them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_VERDICTS_DROPPED
from otel_ml_processor.assess.label_alarms import LabelStates, describe_alarms
from otel_ml_processor.assess.states import describe
from otel_ml_processor.emit.annotations import RateLimit, annotate, verdict_spans
from otel_ml_processor.emit.events import drift_attributes, warning
from otel_ml_processor.emit.label_events import label_attributes
from otel_ml_processor.emit.told_windows import ToldWindows
from otel_ml_processor.emit.webhook import event_body, event_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Change, Reading
    from otel_ml_processor.assess.verdict import Verdicts
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.decode.decoder import Decoded
    from otel_ml_processor.emit.events import Attributes
    from otel_ml_processor.emit.metrics import MetricBook
    from otel_ml_processor.emit.otlp import Identity
    from otel_ml_processor.emit.push import Pusher
    from otel_ml_processor.emit.webhook import Webhook
    from otel_ml_processor.feedback.totals import FeedbackTotals
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.windows.streams import Totals

__all__ = ["Outlet"]

_LOGGER: Final = logging.getLogger(__name__)


class Outlet:
    """Publishes what the pipeline finds; nothing here waits for anybody."""

    def __init__(
        self,
        *,
        book: MetricBook,
        pusher: Pusher,
        identity: Identity,
        self_metrics: SelfMetrics,
        effect_floor: Callable[[StreamKey], float],
        max_annotated_bytes: int,
        verdicts_per_second: float,
        register: Callable[[StreamKey], None],
        webhook: Webhook | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._book = book
        self._pusher = pusher
        self._identity = identity
        self._self_metrics = self_metrics
        self._effect_floor = effect_floor
        self._max_annotated_bytes = max_annotated_bytes
        self._rate_limit = RateLimit(verdicts_per_second, self_metrics)
        self._register = register
        self._webhook = webhook
        self.labels = LabelStates()
        """Which alarms of labels have been told."""
        self._told = ToldWindows()
        self._registered: set[StreamKey] = set()
        self._clock_ns = clock_ns

    def reading(self, reading: Reading, change: Change | None) -> None:
        """Write *reading* into the book; send the event, call the webhook and log it where something began to drift."""
        self._book.update(reading, change)
        if change is not None:
            description = describe(change)
            floor = self._effect_floor(reading.stream)
            about = drift_attributes(change, description, effect_floor=floor)
            self._alarm(change.reading, event_id(change.reading), about, description)

    def refresh(self, reading: Reading) -> None:
        """Write the numbers of a window that slides into the book; nothing of it is an event."""
        self._book.refresh(reading)

    def totals(self, totals: Totals) -> None:
        """Write what a stream has had so far into the book; a stream seen first is introduced there."""
        if totals.stream not in self._registered:
            self._registered.add(totals.stream)
            self._register(totals.stream)
        self._book.set_totals(totals.stream, totals.labels, totals.low_confidence, totals.ood)
        if totals.freshness is not None:
            self._book.set_quality(totals.stream, totals.invalid, totals.freshness)

    def forget(self, stream: StreamKey) -> None:
        """Take a stream out of the book; one that comes again is introduced again."""
        self._registered.discard(stream)
        self.labels.forget(stream)
        self._told.forget(stream)
        self._book.forget(stream)

    def feedback(self, totals: FeedbackTotals) -> None:
        """Write how much feedback a stream has had into the book."""
        self._book.set_feedback(totals)

    def performance(self, reading: PerformanceReading) -> None:
        """
        Write how good the predictions of a window were into the book; send the event, call the webhook and log it where that is an alarm since now.

        Of a window that has had its event nothing more is told: what holds on is told of the next one.
        """
        self._book.set_performance(reading)
        may_tell = (reading.stream, reading.window) not in self._told
        began = self.labels.began(reading, may_tell=may_tell)
        if began:
            description = describe_alarms(reading, began)
            about = label_attributes(reading, began, description)
            self._alarm(reading, event_id(reading, of_labels=True), about, description)

    def _alarm(
        self,
        reading: Reading | PerformanceReading,
        message_id: str,
        about: Attributes,
        description: str,
    ) -> None:
        """Tell, on every way there is, what is an alarm in the window of *reading* since now."""
        self._told.note(reading.stream, reading.window)
        _LOGGER.warning("%s", description)
        end_ns = reading.window.end_ns
        if self._webhook is not None:
            self._webhook.push(message_id, event_body(end_ns, about))
        self._pusher.push_logs(warning(about, end_ns, self._identity, self._clock_ns()))

    def lag(self, lag_s: float) -> None:
        """Write how far event time is behind the clock into the book."""
        self._book.set_window_lag(lag_s)

    def dedupe_horizon(self, horizon_s: float) -> None:
        """Write for how long a request that comes again is known into the book."""
        self._book.set_dedupe_horizon(horizon_s)

    def annotated(self, decoded: Decoded, verdicts: Verdicts) -> bytes:
        """Return the request with the verdicts on its spans, or as it is where that would be too large for the next hop."""
        return annotate(decoded.spans, verdicts, self._max_annotated_bytes, self._self_metrics)

    def verdict_spans(self, decoded: Decoded, verdicts: Verdicts) -> None:
        """Send child spans for the flagged inferences, as many as the rate allows."""
        # No clock that is put: after an hour back none would be sent for as long.
        chosen = self._rate_limit.select(decoded.spans, verdicts, time.monotonic_ns())
        if chosen and not self._pusher.push_traces(verdict_spans(decoded.spans, chosen)):
            self._self_metrics.add(METRIC_ML_PROCESSOR_VERDICTS_DROPPED, len(chosen))
