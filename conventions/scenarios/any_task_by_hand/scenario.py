"""Frameworks and tasks that no instrumentor knows: whoever calls such a model says what it is and does."""

import otel_ml
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

MODELS = {
    "demand": "forecasting",
    "shop-window": "recommendation",
    "street": "object_detection",
    "leaves": "segmentation",
}


def run(telemetry: Telemetry) -> None:
    """Ask four models of JAX, of one sample each."""
    with telemetry.sdk():
        for name, task in MODELS.items():
            with otel_ml.inference(name, framework="jax", task=task, batch_size=1):
                pass


if __name__ == "__main__":
    show(run)
