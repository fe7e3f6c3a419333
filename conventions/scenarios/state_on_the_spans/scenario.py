"""Every span carries what the last window of its model said: steady, then a warning, then drift."""

from conventions.scenarios.models import uneven_samples, usual_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn


def run(telemetry: Telemetry) -> None:
    """Predict a window like the reference, one that differs a little, one in which everybody is ten, and one sample."""
    everybody_is_ten = [(10, visits) for _, visits in usual_samples()]
    with watched_churn(telemetry, "mode=inline") as churn:
        for samples in (usual_samples(), uneven_samples(), everybody_is_ten, [(9, 50)]):
            churn.predict(samples)
            churn.tick()


if __name__ == "__main__":
    show(run)
