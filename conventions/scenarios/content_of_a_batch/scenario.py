"""With content switched on, of a batch too large to be captured: a random sample of its rows."""

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict a hundred equal samples, of which at most two may be told."""
    model = churn_model()
    with telemetry.sdk(capture_content="span_only", capture_outputs="full", capture_max_rows=2):
        model.predict_proba(named(*[(1, 5)] * 100))


if __name__ == "__main__":
    show(run)
