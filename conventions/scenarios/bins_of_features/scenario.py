"""Samples by bin of each feature, as several processors add them up, beside the share that the reference has there."""

from conventions.scenarios.models import usual_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn


def run(telemetry: Telemetry) -> None:
    """Predict two windows, of which the reference has four times each sample."""
    with watched_churn(telemetry, "mode=tee", "emit.feature_bins=true") as churn:
        for _ in range(2):
            churn.predict(usual_samples())


if __name__ == "__main__":
    show(run)
