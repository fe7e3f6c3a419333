"""What is done around a model fails: each span, and the duration of the training, names the class of the exception."""

from contextlib import AbstractContextManager, suppress
from typing import Any

from sklearn.linear_model import LinearRegression

import otel_ml
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

SAID: dict[str, Any] = {
    "version": "3",
    "framework": "sklearn",
    "task": "regression",
    "implementation": f"{LinearRegression.__module__}.LinearRegression",
}


def fail(block: AbstractContextManager[Any]) -> None:
    """Raise inside of *block*."""
    with suppress(LookupError), block:
        raise LookupError


def run(telemetry: Telemetry) -> None:
    """Let a training, an evaluation, an explanation, an inference and a step raise."""
    with telemetry.sdk(capture_content="span_only"):
        fail(otel_ml.training("price", **SAID))
        fail(otel_ml.evaluation("price", **SAID))
        with (
            suppress(LookupError),
            otel_ml.explanation("price", method="lime", **SAID) as explaining,
        ):
            explaining.record({"age": 0.5, "visits": -0.75})
            raise LookupError
        fail(otel_ml.inference("price", version="3"))
        fail(otel_ml.pipeline_step("scaler", model="price", **SAID))


if __name__ == "__main__":
    show(run)
