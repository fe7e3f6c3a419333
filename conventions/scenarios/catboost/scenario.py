"""CatBoost: probabilities and a class under the identity that its file keeps, and stages that are one inference."""

import math
from typing import Any

from catboost import CatBoostClassifier

from conventions.scenarios.models import named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def churn_trees() -> Any:
    """Return a classifier that says `leaves` with probability 3/4, whatever it is asked."""
    model = CatBoostClassifier(iterations=2, thread_count=1, verbose=0, allow_writing_files=False)
    model.fit(named((0, 0), (1, 1), (2, 2), (3, 3)), ["leaves", "stays", "leaves", "stays"])
    model.set_scale_and_bias(0.0, -math.log(3))  # `leaves` is the first class
    model.get_metadata()["model_name"] = "churn"
    model.get_metadata()["model_version"] = "3"
    return model


def run(telemetry: Telemetry) -> None:
    """Ask for probabilities, for a class, and for probabilities stage by stage."""
    model = churn_trees()
    with telemetry.sdk(capture_outputs="full"):
        model.predict_proba(named((1, 5)))
        model.predict(named((1, 5)))
        list(model.staged_predict_proba(named((1, 5))))


if __name__ == "__main__":
    show(run)
