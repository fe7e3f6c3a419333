"""What happens around the calls of a model: it is trained, scored, explained; its inputs and outputs are worked on."""

from typing import Any

import otel_ml
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Train a model in two epochs, score it, answer one question and explain the answer."""
    with telemetry.sdk(capture_content="event_only"):
        with otel_ml.training(
            "churn",
            version="3",
            task="binary_classification",
            device="cpu",
            seed=7,
            run_id="tracker:1",
            dataset="customers",
            dataset_hash="sha256:00ff",
            sample_count=1000,
            feature_count=2,
            parameters={"depth": 8},
        ) as run:
            run.epoch({"log_loss": 0.5}, dataset="train")
            run.epoch()
        with otel_ml.evaluation("churn", version="3", dataset="test", batch_size=100) as scoring:
            scoring.record("accuracy", 0.75)
        otel_ml.record_evaluation("rmse", 0.5, dataset="validation", run_id="tracker:1")
        otel_ml.record_evaluation("rmse", 0.25, dataset="train")
        with otel_ml.pipeline_step("tokenize", operation_name="preprocess", model="churn"):
            pass
        scaling: dict[str, Any] = {
            "index": 0,
            "implementation": "own.Scaler",
            "framework": "other",
            "batch_size": 1,
        }
        with otel_ml.inference("churn", version="3"), otel_ml.pipeline_step("scaler", **scaling):
            pass
        with otel_ml.pipeline_step("round", operation_name="postprocess"):
            pass
        for method in ("shap_kernel", "shap_linear", "shap_deep", "lime"):
            with otel_ml.explanation("churn", method=method, target="leaves") as explaining:
                explaining.record({"age": 0.5}, prediction="customer-1", index=0)
        for method in ("integrated_gradients", "permutation", "anything"):
            with otel_ml.explanation(
                "churn", method=method, prediction_id="customer-1", batch_size=1
            ):
                pass


if __name__ == "__main__":
    show(run)
