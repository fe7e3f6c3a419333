"""A regression on unnamed numbers, of which everything may be told: values in their order, and the number predicted."""

import numpy as np
from sklearn.linear_model import LinearRegression

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Predict one number, then two at once."""
    model = LinearRegression().fit([[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0])
    model.coef_, model.intercept_ = np.array([10.0, 1.0]), 0.0
    with telemetry.sdk(capture_content="span_only", capture_outputs="full"):
        model.predict(np.array([[2.0, 0.5]]))
        model.predict(np.array([[2.0, 0.5], [3.0, 1.0]]))


if __name__ == "__main__":
    show(run)
