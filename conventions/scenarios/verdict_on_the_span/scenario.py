"""A processor in line judges sample by sample: the verdict is on the span of the inference itself."""

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn


def run(telemetry: Telemetry) -> None:
    """Predict a sample that is unlike all that the model saw, one that is usual, and one of which it is very sure."""
    with watched_churn(telemetry, "mode=inline") as churn:
        churn.predict([(0, 5000)])
        churn.predict([(2, 50)])
        churn.predict([(9, 50)])


if __name__ == "__main__":
    show(run)
