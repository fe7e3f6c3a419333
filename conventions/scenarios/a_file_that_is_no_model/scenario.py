"""A model's file that is torn: the framework's own error reaches the caller, and the span says its type."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import xgboost

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Read a booster from a file in which there is none."""
    with TemporaryDirectory() as folder, telemetry.sdk():
        path = Path(folder) / "churn.json"
        path.write_text("{")
        with suppress(xgboost.core.XGBoostError):
            xgboost.Booster(model_file=str(path))


if __name__ == "__main__":
    show(run)
