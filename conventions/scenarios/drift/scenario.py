"""A window of samples that are all older than those of the reference: scores, states and one event that says so."""

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

OPTIONS = (
    "mode=tee",
    "windows=[{name: quarter, rows: 250}]",
    "confidence.classes=null",
    (
        "drift.scores=[psi, jensen_shannon, kolmogorov_smirnov, chi_squared, hellinger, kullback_leibler, total_variation, "
        "l_infinity, wasserstein, wasserstein_iqr]"
    ),
)


def run(telemetry: Telemetry) -> None:
    """Predict a window like the reference, and one in which everybody is ten."""
    model = churn_model()
    usual = usual_samples()
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{churn_profile(Path(folder))}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE),
        ):
            model.predict_proba(named(*usual))
            model.predict_proba(named(*((10, visits) for _, visits in usual)))


if __name__ == "__main__":
    show(run)
