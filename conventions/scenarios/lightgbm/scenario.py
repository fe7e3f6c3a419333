"""LightGBM: a booster's one probability told as those of two classes, a raw score, and contributions that are no inference."""

from typing import Any

import lightgbm as lgb
import numpy as np

from conventions.scenarios.models import named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def churn_booster() -> Any:
    """Return a booster that cannot tell its samples apart, of which three in four leave."""
    samples = named(*[(1, 5)] * 40)
    data = lgb.Dataset(samples, np.array([1, 1, 1, 0] * 10))
    return lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 1)


def run(telemetry: Telemetry) -> None:
    """Ask for a probability, for a raw score, and for contributions."""
    booster = churn_booster()
    with telemetry.sdk(capture_outputs="full"):
        booster.predict(named((1, 5)))
        booster.predict(named((1, 5)), raw_score=True)
        booster.predict(named((1, 5)), pred_contrib=True)


if __name__ == "__main__":
    show(run)
