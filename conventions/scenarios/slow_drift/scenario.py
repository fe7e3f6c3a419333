"""Visits grow a little: no window shows it, but after five of them the evidence is an event."""

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

OPTIONS = ("mode=tee", "windows=[{name: quarter, rows: 250}]")
VISITS = (18, 19, 21, 22, 24, 26, 28, 29, 31, 32)
"""How many samples of a window have 0, 10 to 90 visits, where usually there are 25 of each."""


def run(telemetry: Telemetry) -> None:
    """Predict two usual windows, then five in which people come a little more often."""
    model = churn_model()
    visits = [10 * i for i, times in enumerate(VISITS) for _ in range(times)]
    more = [(age, often) for (age, _), often in zip(usual_samples(), visits, strict=True)]
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE),
        ):
            for samples in [usual_samples()] * 2 + [more] * 5:
                model.predict_proba(named(*samples))


if __name__ == "__main__":
    show(run)
