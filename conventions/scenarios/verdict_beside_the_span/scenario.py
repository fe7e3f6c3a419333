"""A processor that gets a copy cannot touch the original span: for what is remarkable it adds a child span."""

from conventions.scenarios.models import usual_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn


def run(telemetry: Telemetry) -> None:
    """Predict a window like the reference, then a sample of which the model is unsure, and one that is as usual."""
    with watched_churn(telemetry, "mode=tee") as churn:
        churn.predict(usual_samples())
        churn.tick()
        churn.predict([(0, 50)])
        churn.predict([(9, 50)])


if __name__ == "__main__":
    show(run)
