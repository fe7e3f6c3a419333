"""A signature of a SavedModel, served from a folder with its version: what the numbers mean is not in the file."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tensorflow as tf

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask model churn, version 3, about two samples."""

    def score(x: Any) -> Any:
        return {"scores": tf.reduce_sum(x, axis=1, keepdims=True)}

    module = tf.Module()
    module.score = tf.function(score, input_signature=[tf.TensorSpec([None, 2], name="x")])
    with TemporaryDirectory() as folder, telemetry.sdk():
        place = str(Path(folder) / "churn" / "3")
        tf.saved_model.save(module, place, signatures={"serving_default": module.score})
        tf.saved_model.load(place).signatures["serving_default"](x=tf.ones([2, 2]))


if __name__ == "__main__":
    show(run)
