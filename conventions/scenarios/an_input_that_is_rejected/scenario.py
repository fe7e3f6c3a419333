"""A service that asks for it rejects an input that is not valid: the model is not called, and the span says why."""

from contextlib import suppress
from typing import Any

from conventions.scenarios.models import named, price_model
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from otel_ml.describe.validation import ValidationError

PRICE: dict[str, Any] = {"model_name": "price", "model_version": "2"}


def run(telemetry: Telemetry) -> None:
    """Ask for the price at an age that is missing."""
    model = price_model()
    with telemetry.sdk(**PRICE, validation_blocks=True), suppress(ValidationError):
        model.predict(named((float("nan"), 5.0)))


if __name__ == "__main__":
    show(run)
