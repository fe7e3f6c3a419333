"""A processor that gets a copy cannot touch the original span: for what is remarkable it adds a child span."""

from pathlib import Path
from tempfile import TemporaryDirectory

from conventions.scenarios.models import churn_model, churn_profile, named
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict a sample of which the model is unsure, and one that is as usual."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor("mode=tee", profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, capture_content="span_only"),
        ):
            model.predict_proba(named((0, 5)))
            model.predict_proba(named((9, 5)))
