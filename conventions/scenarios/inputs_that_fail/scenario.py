"""Inputs and outputs that no profile is needed to find fault with: each fault is counted, and told by an event without a value."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from conventions.scenarios.models import FEATURES
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


class Silent(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # the base classes are published without types
    """A model that takes anything and answers nothing that can be used."""

    feature_names_in_ = np.array(FEATURES)
    n_features_in_ = 2

    def predict(self, samples: Any) -> Any:
        """Return NaN for each sample."""
        return np.full(len(samples), np.nan)


def run(telemetry: Telemetry) -> None:
    """Ask with an age that is missing and visits without end, with no sample, and with a feature too few."""
    model = Silent()
    with telemetry.sdk():
        model.predict(np.array([[np.nan, 1.0], [40.0, np.inf]]))
        model.predict(np.empty((0, 2)))
        model.predict(np.array([[40.0]]))


if __name__ == "__main__":
    show(run)
