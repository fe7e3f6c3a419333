"""A processor in line looks at one sample: the verdict is on the span of the inference itself."""

from pathlib import Path
from tempfile import TemporaryDirectory

from conventions.scenarios.models import churn_model, churn_profile, named
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict a sample of which the model is unsure, and whose visits were never seen."""
    model = churn_model()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor("mode=inline", profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, capture_content="span_only"),
        ):
            model.predict_proba(named((0, 5000)))
