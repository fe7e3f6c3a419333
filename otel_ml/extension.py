"""
What an instrumentor of another framework is made of, in this project or in a distribution of its own.

A subclass of `FrameworkInstrumentor` says what the framework is, which functions to wrap once it is
imported, and how a model is read; a `Subject` says how calls of one model are read. All the rest,
from the check of versions to the span, is done here. `otel_ml.instrument` and
`opentelemetry-instrument` find it by its entry point `ml_<name>` in the group
`opentelemetry_instrumentor`.
"""

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.models import Framework, Model, Registration, framework_of, registrations
from otel_ml.describe.probabilities import (
    class_label,
    describe_classes,
    describe_numbers,
    describe_probabilities,
    describe_scores,
    describe_shape,
)
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._arguments import argument, first_argument, given_first
from otel_ml.instrumentors._identity import Metadata, identify
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._supported import SupportedFramework
from otel_ml.instrumentors._turns import iterate
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import MlOperationNameValues, MlTaskTypeValues

__all__ = [
    "Answer",
    "Answers",
    "Captured",
    "Coverage",
    "Facts",
    "Framework",
    "FrameworkInstrumentor",
    "Hooks",
    "Metadata",
    "MlOperationNameValues",
    "MlTaskTypeValues",
    "Model",
    "Observer",
    "Registration",
    "Settings",
    "Subject",
    "SupportedFramework",
    "Table",
    "argument",
    "class_label",
    "describe_classes",
    "describe_numbers",
    "describe_probabilities",
    "describe_scores",
    "describe_shape",
    "first_argument",
    "framework_of",
    "given_first",
    "identify",
    "iterate",
    "read_table",
    "registrations",
]
