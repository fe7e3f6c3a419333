"""A detector of outliers answers with 1 or -1: they are the labels."""

import numpy as np
from sklearn.neighbors import LocalOutlierFactor

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask about a number among those of 0 to 99, and about one that is far from all."""
    model = LocalOutlierFactor(novelty=True).fit(np.arange(100.0).reshape(-1, 1))
    with telemetry.sdk():
        model.predict(np.array([[50.5], [1e6]]))


if __name__ == "__main__":
    show(run)
