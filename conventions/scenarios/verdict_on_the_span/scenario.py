"""A processor in line judges sample by sample: the verdict is on the span of the inference itself."""

from pathlib import Path
from tempfile import TemporaryDirectory

from conventions.scenarios.models import CHURN, churn_model, churn_profile, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict a sample that is unlike all that the model saw, one that is usual, and one of which it is very sure."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor("mode=inline", profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, capture_content="span_only", **CHURN),
        ):
            model.predict_proba(named((0, 5000)))
            model.predict_proba(named((2, 50)))
            model.predict_proba(named((9, 50)))


if __name__ == "__main__":
    show(run)
