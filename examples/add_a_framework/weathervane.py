"""A made-up library: vanes say how probable rain is. It knows nothing of telemetry."""

import numpy as np
from numpy.typing import NDArray

__version__ = "1.2"


class Vane:
    """A model with a name, the inputs it wants, and the classes it tells apart."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs = ("humidity", "pressure")
        self.classes = ("dry", "rain")

    def forecast(self, days: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each class for each of *days*, shape (n_days, 2)."""
        rain = days[:, 0] / 100.0
        return np.stack((1.0 - rain, rain), axis=1)

    def check(self, days: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
        """Return the share of *days* that were forecast rightly."""
        return float((self.forecast(days).argmax(axis=1) == truth).mean())
