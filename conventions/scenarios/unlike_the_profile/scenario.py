"""Inputs that are not what the profile of the model says: names, types, ranges and categories, found before the model answers."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from conventions.scenarios.models import CHURN, profile
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

USUAL = pd.DataFrame(
    {
        "age": [*range(1, 11)] * 100,
        "visits": [*range(0, 100, 10)] * 100,
        "plan": ["basic", "plus"] * 500,
        "label": ["leaves"] * 500 + ["stays"] * 500,
    }
)
ODD = pd.DataFrame({"age": [99, 7], "visits": ["often", 20], "plan": ["gold", "plus"]})


class Pessimist(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # the base classes are published without types
    """A model that takes anything, and has an answer."""

    def predict(self, samples: pd.DataFrame) -> NDArray[np.str_]:
        """Return `leaves` for each sample."""
        return np.full(len(samples), "leaves")


def run(telemetry: Telemetry) -> None:
    """Ask of a customer of 99 who comes often and has a new plan, then without any age or plan."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / profile(Path(folder), USUAL, "--label label")
        with telemetry.sdk(**CHURN, validation="profile", profile=str(path)):
            Pessimist().predict(ODD)
            Pessimist().predict(ODD[["visits"]][1:].astype(float))


if __name__ == "__main__":
    show(run)
