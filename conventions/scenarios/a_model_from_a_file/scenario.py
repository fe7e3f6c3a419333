"""A model is trained, kept in a file, and loaded again: from then on the file says what it is called."""

from pathlib import Path
from tempfile import TemporaryDirectory

import joblib

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Fit a model of two features on four samples, write it to `churn/3/model.joblib`, load it, ask it once."""
    untrained = churn_model()
    samples = named((1, 5), (2, 5), (9, 5), (10, 5))
    with (
        TemporaryDirectory() as folder,
        telemetry.sdk(capture_training=True, capture_content="span_only"),
    ):
        path = Path(folder) / "churn" / "3" / "model.joblib"
        path.parent.mkdir(parents=True)
        joblib.dump(untrained.fit(samples, ["stays", "stays", "leaves", "leaves"]), path)
        model = joblib.load(path)
        model.predict(named((10, 5)))


if __name__ == "__main__":
    show(run)
