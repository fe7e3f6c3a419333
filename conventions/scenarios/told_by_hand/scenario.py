"""A call that no instrumentor knows, told by hand, with everything that is learned of it afterwards."""

from datetime import datetime, timezone

import otel_ml
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Serve two requests with one call, explain its answer, and hear what became of it."""
    with telemetry.sdk(capture_content="span_and_event", capture_outputs="full") as tracers:
        requests = [tracers.get_tracer("web").start_span(f"request {n}") for n in (1, 2)]
        with otel_ml.inference(
            "fraud",
            version="3",
            task="binary_classification",
            features={"amount": 12.5, "age": 42},
            prediction_id="payment-7",
            threshold=0.25,
            seed=42,
            device="cpu",
            links=requests,
        ) as call:
            call.output(
                probabilities={"ok": 0.75, "fraud": 0.25}, value=0.25, interval=(0.125, 0.5)
            )
            call.retried(2)
            call.fallback("timeout")
            otel_ml.record_explanation({"age": 1.0}, method="other")
            otel_ml.record_internal("attention", {"mean": 0.5, "sparsity": 0.75})
        otel_ml.record_explanation(
            {"amount": 0.25, "age": -0.5}, method="shap_tree", target="fraud", base_value=0.125
        )
        otel_ml.record_feedback(
            "payment-7",
            label="fraud",
            correct=False,
            source="human",
            index=0,
            predicted_label="ok",
            predicted_confidence=0.75,
            predicted_at=datetime(2026, 3, 1, 10, 5, tzinfo=timezone.utc),
        )
        otel_ml.record_feedback("payment-7", value=1.0, score=0.5, source="implicit")
        for source in ("system", "delayed_label"):
            otel_ml.record_feedback("payment-7", correct=True, source=source)
        for request in requests:
            request.end()


if __name__ == "__main__":
    show(run)
