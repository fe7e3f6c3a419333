"""An image in, several outputs out: what cannot be told apart is told by shape and element type."""

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


class Blur(BaseEstimator):  # type: ignore[misc]  # the base class is published without types
    """A model that says nothing of its kind."""

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean over the colours of each image."""
        return np.asarray(images.mean(axis=1))


def run(telemetry: Telemetry) -> None:
    """Predict two images of three colours."""
    with telemetry.sdk():
        Blur().predict(np.zeros((2, 3, 4, 4), dtype=np.float32))


if __name__ == "__main__":
    show(run)
