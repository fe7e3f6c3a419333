"""One sample, classified: one span that says the class and how sure the model was, and nothing of the input's values."""

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask for the probabilities of one sample."""
    model = churn_model()
    with telemetry.sdk():
        model.predict_proba(named((1, 5)))


if __name__ == "__main__":
    show(run)
