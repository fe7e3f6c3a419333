"""Inputs that are not what the profile of the model says: names, types, ranges and categories, found before the model answers."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from conventions.scenarios.models import CHURN, CUSTOMERS, Pessimist, profile
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

ODD = pd.DataFrame({"age": [99, 7], "visits": ["often", 20], "plan": ["gold", "plus"]})


def run(telemetry: Telemetry) -> None:
    """Ask of a customer of 99 who comes often and has a new plan, then without any age or plan."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / profile(Path(folder), CUSTOMERS, "--label label")
        with telemetry.sdk(**CHURN, validation="profile", profile=str(path)):
            Pessimist().predict(ODD)
            Pessimist().predict(ODD[["visits"]][1:].astype(float))


if __name__ == "__main__":
    show(run)
