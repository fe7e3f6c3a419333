"""XGBoost: a booster's one probability told as those of two classes, a margin, leaves that are no inference, and a ranking."""

from typing import Any

import numpy as np
import xgboost as xgb

from conventions.scenarios.models import named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def untrained(objective: str, base_score: float) -> Any:
    """Return a booster without trees: whatever it is asked, it answers *base_score*."""
    options = {"objective": objective, "base_score": base_score, "nthread": 1}
    return xgb.train(options, xgb.DMatrix(named((0, 0), (1, 1)), np.array([0, 1])), 0)


def run(telemetry: Telemetry) -> None:
    """Ask for a probability, for a margin, for leaves, and for the ranks of two."""
    churn = untrained("binary:logistic", 0.75)
    churn.set_attr(model_name="churn", model_version="3")
    order = untrained("rank:pairwise", 0.5)
    with telemetry.sdk(capture_outputs="full"):
        churn.predict(xgb.DMatrix(named((1, 5))))
        churn.predict(xgb.DMatrix(named((1, 5))), output_margin=True)
        churn.predict(xgb.DMatrix(named((1, 5))), pred_leaf=True)
        order.inplace_predict(named((1, 5), (2, 0)))


if __name__ == "__main__":
    show(run)
