"""There is a profile of features and confidence, and inferences tell neither: of drift nothing can be said, and the spans say so."""

from conventions.scenarios.models import named, usual_samples
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from conventions.scenarios.watched import watched_churn


def run(telemetry: Telemetry) -> None:
    """Ask for the classes of a window of samples, and of one more."""
    with watched_churn(telemetry, "mode=inline", capture_content="no_content") as churn:
        churn.model.predict(named(*usual_samples()))
        churn.tick()
        churn.model.predict(named((2, 50)))


if __name__ == "__main__":
    show(run)
