"""Any number of classes at once: which ones is not told yet, only how many were asked about."""

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask which of two labels each of three samples has."""
    model = DecisionTreeClassifier().fit([[0.0], [1.0]], [[0, 1], [1, 1]])
    with telemetry.sdk():
        model.predict(np.array([[0.0], [1.0], [0.0]]))


if __name__ == "__main__":
    show(run)
