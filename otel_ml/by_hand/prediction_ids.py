"""
What a prediction is called, so that its outcome can be told later.

A caller may give an id. Otherwise the id is the address of the inference's span, in the form of the
W3C header `traceparent`: it costs nothing until somebody asks, is known when the call is over, and
leads feedback back to the trace without a table of ids. It is written onto the span when it is
asked for while that records.
"""

import re
import secrets
from typing import Any, Final

from opentelemetry import trace

from otel_ml.describe.values import own_text, valid_text
from otel_ml.record.recent import recent
from otel_ml.record.recording import Recording
from otel_ml_conventions import attributes as keys

__all__ = ["context_of", "current_prediction_id", "id_of", "plain_id"]

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_MAX_LENGTH: Final = 256


def current_prediction_id() -> str | None:
    """
    Return the id of the prediction that this context is about, None where there is none.

    It is that of the call under way, else of the one that ended last here: a handler that has
    called its model can put it into the response. Inside a span of another trace than that call's
    the answer is None, so that a thread that serves one request after another gives no old id.
    """
    recording = recent.here()
    return None if recording is None else id_of(recording)


def id_of(recording: Recording) -> str:
    """Return the id of the prediction of *recording*; where it has none, one is made and told."""
    if recording.prediction_id is None:
        recording.prediction_id = recording.address or _made_up()
        if recording.span is not None and recording.is_recording and not recording.has_ended:
            recording.span.set_attribute(keys.ML_PREDICTION_ID, recording.prediction_id)
    return recording.prediction_id


def _made_up() -> str:
    """Return an id that leads nowhere: there is no SDK."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def plain_id(prediction_id: object) -> str:
    """Return an id that a caller gave as text, at most 256 characters of it."""
    if isinstance(prediction_id, bytes):  # as stores and queues give back what was put into them
        prediction_id = prediction_id.decode("utf-8", "replace")
    return valid_text(own_text(prediction_id)[:_MAX_LENGTH])


def context_of(prediction: Any) -> trace.SpanContext | None:
    """
    Return the span context that *prediction* is or leads to, None where it is only a name.

    Args:
        prediction: A prediction id, a span context, or a span.
    """
    if isinstance(prediction, trace.Span):
        prediction = prediction.get_span_context()
    if isinstance(prediction, trace.SpanContext):
        return prediction if prediction.is_valid else None
    found = _TRACEPARENT.fullmatch(plain_id(prediction))
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    context = trace.SpanContext(
        trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(flags)
    )
    return context if context.is_valid else None
