"""Samples by bin of each feature, as several processors add them up, beside the share that the reference has there."""

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

OPTIONS = ("mode=tee", "windows=[{name: quarter, rows: 250}]", "emit.feature_bins=true")


def run(telemetry: Telemetry) -> None:
    """Predict two windows, of which the reference has four times each sample."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE),
        ):
            for _ in range(2):
                model.predict_proba(named(*usual_samples()))


if __name__ == "__main__":
    show(run)
