"""Somebody has said who the model is: name, version, classes and task are theirs; missing inputs are counted."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

import otel_ml
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict one sample of which one feature is missing."""
    samples = np.array([[0.0, 1.0], [1.0, 0.0]] * 20)
    model = HistGradientBoostingClassifier(max_iter=1).fit(samples, [0, 1] * 20)
    otel_ml.register_model(
        model,
        name="churn",
        version="2026-03",
        feature_names=["age", "visits"],
        class_names=["stays", "leaves"],
        task="binary_classification",
    )
    with telemetry.sdk():
        model.predict([[1.0, float("nan")]])


if __name__ == "__main__":
    show(run)
