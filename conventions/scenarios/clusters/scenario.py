"""A clustering answers with the number of a cluster: it is the label, and there is no confidence."""

import numpy as np
from sklearn.cluster import KMeans

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask which of two centres, 0 and 10, is nearest to 9."""
    model = KMeans(2, init=np.array([[0.0], [10.0]]), n_init=1).fit([[0.0], [10.0]])
    with telemetry.sdk():
        model.predict(np.array([[9.0]]))


if __name__ == "__main__":
    show(run)
