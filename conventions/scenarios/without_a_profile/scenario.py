"""A processor that has no profile of a model still tells how sure it was, and of what."""

from conventions.scenarios.models import CHURN, churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = (
    "mode=tee",
    "windows=[{name: quarter, rows: 250}]",
    "verdicts.per_second=1000",
    "confidence.classes=null",
)


def run(telemetry: Telemetry) -> None:
    """Predict 250 samples one by one, of which 200 have a confidence of .75 and 50 one of .5."""
    model = churn_model()
    ages = [1] * 200 + [0] * 50
    with (
        telemetry.processor(*OPTIONS) as processor,
        telemetry.sdk(traces_to=processor.endpoint, **CHURN),
    ):
        for age in ages:
            model.predict_proba(named((age, 5)))


if __name__ == "__main__":
    show(run)
