"""OpenTelemetry for machine learning: predictions as spans, their confidence and inputs watched."""

from importlib import import_module

TYPE_CHECKING = False  # `typing` itself would be the dearest import of this file
if TYPE_CHECKING:
    from otel_ml.by_hand.calls import Call
    from otel_ml.by_hand.carrying import propagate
    from otel_ml.by_hand.evaluations import evaluation, record_evaluation
    from otel_ml.by_hand.explanations import explanation, record_explanation
    from otel_ml.by_hand.feedback import record_feedback
    from otel_ml.by_hand.inferences import inference
    from otel_ml.by_hand.internals import record_internal
    from otel_ml.by_hand.observing import observe
    from otel_ml.by_hand.prediction_ids import current_prediction_id
    from otel_ml.by_hand.steps import pipeline_step
    from otel_ml.by_hand.trainings import training
    from otel_ml.describe.models import register_model
    from otel_ml.describe.validation import ValidationError
    from otel_ml.event_loop import watch_event_loop
    from otel_ml.events_on_spans import EventsOnSpans
    from otel_ml.instrumentors import instrument, uninstrument
    from otel_ml.log_correlation import LogCorrelation, correlate_logs

__all__ = [
    "Call",
    "EventsOnSpans",
    "LogCorrelation",
    "ValidationError",
    "correlate_logs",
    "current_prediction_id",
    "evaluation",
    "explanation",
    "inference",
    "instrument",
    "observe",
    "pipeline_step",
    "propagate",
    "record_evaluation",
    "record_explanation",
    "record_feedback",
    "record_internal",
    "register_model",
    "training",
    "uninstrument",
    "watch_event_loop",
]

# Looked up when first used: a service that only mentions otel_ml pays nothing for it.
_HOMES = {
    "Call": "otel_ml.by_hand.calls",
    "EventsOnSpans": "otel_ml.events_on_spans",
    "LogCorrelation": "otel_ml.log_correlation",
    "ValidationError": "otel_ml.describe.validation",
    "correlate_logs": "otel_ml.log_correlation",
    "current_prediction_id": "otel_ml.by_hand.prediction_ids",
    "evaluation": "otel_ml.by_hand.evaluations",
    "explanation": "otel_ml.by_hand.explanations",
    "inference": "otel_ml.by_hand.inferences",
    "instrument": "otel_ml.instrumentors",
    "observe": "otel_ml.by_hand.observing",
    "pipeline_step": "otel_ml.by_hand.steps",
    "propagate": "otel_ml.by_hand.carrying",
    "record_evaluation": "otel_ml.by_hand.evaluations",
    "record_explanation": "otel_ml.by_hand.explanations",
    "record_feedback": "otel_ml.by_hand.feedback",
    "record_internal": "otel_ml.by_hand.internals",
    "register_model": "otel_ml.describe.models",
    "training": "otel_ml.by_hand.trainings",
    "uninstrument": "otel_ml.instrumentors",
    "watch_event_loop": "otel_ml.event_loop",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'otel_ml' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
