"""A new version of a model that has no profile of its own is compared with that of the version before, and the reference says so."""

from conventions.scenarios.models import usual_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn


def run(telemetry: Telemetry) -> None:
    """Predict a window with version 4, beside the profile of version 3."""
    with watched_churn(telemetry, "mode=tee", model_version="4") as churn:
        churn.predict(usual_samples())


if __name__ == "__main__":
    show(run)
