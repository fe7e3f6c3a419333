"""A window that differs, but less than an alarm needs: a warning, and no event."""

from conventions.scenarios.models import uneven_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn


def run(telemetry: Telemetry) -> None:
    """Predict a window in which some ages are rarer and others more frequent than they were."""
    with watched_churn(telemetry, "mode=tee") as churn:
        churn.predict(uneven_samples())


if __name__ == "__main__":
    show(run)
