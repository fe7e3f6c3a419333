"""Content as events: a batch and a cut sample are told by log records, and their spans hold no feature values."""

from typing import Any

import numpy as np

import otel_ml
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Tell of two samples with names, and of one with more numbers than may be captured."""
    batch = [{"age": 42, "visits": 7}, {"age": 7, "visits": 0}]
    captured: dict[str, Any] = {"capture_content": "event_only", "capture_outputs": "full"}
    one = np.array([[1.0, 2.0, 3.0]])
    cut = telemetry.sdk(capture_max_bytes=18, **captured)
    with cut, otel_ml.inference("churn", features=one) as call:
        call.output(label="stays", score=0.5)
    with telemetry.sdk(**captured), otel_ml.inference("churn", features=batch) as call:
        call.output(
            labels=["stays", "leaves"], confidence=[0.75, 0.5], value=[1.0, 2.0], score=[3, 4]
        )


if __name__ == "__main__":
    show(run)
