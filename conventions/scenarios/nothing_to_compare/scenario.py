"""There is a profile of features and confidence, and inferences tell neither: of drift nothing can be said, and the spans say so."""

from pathlib import Path
from tempfile import TemporaryDirectory

from conventions.scenarios.models import (
    CHURN,
    churn_model,
    churn_profile,
    named,
    usual_samples,
)
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=inline", "windows=[{name: quarter, rows: 250}]")


def run(telemetry: Telemetry) -> None:
    """Ask for the classes of a window of samples, and of one more."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, capture_max_rows=250, **CHURN) as provider,
        ):
            model.predict(named(*usual_samples()))
            provider.force_flush()
            processor.tick()
            model.predict(named((2, 50)))


if __name__ == "__main__":
    show(run)
