"""Every span carries what the last window of its model said: steady, then a warning, then drift."""

from pathlib import Path
from tempfile import TemporaryDirectory

from conventions.scenarios.models import (
    CHURN,
    EVERY_VALUE,
    churn_model,
    churn_profile,
    named,
    uneven_samples,
    usual_samples,
)
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=inline", "windows=[{name: quarter, rows: 250}]")


def run(telemetry: Telemetry) -> None:
    """Predict a window like the reference, one that differs a little, one in which everybody is ten, and one sample."""
    model = churn_model()
    everybody_is_ten = [(10, visits) for _, visits in usual_samples()]
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE) as provider,
        ):
            for samples in (usual_samples(), uneven_samples(), everybody_is_ten, [(9, 50)]):
                model.predict_proba(named(*samples))
                provider.force_flush()
                processor.tick()


if __name__ == "__main__":
    show(run)
