"""A processor in line says on the inference's own span that its features never went together, though each is usual by itself."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import otel_ml
from conventions.scenarios.models import customers_with_incomes, profile
from conventions.scenarios.shown import show

if TYPE_CHECKING:
    from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict for a young customer with a small income, and for one with a large income."""
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{profile(Path(folder), customers_with_incomes(), '')}]"
        with (
            telemetry.processor("mode=inline", profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, capture_content="span_only"),
        ):
            _predict(income=15.0)
            _predict(income=95.0)


def _predict(income: float) -> None:
    features = {"age": 1.0, "income": income, "visits": 5.0}
    with otel_ml.inference("churn", version="3", features=features) as call:
        call.output(probabilities={"leaves": 0.9, "stays": 0.1})


if __name__ == "__main__":
    show(run)
