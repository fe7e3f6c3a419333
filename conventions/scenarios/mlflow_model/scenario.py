"""A model from a registry of MLflow, by its version and by an alias: the registry knows best who it is."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import mlflow
import mlflow.pyfunc
import mlflow.sklearn

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

# A registry in a folder, and models as pickles, are what needs nothing else installed.
PERMITS = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true"}


def run(telemetry: Telemetry) -> None:
    """Ask version 1 of model churn, and its champion, whether a customer leaves."""
    with TemporaryDirectory() as folder, patch.dict(os.environ, PERMITS), telemetry.sdk():
        mlflow.set_tracking_uri((Path(folder) / "runs").as_uri())
        with mlflow.start_run():
            mlflow.sklearn.log_model(
                churn_model(),
                name="model",
                registered_model_name="churn",
                pyfunc_predict_fn="predict_proba",
                serialization_format="cloudpickle",
                pip_requirements=[],
            )
        mlflow.MlflowClient().set_registered_model_alias("churn", "champion", "1")
        for address in ("models:/churn/1", "models:/churn@champion"):
            mlflow.pyfunc.load_model(address).predict(named((1, 20)))


if __name__ == "__main__":
    show(run)
