"""Labels for a window of predictions: how good these were, beside how good they were expected to be and how good the reference was."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from conventions.scenarios.models import (
    AGES,
    CHURN,
    EVERY_VALUE,
    VISITS,
    churn_model,
    named,
    profile,
    usual_samples,
)
from conventions.scenarios.shown import show
from otel_ml import current_prediction_id, record_feedback

if TYPE_CHECKING:
    from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=tee", "windows=[{name: quarter, rows: 250}]")
SETTINGS: dict[str, Any] = {**CHURN, **EVERY_VALUE, "events_on_spans": True}


def run(telemetry: Telemetry) -> None:
    """Predict a window, and hear what came true."""
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **SETTINGS),
        ):
            churn_model().predict_proba(named(*usual_samples()))
            _hear(current_prediction_id())


def _hear(prediction: str | None) -> None:
    """Say that those of ages 1, 2, 6 and 7 stayed and all others left; of the first twice, and of a prediction that nobody knows."""
    for index in range(250):
        label = "stays" if index % 5 in {0, 1} else "leaves"
        record_feedback(prediction, label=label, index=index, source="delayed_label")
    record_feedback(prediction, correct=False, index=0, source="human")
    record_feedback("another", label="stays", model="churn", version="3")


def _profile(folder: Path) -> str:
    """Return the profile of a thousand samples, a hundred of each age, of which twenty stayed although all were said to leave."""
    rows = [(age, visits, stay) for age in AGES for visits in VISITS for stay in range(10)]
    table = named(*((age, visits) for age, visits, _ in rows))
    table["score"] = 3.0**table.age / (1 + 3.0**table.age)
    table["said"] = "leaves"
    table["true"] = ["stays" if stay in {0, 1} else "leaves" for _, _, stay in rows]
    options = "--label said --score score --positive leaves --target true"
    return profile(folder, table, options)


if __name__ == "__main__":
    show(run)
