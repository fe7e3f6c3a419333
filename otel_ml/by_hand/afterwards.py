"""What is said of a prediction afterwards: which inference is meant, and what is known of it."""

from typing import Any, NamedTuple

from opentelemetry import trace

from otel_ml.by_hand.prediction_ids import context_of, plain_id
from otel_ml.by_hand.typed import typed
from otel_ml.in_force import in_force
from otel_ml.record.recent import recent
from otel_ml.record.recording import Recording
from otel_ml_conventions import attributes as keys

__all__ = ["Inferred", "find"]


class Inferred(NamedTuple):
    """
    An inference that something is said of.

    Attributes:
        span: Its span while that records, else what stands for it; `INVALID_SPAN` where unknown.
        facts: Its prediction id, and its model, as far as they are known.
        recording: Its recording, None where it is not the last one of this context.
    """

    span: trace.Span
    facts: dict[str, Any]
    recording: Recording | None


def find(
    prediction: Any, model: str | None, version: str | None, index: int | None = None
) -> Inferred:
    """
    Return the inference that *prediction* names.

    Args:
        prediction: A prediction id, a span context, or a span; None for the call that this context
            is about.
        model: Name of the model, None where only the inference may know it.
        version: Its version, likewise.
        index: Position of the sample in its batch.
    """
    recording = _recording(prediction)
    facts = {
        **({} if recording is None else _model_of(recording)),
        keys.ML_MODEL_NAME: model,
        keys.ML_MODEL_VERSION: version,
        keys.ML_PREDICTION_ID: _id(prediction, recording),
        keys.ML_PREDICTION_INDEX: index,
    }
    if model is None and recording is not None:
        facts |= _model_of(recording)
    known = typed(facts, in_force().failed)
    return Inferred(_span(prediction, recording), known, recording)


def _recording(prediction: Any) -> Recording | None:
    recording = recent.here() if prediction is None else recent.get()
    if recording is None or prediction is None:
        return recording
    if recording.prediction_id is not None and plain_id(prediction) == recording.prediction_id:
        return recording  # also by a number, or an UUID, which the id is the text of
    context = context_of(prediction)
    return recording if context is not None and context == recording.place else None


def _model_of(recording: Recording) -> dict[str, Any]:
    facts = recording.channel.event_attributes
    del facts[keys.ML_OPERATION_NAME]
    return facts


def _id(prediction: Any, recording: Recording | None) -> str | None:
    if recording is not None and recording.prediction_id is not None:
        return recording.prediction_id
    is_address = prediction is None or isinstance(prediction, (trace.Span, trace.SpanContext))
    return None if is_address else plain_id(prediction)


def _span(prediction: Any, recording: Recording | None) -> trace.Span:
    if recording is not None and recording.span is not None:
        return recording.span
    context = None if recording is None else recording.place
    if context is not None:
        return trace.NonRecordingSpan(context)
    if prediction is None:
        return trace.get_current_span()
    if isinstance(prediction, trace.Span):
        return prediction
    context = context_of(prediction)
    # Not the current span: that is somebody else's, and would be taken for the inference's.
    return trace.INVALID_SPAN if context is None else trace.NonRecordingSpan(context)
