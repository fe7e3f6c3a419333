"""Two regions that were alike and no longer are: another share of one class, and, as labels tell, of mistakes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource

from conventions.scenarios.models import CHURN, EVERY_VALUE, churn_model, named, profile
from conventions.scenarios.shown import show
from otel_ml import current_prediction_id, record_feedback

if TYPE_CHECKING:
    from conventions.scenarios.telemetry import Telemetry

OPTIONS = (
    "mode=tee",
    "windows=[{name: quarter, rows: 250}]",
    "streams.min_rows=100",
    "segments.attributes=[region]",
    "verdicts.low_confidence=0.97",  # every prediction is one of low confidence, in both regions alike
)
SETTINGS: dict[str, Any] = {**CHURN, **EVERY_VALUE, "events_on_spans": True}
STAYING = {"north": 25, "south": 100}
"""How many of 125 samples of a region are said to stay; usually every second one is."""


def run(telemetry: Telemetry) -> None:
    """Predict half a window in each region, and hear that a fifth of the one and four fifths of the other were mistakes."""
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{_profile(Path(folder))}]"
        with telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor:
            for region, staying in STAYING.items():
                ages = [-3] * staying + [3] * (125 - staying)
                where = Resource({"region": region})
                with telemetry.sdk(traces_to=processor.endpoint, detected=where, **SETTINGS):
                    churn_model().predict_proba(named(*((age, 0) for age in ages)))
                    _hear(current_prediction_id(), ages, wrong=staying)


def _hear(prediction: str | None, ages: list[int], wrong: int) -> None:
    """Say what came true: of the first *wrong* predictions the opposite of what was said."""
    for index, age in enumerate(ages):
        said = "leaves" if age > 0 else "stays"
        other = "stays" if age > 0 else "leaves"
        record_feedback(prediction, label=other if index < wrong else said, index=index)


def _profile(folder: Path) -> str:
    """Return the profile of a thousand samples, as many of each region, age and visits; nine of ten came true."""
    rows = [(age, region, i) for age in (-3, 3) for region in STAYING for i in range(250)]
    table = named(*((age, 0) for age, _, _ in rows))
    table["region"] = [region for _, region, _ in rows]
    table["said"] = ["leaves" if age > 0 else "stays" for age, _, _ in rows]
    table["score"] = 1 / (1 + 3.0**table.age)
    table["true"] = [
        ("stays" if age > 0 else "leaves") if i % 10 == 0 else ("leaves" if age > 0 else "stays")
        for age, _, i in rows
    ]
    options = "--label said --score score --positive stays --target true --segment region"
    return profile(folder, table, options)


if __name__ == "__main__":
    show(run)
