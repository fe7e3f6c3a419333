"""A Keras model whose last layer gives probabilities: by its batch, and by calling it."""

import keras
import numpy as np

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask a model with one logistic unit, which says 0.75 of the second class whatever the sample."""
    unit = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((2,)), unit], name="churn")
    unit.set_weights([np.zeros((2, 1)), np.log([3.0])])
    with telemetry.sdk():
        model(np.array([[42.0, 7.0]]))
        model.predict_on_batch(np.array([[42.0, 7.0], [23.0, 1.0]]))


if __name__ == "__main__":
    show(run)
