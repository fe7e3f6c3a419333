"""With content switched on, of more features than may be told: the first ones, and a mark that something is missing."""

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict one sample, of which one feature may be told."""
    model = churn_model()
    with telemetry.sdk(capture_content="span_only", capture_max_features=1):
        model.predict_proba(named((1, 5)))


if __name__ == "__main__":
    show(run)
