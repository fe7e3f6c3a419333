"""A window of samples that are all older than those of the reference: scores, states and one event that says so."""

from conventions.scenarios.models import usual_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn

SCORES = (
    "drift.scores=[psi, jensen_shannon, kolmogorov_smirnov, chi_squared, hellinger, kullback_leibler, total_variation, "
    "l_infinity, wasserstein, wasserstein_iqr]"
)


def run(telemetry: Telemetry) -> None:
    """Predict a window like the reference, and one in which everybody is ten."""
    with watched_churn(telemetry, "mode=tee", "confidence.classes=null", SCORES) as churn:
        churn.predict(usual_samples())
        churn.predict((10, visits) for _, visits in usual_samples())


if __name__ == "__main__":
    show(run)
