"""Four samples in one call: one span, with the classes and confidences side by side and their mean and minimum."""

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask for the probabilities of four samples at once."""
    model = churn_model()
    with telemetry.sdk():
        model.predict_proba(named((1, 5), (2, 0), (0, 1), (-2, 3)))


if __name__ == "__main__":
    show(run)
