"""Inputs that come twice and are answered twice, numbers that become floats, and answers that are none: what is told without any profile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from conventions.scenarios.models import CHURN, churn_model, named
from conventions.scenarios.shown import show

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import AttributeValue

    from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=tee", "windows=[{name: four, rows: 4}]", "streams.min_rows=2")
UNUSABLE: tuple[dict[str, Any], ...] = (
    {"ml.prediction.value": math.nan},
    {"ml.prediction.value": math.inf},
    {"ml.prediction.label": "late", "ml.prediction.confidence": 1.5},
    {"ml.prediction.label": ""},
)


def run(telemetry: Telemetry) -> None:
    """Predict a window of whole numbers and one of floats, in each one input twice with opposite answers, then with a model that is broken."""
    with (
        telemetry.processor(*OPTIONS) as processor,
        telemetry.sdk(
            traces_to=processor.endpoint, capture_input_hash=True, **CHURN
        ) as tracer_provider,
    ):
        for first in (1, 1.0):
            model = churn_model()
            for age in (first, first + 1, first + 2):
                model.predict_proba(named((age, age)))
            model.coef_ = -model.coef_
            model.predict_proba(named((first, first)))
        _say_nothing_of_use(tracer_provider.get_tracer("broken"))


def _say_nothing_of_use(tracer: Tracer) -> None:
    """Write the spans of calls whose answers are none, as a service does that has no instrumentation of ours."""
    call: dict[str, AttributeValue] = {
        "ml.operation.name": "predict",
        "ml.model.name": "delay",
        "ml.batch.size": 1,
    }
    for answer in UNUSABLE:
        with tracer.start_as_current_span("predict delay", attributes={**call, **answer}):
            pass


if __name__ == "__main__":
    show(run)
