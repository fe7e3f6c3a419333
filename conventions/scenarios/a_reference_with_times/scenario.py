"""A reference whose rows have times: how long slow drift is silent on its own windows is told with each window."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from conventions.scenarios.models import (
    AGES,
    CHURN,
    EVERY_VALUE,
    VISITS,
    churn_model,
    named,
    profile,
)
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

OPTIONS = ("mode=tee", "windows=[{name: hundreds, rows: 200}]")
SAMPLES = [(age, visits) for age in AGES for visits in VISITS] * 2


def run(telemetry: Telemetry) -> None:
    """Predict one window, which is like each of the twenty of the reference."""
    model = churn_model()
    table = named(*SAMPLES * 20)
    table["at"] = pd.date_range("2026-01-01", periods=len(table), freq="min")
    with TemporaryDirectory() as folder:
        profiles = f"profiles=[{profile(Path(folder), table, '--time at')}]"
        with (
            telemetry.processor(*OPTIONS, profiles, folder=Path(folder)) as processor,
            telemetry.sdk(traces_to=processor.endpoint, **CHURN, **EVERY_VALUE),
        ):
            model.predict_proba(named(*SAMPLES))


if __name__ == "__main__":
    show(run)
