"""Values that are missing, not finite, of a wrong type, out of range or never seen: told as shares, and the predictions are others too."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from conventions.scenarios.models import CHURN, CUSTOMERS, EVERY_VALUE, Pessimist, profile
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=tee", "windows=[{name: quarter, rows: 250}]")
ODD = pd.DataFrame(
    {
        "age": [*range(1, 11)] * 15 + [99] * 50 + [float("inf")] * 50,
        "visits": [*range(0, 100, 10)] * 20 + ["often"] * 50,
        "plan": ["basic", "plus"] * 100 + ["gold"] * 25 + [None] * 25,
    }
)


def run(telemetry: Telemetry) -> None:
    """Predict one window, of which much is unlike the reference."""
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{profile(Path(folder), CUSTOMERS, '--label label')}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, validation="off", **CHURN, **EVERY_VALUE),
        ):
            Pessimist().predict(ODD)


if __name__ == "__main__":
    show(run)
