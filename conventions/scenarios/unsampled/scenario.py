"""Nothing is sampled: there is no span, and the metrics still count every call."""

from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict three times."""
    model = churn_model()
    with telemetry.sdk(sampler=ALWAYS_OFF):
        for age in (0, 1, 2):
            model.predict_proba(named((age, 0)))


if __name__ == "__main__":
    show(run)
