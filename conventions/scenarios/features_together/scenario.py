"""All features together: a sample of usual values that never went together, and what the predictions are attributed to."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

import otel_ml
from conventions.scenarios.models import customers_with_incomes, profile
from conventions.scenarios.shown import show

if TYPE_CHECKING:
    from conventions.scenarios.telemetry import Telemetry

OPTIONS: Final = ("mode=tee", "windows=[{name: sixty, rows: 60}]", "streams.min_rows=50")
SETTINGS: Final[dict[str, Any]] = {"capture_content": "span_only"}
ODD: Final = {"age": 1, "income": 95, "visits": 5}
"""A young customer with a large income: each within its range, together never seen."""


def run(telemetry: Telemetry) -> None:
    """Predict and explain sixty samples, the last of which is odd."""
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **SETTINGS) as tracers,
        ):
            drawn = np.random.default_rng(1).choice(1000, size=59)
            first, *others = customers_with_incomes().iloc[drawn].to_dict("records")
            _predict(first, 0)
            tracers.force_flush()
            processor.tick()  # from now on it is known that the predictions are explained
            for position, sample in enumerate([*others, ODD], start=1):
                _predict(sample, position)


def _predict(sample: dict[str, Any], position: int) -> None:
    said = {name: float(value) for name, value in sample.items()}
    with otel_ml.inference("churn", version="3", features=said) as call:
        call.output(probabilities={"leaves": 0.9, "stays": 0.1})
        otel_ml.record_explanation(_attributions(position))


def _attributions(position: int) -> dict[str, float]:
    """Return what is attributed to each feature: now for, now against, always as much."""
    sign = 1 if position % 2 else -1
    return {"age": sign * 0.5, "income": sign * 0.25, "visits": sign * 0.125}


def _profile(folder: Path) -> str:
    """Return the profile of the customers, with what is usually attributed to their features."""
    usual = pd.DataFrame([_attributions(position) for position in range(400)])
    usual.to_parquet(folder / "attributions.parquet")
    return profile(
        folder, customers_with_incomes(), f"--explanations {folder}/attributions.parquet"
    )


if __name__ == "__main__":
    show(run)
