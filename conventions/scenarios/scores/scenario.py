"""What a decision function says is a score, not a probability: there is no confidence."""

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask for the scores of one sample, then of two."""
    model = churn_model()
    with telemetry.sdk(capture_outputs="full"):
        model.decision_function(named((1, 5)))
        model.decision_function(named((1, 5), (2, 0)))


if __name__ == "__main__":
    show(run)
