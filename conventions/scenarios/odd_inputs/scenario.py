"""Values that are missing, not finite, of a wrong type, out of range or never seen: told as shares, and the predictions are others too."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from conventions.scenarios.models import CHURN, EVERY_VALUE, profile
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=tee", "windows=[{name: quarter, rows: 250}]")
USUAL = pd.DataFrame(
    {
        "age": [*range(1, 11)] * 100,
        "visits": [*range(0, 100, 10)] * 100,
        "plan": ["basic", "plus"] * 500,
        "label": ["leaves"] * 500 + ["stays"] * 500,
    }
)
ODD = pd.DataFrame(
    {
        "age": [*range(1, 11)] * 15 + [99] * 50 + [float("inf")] * 50,
        "visits": [*range(0, 100, 10)] * 20 + ["often"] * 50,
        "plan": ["basic", "plus"] * 100 + ["gold"] * 25 + [None] * 25,
    }
)


class Pessimist(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # the base classes are published without types
    """A model that takes anything, and has an answer."""

    def predict(self, samples: pd.DataFrame) -> NDArray[np.str_]:
        """Return `leaves` for each sample."""
        return np.full(len(samples), "leaves")


def run(telemetry: Telemetry) -> None:
    """Predict one window, of which much is unlike the reference."""
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{profile(Path(folder), USUAL, '--label label')}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, validation="off", **CHURN, **EVERY_VALUE),
        ):
            Pessimist().predict(ODD)


if __name__ == "__main__":
    show(run)
