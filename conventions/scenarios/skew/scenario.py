"""The first window already differs, in one feature: that is skew between reference and serving, and the event names the feature."""

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
    """Predict one window, in which everybody came ninety times."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE),
        ):
            model.predict_proba(named(*((age, 90) for age, _ in usual_samples())))


if __name__ == "__main__":
    show(run)
