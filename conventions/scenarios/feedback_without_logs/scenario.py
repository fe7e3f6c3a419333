"""Feedback for a back end that takes traces only: a span of its own, with a link to the inference, in place of the event."""

from datetime import datetime, timezone

import otel_ml
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Hear of a prediction when its span is over."""
    with telemetry.sdk(events_on_spans=True):
        with otel_ml.inference("fraud", version="3") as call:
            call.output(label="ok")
        otel_ml.record_feedback(
            call.prediction_id,
            label="fraud",
            source="delayed_label",
            index=0,
            predicted_label="ok",
            predicted_confidence=0.75,
            predicted_at=datetime(2026, 3, 1, 10, 5, tzinfo=timezone.utc),
        )
        otel_ml.record_feedback("another", value=1.5, score=0.5, correct=True)


if __name__ == "__main__":
    show(run)
