"""weathervane: which calls become inferences, and how a vane is read."""

from types import ModuleType
from typing import Any

from otel_ml import extension as ml

hooks = ml.Hooks()  # where the wrappers find us: by this name, in the instrumentor's module


class WeathervaneInstrumentor(ml.FrameworkInstrumentor):
    """Makes a span and metrics of every outermost forecast."""

    framework = ml.SupportedFramework("weathervane", ("weathervane",), "1.0", "`Vane.forecast`")
    hooks = hooks

    def cover(self, coverage: ml.Coverage) -> None:
        """Say what to wrap, once somebody has imported the library."""

        def cover_vanes(weathervane: ModuleType) -> None:
            coverage.observe(weathervane.Vane, "forecast")
            coverage.guard(weathervane.Vane, "check")  # it forecasts, and is no inference

        coverage.when_imported("weathervane", cover_vanes)

    def read(self, settings: ml.Settings, model: Any, is_part: bool) -> ml.Subject:
        """Return what tells of *model*."""
        return Vane(settings, model, is_part)


class Vane(ml.Subject):
    """What is read of a vane once; what each call says is read by the methods."""

    def __init__(self, settings: ml.Settings, vane: Any, is_part: bool) -> None:
        task = ml.MlTaskTypeValues.BINARY_CLASSIFICATION
        framework, metadata = ml.framework_of(type(vane), "weathervane"), ml.Metadata(vane.name)
        self.model = ml.identify(vane, settings, framework, task, metadata, is_part=is_part)
        self.feature_names = tuple(vane.inputs)
        self._answers = ml.Answers(settings, labels=vane.classes)

    def matters_unsampled(self, _method: str) -> bool:
        """Whether every call has what metrics want: here, confidences."""
        return True

    def outputs(self, _method: str, output: Any, captured: ml.Captured) -> ml.Facts:
        """Return what is told of *output*."""
        return self._answers.describe(ml.Answer.PROBABILITIES, output, captured)
