"""One call of a model, from its beginning until its metrics are recorded."""

from collections.abc import Sequence
from contextvars import Token
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry import trace

from otel_ml.record.channel import Channel

if TYPE_CHECKING:
    from otel_ml.record.told import Told
    from otel_ml.record.unread import Unread

__all__ = ["Kind", "Recording"]


Kind = tuple[Channel, str | None, str | None]
"""Whose call it was, its `error.type`, and why something else answered in place of the model."""


class Recording:
    """
    One call: where it came from, its span while that lasts, and what the metrics need of it.

    One object for all of it, for it is made in the caller's time. When the call is over it waits in a
    queue, and holds nothing of the caller's any more.

    Args:
        channel: What it shares with other calls.
        batch_size: Its number of samples, None where that is not known yet.

    Attributes:
        knows_size: Whether that was known when it began.
        started: When it began, in seconds of `time.perf_counter`.
        number: The how-manieth call of its model it is.
        outer: The call that it is a part of, None for an outermost one or where nobody asks.
        span: Its span, None where none was started, and once a call is over that left something to be
            looked at later: `place` says where it was.
        trace_id: The trace that it was made in, of a call without a span; 0 where it was in none.
        is_recording: Whether that span takes attributes.
        can_wait: Whether what it says at its end can be worked out after it; without a span it always can.
        token: What puts back the context of before, None where the span is not the current one.
        prediction_id: What the prediction is called, None until that is known.
        fallback_reason: Why something else answered in place of the model.
        has_ended: Whether it is over; what follows is known only then.
        duration: Seconds that the model's own method took.
        error_type: Why it failed, None where it did not.
        missing_count: Null and NaN cells of the input, None where they were not counted.
        confidences: Those of its samples, as far as they were looked at.
        told: What its span says once somebody looks at it, None where that is said already.
        unread: What is yet to be looked at for the metrics.
        span_context: Where its span is, where that is recorded.
        context: What leads from its metrics to its span, when they have been recorded.
    """

    # What most calls leave as it is, so that only the others set it.
    knows_size = True
    outer: "Recording | None" = None
    span: trace.Span | None = None
    trace_id = 0
    is_recording = False
    can_wait = True
    token: Token[Any] | None = None
    told: "Told | None" = None
    prediction_id: str | None = None
    fallback_reason: str | None = None
    has_ended = False
    duration = 0.0
    error_type: str | None = None
    missing_count: int | None = None
    confidences: Sequence[float] = ()
    unread: "Unread | None" = None
    span_context: trace.SpanContext | None = None
    context: context_api.Context | None = None
    started = 0.0
    number = 0

    def __init__(self, channel: Channel, batch_size: int | None) -> None:
        self.channel = channel
        self.batch_size = batch_size

    @property
    def kind(self) -> Kind:
        """Return what durations and predictions are told apart by."""
        return (self.channel, self.error_type, self.fallback_reason)

    @property
    def place(self) -> trace.SpanContext | None:
        """Where its span is or was, None where none was started."""
        if self.span_context is not None or self.span is None:
            return self.span_context
        return self.span.get_span_context()

    @property
    def address(self) -> str | None:
        """Where its span is, written like a `traceparent` header; None where nothing leads there."""
        place = self.place
        if place is None or not place.is_valid:
            return None
        return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"

    def forget(self) -> None:
        """Keep only what somebody may ask of a call that is over: which it was, and where its span is."""
        self.told = self.unread = self.context = None
