"""A label that comes when it is no longer waited for: it is counted, and says nothing of the prediction."""

from conventions.scenarios.models import CHURN, churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from otel_ml import current_prediction_id, record_feedback


def run(telemetry: Telemetry) -> None:
    """Predict, and hear what came true, of a processor that waits a microsecond."""
    with (
        telemetry.processor("mode=tee", "feedback.horizon=0.001ms") as processor,
        telemetry.sdk(traces_to=processor.endpoint, **CHURN, events_on_spans=True),
    ):
        churn_model().predict_proba(named((1, 0)))
        record_feedback(current_prediction_id(), label="stays")


if __name__ == "__main__":
    show(run)
