"""The first window already differs, in one feature: that is skew between reference and serving, and the event names the feature."""

from conventions.scenarios.models import usual_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn


def run(telemetry: Telemetry) -> None:
    """Predict one window, in which everybody came ninety times."""
    with watched_churn(telemetry, "mode=tee") as churn:
        churn.predict((age, 90) for age, _ in usual_samples())


if __name__ == "__main__":
    show(run)
