"""A new version of a model that has no profile of its own is compared with that of the version before, and the reference says so."""

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
    """Predict a window with version 4, beside the profile of version 3."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(
                traces_to=processor.endpoint, **{**CHURN, "model_version": "4"}, **EVERY_VALUE
            ),
        ):
            model.predict_proba(named(*usual_samples()))


if __name__ == "__main__":
    show(run)
