"""A tenant of whom everything is known, a profile with times, labels, explanations and regions: each series and the alarm say whose they are."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from opentelemetry.sdk.resources import Resource

import otel_ml
from conventions.scenarios.models import profile
from conventions.scenarios.shown import show

if TYPE_CHECKING:
    from conventions.scenarios.telemetry import Telemetry

OPTIONS: Final = (
    "mode=tee",
    "windows=[{name: hundreds, rows: 200}]",
    "streams.min_rows=50",
    "segments.attributes=[region]",
    "emit.feature_bins=true",
    "verdicts.per_second=1000000",
    "tenants={attribute: tenant.id}",
)
SETTINGS: Final[dict[str, Any]] = {
    "capture_content": "span_only",
    "capture_input_hash": True,
    "events_on_spans": True,
}
REGIONS: Final = ("north", "south")


def run(telemetry: Telemetry) -> None:
    """Predict for a hundred customers of each region, for whom the income falls with the age, and hear what came true."""
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{_profile(Path(folder))}]"
        with telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor:
            for region in REGIONS:
                where = Resource({"tenant.id": "acme", "region": region})
                sent: dict[str, Any] = {"traces_to": processor.endpoint, "detected": where}
                with telemetry.sdk(**sent, **SETTINGS) as tracers:
                    for number in range(100):
                        _predict(number)
                        if number == 0:
                            tracers.force_flush()
                            processor.tick()  # from now on it is known that the predictions are explained


def _predict(number: int) -> None:
    """Predict for the customer of that *number*, of whom there are a hundred; the first comes twice, and is answered otherwise."""
    same = max(1, number)
    age = same % 10
    features = {"age": age, "income": 90 - 10 * age + same // 10, "visits": same // 10}
    leaves = 0.9 if number % 2 else 0.2
    with otel_ml.inference("churn", version="3", features=_floats(features)) as call:
        call.output(probabilities={"leaves": leaves, "stays": 1 - leaves})
        otel_ml.record_explanation(_attributions(number))
        true = "leaves" if number % 4 else "stays"
        otel_ml.record_feedback(otel_ml.current_prediction_id(), label=true, source="delayed_label")


def _floats(features: dict[str, int]) -> dict[str, float]:
    return {name: float(value) for name, value in features.items()}


def _attributions(number: int) -> dict[str, float]:
    sign = 1 if number % 2 else -1
    return {"age": sign * 0.5, "income": sign * 0.25, "visits": sign * 0.125}


def _profile(folder: Path) -> str:
    """Return the profile of four thousand customers whose income grows with the age, a minute apart, with what is attributed to their features."""
    number = np.arange(4000)
    age = number % 10
    columns = {"age": age, "income": 10 * age + number // 10 % 10, "visits": number // 10 % 10}
    table = pd.DataFrame(columns).astype(float)
    table["at"] = pd.date_range("2026-01-01", periods=len(table), freq="min")
    table["region"] = np.where(number // 200 % 2, *REGIONS)
    table["said"] = np.where(number % 2, "leaves", "stays")
    table["score"] = np.where(number % 2, 0.9, 0.2)
    table["true"] = np.where(number % 4, "leaves", "stays")
    usual = pd.DataFrame([_attributions(each) for each in range(400)])
    usual.to_parquet(folder / "attributions.parquet")
    options = (
        "--label said --score score --positive leaves --target true --segment region --time at "
        f"--explanations {folder}/attributions.parquet"
    )
    return profile(folder, table, options)


if __name__ == "__main__":
    show(run)
