"""
What the process of a model is told apart by, on its resource; it needs the SDK, which loads it.

It is the entry point `ml_environment`: `OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=otel,ml_environment`.
"""

import os
from typing import Final

from opentelemetry.sdk.resources import Resource, ResourceDetector

from otel_ml.describe.values import valid_text
from otel_ml.environment import environment_hash
from otel_ml.environment_variables import OTEL_ML_MODEL_NAME, OTEL_ML_MODEL_VERSION
from otel_ml_conventions.attributes import ML_ENVIRONMENT_HASH, ML_MODEL_NAME, ML_MODEL_VERSION

__all__ = ["EnvironmentDetector"]

_MODEL: Final = {ML_MODEL_NAME: OTEL_ML_MODEL_NAME, ML_MODEL_VERSION: OTEL_ML_MODEL_VERSION}


class EnvironmentDetector(ResourceDetector):
    """
    Tells the entity `ml.environment`, and `ml.model` of a process that says it serves one model.

    The resource has no schema URL: merging two that differ would drop one of the resources.
    """

    def detect(self) -> Resource:
        """Return the resource of this process."""
        return Resource({ML_ENVIRONMENT_HASH: environment_hash(), **_model()})


def _model() -> dict[str, str]:
    said = {key: valid_text(os.environ.get(name, "").strip()) for key, name in _MODEL.items()}
    return {key: value for key, value in said.items() if value} if said[ML_MODEL_NAME] else {}
