"""A window that differs, but less than an alarm needs: a warning, and no event."""

from pathlib import Path
from tempfile import TemporaryDirectory

from conventions.scenarios.models import (
    CHURN,
    EVERY_VALUE,
    churn_model,
    churn_profile,
    named,
    uneven_samples,
)
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=tee", "windows=[{name: quarter, rows: 250}]")


def run(telemetry: Telemetry) -> None:
    """Predict a window in which some ages are rarer and others more frequent than they were."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE),
        ):
            model.predict_proba(named(*uneven_samples()))


if __name__ == "__main__":
    show(run)
