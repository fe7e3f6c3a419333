"""scikit-learn: which methods of which classes predict, and how its estimators and outputs are read."""

import sys
from collections.abc import Collection, Sequence
from functools import partial
from logging import getLogger
from re import match
from types import ModuleType
from typing import Any, Final

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from otel_ml_conventions.attributes import MlOperationNameValues, MlTaskTypeValues
from wrapt import register_post_import_hook

from otel_ml.describe.models import Model, Registration, framework_of, registrations
from otel_ml.describe.probabilities import (
    Outputs,
    class_label,
    describe_classes,
    describe_numbers,
    describe_probabilities,
    describe_scores,
    describe_shape,
    probabilities_text,
)
from otel_ml.instrumentors._observing import Captured, Observer
from otel_ml.instrumentors._wrapping import Hooks, Patches, guarded, observed
from otel_ml.recorder import InferenceRecorder
from otel_ml.settings import Settings

__all__ = ["SklearnInstrumentor"]

_PREDICTS: Final = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
)
_TRAINS: Final = ("fit", "partial_fit", "fit_predict", "fit_transform")
_EVALUATES: Final = ("score",)
_PROBABILITIES: Final = frozenset({"predict_proba", "predict_log_proba"})
_PREDICT: Final = MlOperationNameValues.PREDICT.value

_logger = getLogger("otel_ml")

# Where the wrappers on scikit-learn's classes find us.
hooks: Final = Hooks()
