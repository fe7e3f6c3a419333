"""What goes on inside a model, as a summary."""

from collections.abc import Mapping
from itertools import islice
from math import isfinite
from typing import Any, Final

from otel_ml.by_hand.afterwards import find
from otel_ml.by_hand.typed import text
from otel_ml.in_force import in_force
from otel_ml.record.tracing import is_enabled
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.events import EVENT_ML_INTERNAL

__all__ = ["record_internal"]

_MAX_NUMBERS: Final = 256
_IDENTITY: Final = (keys.ML_MODEL_NAME, keys.ML_MODEL_VERSION)


def record_internal(
    name: str, summary: Mapping[str, float], *, model: str | None = None, version: str | None = None
) -> None:
    """
    Say what goes on inside a model: the event `ml.internal`, in the context of its inference.

    Statistics of attention, activations or embeddings, never these themselves: only single finite
    numbers leave. Calling it is asking for that. Nothing is raised; a summary without a number, or
    of no known model, is counted and logged once.

    Args:
        name: What is summarised, of low cardinality: `attention`, `encoder.layer.11` ...
        summary: Number by name; the first 256 are told.
        model: Name of the model; by default that of the inference that this context is about.
        version: Its version, likewise.
    """
    recorder = in_force()
    if not is_enabled():
        return
    try:
        inferred = find(None, model, version)
        told = islice(summary.items(), _MAX_NUMBERS)
        numbers = {text(key): float(number) for key, number in told}
        finite = {key: number for key, number in numbers.items() if isfinite(number)}
        if not finite or keys.ML_MODEL_NAME not in inferred.facts:
            recorder.refused("record_internal", "expected finite numbers, and the name of a model")
            return
        facts: dict[str, Any] = {
            key: inferred.facts[key] for key in _IDENTITY if key in inferred.facts
        }
        facts |= {keys.ML_INTERNAL_NAME: text(name), keys.ML_INTERNAL_SUMMARY: finite}
        recorder.event(EVENT_ML_INTERNAL, facts, inferred.span)
    except Exception as error:  # noqa: BLE001 - what a user gives may raise anything
        recorder.failed("record_internal", error)
