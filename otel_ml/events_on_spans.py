"""A bridge from events to spans, for back ends that store no log records."""

from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk._logs import LogRecordProcessor

from otel_ml.record.events import WITH_CONTENT, write_on_span

__all__ = ["EventsOnSpans"]

_OURS: Final = "ml."
_EVENT_NAME: Final = "event.name"  # where names were before records had one


class EventsOnSpans(LogRecordProcessor):
    """
    Writes every `ml.*` event on the span in whose context it happens, while that span records.

    But those with content, explanations and details of predictions: these go onto spans only where
    `OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT` says that content does.

    Add it to a `LoggerProvider`, with or without other processors; it sends nothing itself. Where
    there is no `LoggerProvider`, `OTEL_INSTRUMENTATION_ML_EVENTS_ON_SPANS=true` does the same.
    """

    def on_emit(self, log_record: Any) -> None:
        """Write *log_record* on its span if it is an event of ours."""
        record = log_record.log_record
        attributes = dict(record.attributes or {})
        name = getattr(record, "event_name", None) or attributes.pop(_EVENT_NAME, None)
        if not str(name).startswith(_OURS) or name in WITH_CONTENT:
            return
        span = trace.get_current_span(getattr(record, "context", None))
        if span.get_span_context().span_id == record.span_id:
            write_on_span(span, str(name), attributes)

    emit = on_emit  # as it was called until 1.35

    def shutdown(self) -> None:
        """Return; there is nothing to close."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - as the SDK calls it
        """Return True: nothing waits."""
        return True
