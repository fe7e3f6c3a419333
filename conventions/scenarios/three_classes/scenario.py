"""One of three classes: entropy is relative to what three classes can have, margin is between the first and the second."""

import numpy as np
from sklearn.dummy import DummyClassifier

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask a model that knows of every second sample to be an iris, and of every fourth to be a rose or a lily."""
    model = DummyClassifier().fit(np.zeros((4, 1)), ["iris", "iris", "lily", "rose"])
    with telemetry.sdk():
        model.predict_proba(np.array([[0.0]]))


if __name__ == "__main__":
    show(run)
