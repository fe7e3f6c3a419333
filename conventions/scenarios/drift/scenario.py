"""A window of samples that are all older than those of the reference: scores, states and one event that says so."""

from pathlib import Path
from tempfile import TemporaryDirectory

from conventions.scenarios.models import churn_model, churn_profile, named
from conventions.scenarios.telemetry import Telemetry

SCORES = "drift.scores=[psi, jensen_shannon, kolmogorov_smirnov, chi_squared]"


def run(telemetry: Telemetry) -> None:
    """Predict two windows of 250 samples: one like the reference, one in which everybody is ten; then a sample of which the model is unsure."""
    model = churn_model()
    usual = [(1 + index % 10, 2 + 4 * index) for index in range(250)]
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        windows = "windows=[{name: quarter, rows: 250}]"
        options = ("mode=tee", profiles, windows, SCORES)
        with (
            telemetry.processor(*options, folder=Path(folder)) as processor,
            telemetry.sdk(
                traces_to=processor.endpoint,
                capture_content="span_only",
                capture_max_rows=250,
                capture_max_bytes=65_536,
            ) as provider,
        ):
            model.predict_proba(named(*usual))
            model.predict_proba(named(*((10, visits) for _, visits in usual)))
            provider.force_flush()
            processor.tick()
            model.predict_proba(named((0, 5)))
