"""With content switched on: the input by feature name and all probabilities, as JSON."""

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask for the probabilities of one sample, of which everything may be told."""
    model = churn_model()
    with telemetry.sdk(capture_content="span_only", capture_outputs="full"):
        model.predict_proba(named((1, 5)))


if __name__ == "__main__":
    show(run)
