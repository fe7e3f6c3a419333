"""Samples that are older than those of the reference, and then some that are younger or older: the alarm names the test that says so."""

from pathlib import Path
from tempfile import TemporaryDirectory

from conventions.scenarios.models import (
    CHURN,
    EVERY_VALUE,
    churn_model,
    churn_profile,
    named,
    usual_samples,
)
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = (
    "mode=tee",
    "windows=[{name: quarter, rows: 250}]",
    "verdicts.low_confidence=0.4",
    "confidence.classes=null",
)
RISING = (7, 11, 15, 19, 23, 27, 31, 35, 39, 43)
"""How many samples there are of each age of 1 to 10: their mean rises, by half a standard deviation."""
SPREADING = (43, 34, 25, 16, 7, 7, 16, 25, 34, 43)
"""Their mean stays, and they spread."""


def samples(times: tuple[int, ...]) -> list[tuple[float, float]]:
    """Return 250 samples with ages in those numbers; visits are as they were."""
    ages = [age for age, n in enumerate(times, start=1) for _ in range(n)]
    return [(age, 10 * (index % 10)) for index, age in enumerate(ages)]


def run(telemetry: Telemetry) -> None:
    """Predict a window like the reference before each of the two others, so that each is a change."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE),
        ):
            for times in (RISING, SPREADING):
                model.predict_proba(named(*usual_samples()))
                model.predict_proba(named(*samples(times)))


if __name__ == "__main__":
    show(run)
