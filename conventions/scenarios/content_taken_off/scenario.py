"""Only aggregates may be kept: what a span holds of inputs is read by the processor and goes no further."""

from typing import Any

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.schema import SCHEMA_URL

CHURN = {
    keys.ML_OPERATION_NAME: "predict",
    keys.ML_MODEL_NAME: "churn",
    keys.ML_FRAMEWORK_NAME: "other",
}


def run(telemetry: Telemetry) -> None:
    """Send an inference with its input and what it predicted, and one without."""
    content: dict[str, Any] = {keys.ML_INPUT_FEATURES: '{"age":42}', keys.ML_PREDICTION_VALUE: 13.7}
    with (
        telemetry.processor("mode=inline", "privacy=aggregate_only") as processor,
        telemetry.sdk(traces_to=processor.endpoint) as provider,
    ):
        tracer = provider.get_tracer("by-hand", schema_url=SCHEMA_URL)
        for attributes in (CHURN | content, CHURN):
            tracer.start_span("predict churn", attributes=attributes).end()


if __name__ == "__main__":
    show(run)
