"""A model that has no profile is learned: until there are rows enough what it is compared with is provisional, and nothing is an alarm."""

from conventions.scenarios.models import CHURN, churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = (
    "mode=tee",
    "windows=[{name: quarter, rows: 250}]",
    "bootstrap={rows: 1000, min_duration: 1h}",
)


def run(telemetry: Telemetry) -> None:
    """Predict 250 samples one by one, a quarter of what is needed."""
    model = churn_model()
    with (
        telemetry.processor(*OPTIONS) as processor,
        telemetry.sdk(traces_to=processor.endpoint, **CHURN),
    ):
        for _ in range(250):
            model.predict_proba(named((1, 5)))


if __name__ == "__main__":
    show(run)
