"""What a process runs in and which model it serves, on the resource of all that it emits."""

import os
from unittest.mock import patch

from conventions.scenarios.models import named, price_model
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from otel_ml.resource_detector import EnvironmentDetector


def run(telemetry: Telemetry) -> None:
    """Predict once in a process that serves version 3 of one model."""
    model = price_model()
    with patch.dict(os.environ, OTEL_ML_MODEL_NAME="price", OTEL_ML_MODEL_VERSION="3"):
        detected = EnvironmentDetector().detect()
    with telemetry.sdk(detected=detected, model_name="price", model_version="3"):
        model.predict(named((1, 5)))


if __name__ == "__main__":
    show(run)
