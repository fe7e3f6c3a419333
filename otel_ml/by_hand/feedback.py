"""What is learned of a prediction later: the true answer, or whether it was right."""

from datetime import datetime
from typing import Any, Final

from opentelemetry import trace

from otel_ml.by_hand.afterwards import Inferred, find
from otel_ml.by_hand.outputs import UnreadableError, read_confidence
from otel_ml.by_hand.typed import sample_index
from otel_ml.describe.probabilities import class_label
from otel_ml.describe.values import is_missing
from otel_ml.in_force import in_force
from otel_ml.record.tracing import is_enabled
from otel_ml.recorder import InferenceRecorder
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlFeedbackSourceValues
from otel_ml_conventions.events import EVENT_ML_FEEDBACK

__all__ = ["record_feedback"]

_SOURCES: Final = tuple(source.value for source in MlFeedbackSourceValues)
_OF_METRIC: Final = (
    keys.ML_MODEL_NAME,
    keys.ML_MODEL_VERSION,
    keys.ML_FEEDBACK_CORRECT,
    keys.ML_FEEDBACK_SOURCE,
)


def record_feedback(
    prediction: str | trace.SpanContext | trace.Span | object,
    *,
    label: object = None,
    value: float | None = None,
    score: float | None = None,
    correct: bool | None = None,
    source: str | None = None,
    index: int | None = None,
    model: str | None = None,
    version: str | None = None,
    predicted_label: object = None,
    predicted_confidence: float | None = None,
    predicted_at: datetime | None = None,
) -> None:
    """
    Say what was learned of *prediction*; at least one of label, value, score and correct.

    What is None, NaN or pandas' `NA` is not known yet, and not told.

    It is the event `ml.feedback`, in the trace context of the inference however long ago that
    ended, and counted in `ml.feedback.events`. Where events are to go onto spans, and the span of
    the inference is over, it is a span `ml.feedback` that links to it instead.

    What is given here leaves the process: giving it is asking for that. Nothing is raised; feedback
    that says nothing, or cannot be read, is counted and logged once. Who tells what was predicted
    too, and when, spares a receiver the search for the prediction: it may be months old.

    Args:
        prediction: The id of the prediction, or the span context (or span) of the inference.
        label: The true class.
        value: The true number.
        score: How good the prediction was, the larger the better.
        correct: Whether it was right.
        source: `human`, `system`, `delayed_label` or `implicit`.
        index: Position of the sample in its batch, from 0.
        model: Name of the model, where the inference was made elsewhere.
        version: Version of the model, likewise.
        predicted_label: The class that was predicted.
        predicted_confidence: The probability that the model gave it, from 0 to 1.
        predicted_at: When it was predicted, with the offset from UTC.
    """
    recorder = in_force()
    if not is_enabled():
        return
    try:
        told = _told(label, value, score, correct)
        source, model, version = map(_known, (source, model, version))
        if not told or (source is not None and source not in _SOURCES):
            recorder.refused("record_feedback", _complaint(told))
            return
        if source is not None:
            told[keys.ML_FEEDBACK_SOURCE] = str(source)
        told |= _predicted(predicted_label, predicted_confidence, predicted_at)
        _record(recorder, find(_said(prediction), model, version, sample_index(index)), told)
    except UnreadableError as error:
        recorder.refused("record_feedback", str(error))
    except Exception as error:  # noqa: BLE001 - what a user gives may raise anything
        recorder.failed("record_feedback", error)


def _told(
    label: object, value: float | None, score: float | None, correct: bool | None
) -> dict[str, Any]:
    # In a table what is not known yet is NaN, which has a text, is a number, and counts as true.
    told: dict[str, Any] = {}
    if not is_missing(label):
        told[keys.ML_FEEDBACK_LABEL] = class_label(label)
    if value is not None and not is_missing(value):
        told[keys.ML_FEEDBACK_VALUE] = float(value)
    if score is not None and not is_missing(score):
        told[keys.ML_FEEDBACK_SCORE] = float(score)
    if not is_missing(correct):
        told[keys.ML_FEEDBACK_CORRECT] = _truth(correct)
    return told


def _known(fact: Any) -> Any:
    """Return *fact*, None where a table has nothing in its place."""
    return None if is_missing(fact) else fact


def _truth(correct: object) -> bool:
    if correct not in (False, True):  # a text, `false` say, would be true
        raise UnreadableError("expected correct to be true or false")
    return bool(correct)


def _said(prediction: object) -> object:
    if prediction is not None and is_missing(prediction):  # NaN in a table, whose text is `nan`
        raise UnreadableError("expected a prediction id, span or span context, found none")
    # A whole column of a table.
    if isinstance(prediction, list) or getattr(prediction, "shape", None):
        raise UnreadableError("expected one prediction, found several; tell of each by itself")
    return prediction


def _predicted(label: object, confidence: float | None, moment: datetime | None) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if not is_missing(label):
        told[keys.ML_PREDICTION_LABEL] = class_label(label)
    if not is_missing(confidence):
        told[keys.ML_PREDICTION_CONFIDENCE] = read_confidence(confidence)
    if moment is not None and not is_missing(moment):
        if getattr(moment, "tzinfo", None) is None:  # a text has none, either
            raise UnreadableError(
                "expected predicted_at to be a `datetime` with its offset from UTC, found another"
            )
        told[keys.ML_PREDICTION_TIME] = moment.isoformat()
    return told


def _complaint(told: dict[str, Any]) -> str:
    if not told:
        return "expected a label, value, score or correct, found none of them"
    return f"expected a source of {', '.join(_SOURCES)}, found another"


def _record(recorder: InferenceRecorder, inferred: Inferred, told: dict[str, Any]) -> None:
    facts = {**inferred.facts, **told}
    recorder.count_feedback({key: facts[key] for key in _OF_METRIC if key in facts})
    if recorder.settings.events_on_spans and not inferred.span.is_recording():
        _carry(recorder, inferred.span.get_span_context(), facts)
    else:
        recorder.event(EVENT_ML_FEEDBACK, facts, inferred.span)


def _carry(recorder: InferenceRecorder, context: trace.SpanContext, facts: dict[str, Any]) -> None:
    name = f"feedback {facts[keys.ML_MODEL_NAME]}" if keys.ML_MODEL_NAME in facts else "feedback"
    span = recorder.start(name, facts, [trace.Link(context)] if context.is_valid else None)
    if span is not None:
        recorder.finish(span, {})
