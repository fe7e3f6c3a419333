"""A processor that gets a copy cannot touch the original span: for what is remarkable it adds a child span."""

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


def run(telemetry: Telemetry) -> None:
    """Predict a window like the reference, then a sample of which the model is unsure, and one that is as usual."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE) as provider,
        ):
            model.predict_proba(named(*usual_samples()))
            provider.force_flush()
            processor.tick()
            model.predict_proba(named((0, 50)))
            model.predict_proba(named((9, 50)))


if __name__ == "__main__":
    show(run)
