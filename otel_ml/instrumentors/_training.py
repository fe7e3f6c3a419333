"""Training a model, where that is asked for: a span and a duration of every outermost fit."""

from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any, Final

from opentelemetry import trace

from otel_ml.instrumentors._arguments import first_argument
from otel_ml.instrumentors._subject import Subject
from otel_ml.record.channel import Channel
from otel_ml.record.current import attach, detach
from otel_ml.record.failures import qualified
from otel_ml.record.tracing import is_enabled
from otel_ml.recorder import InferenceRecorder
from otel_ml.running import running
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlOperationNameValues

__all__ = ["Training"]

# Other methods change a model too, or are steps of one fit.
_FITS: Final = frozenset({"fit", "partial_fit", "fit_predict", "fit_transform"})
_FIT: Final = MlOperationNameValues.FIT.value


class Training:
    """
    Lets models be trained as `guard` does, and tells the recorder of it.

    What folds, candidates and parts do inside is part of the outermost fit, and what an inference
    fits, to number its classes say, is part of that.

    Args:
        recorder: Where spans and metrics go.
        settings: They decide how a model is read.
        read: Gives the subject of a model.
        guard: Calls what trains, so that nothing inside of it is an inference.
    """

    def __init__(
        self,
        recorder: InferenceRecorder,
        settings: Settings,
        read: Callable[[Settings, Any, bool], Subject],
        guard: Callable[..., Any],
    ) -> None:
        self._recorder = recorder
        self._settings = settings
        self._read = read
        self._guard = guard

    def guard(
        self,
        original: Callable[..., Any],
        trains: bool,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call *original*, which trains the model that is its first argument if *trains* says so."""
        is_fit = trains and original.__name__ in _FITS
        if not is_fit or running.get() or not args or not is_enabled():
            return self._guard(original, trains, args, kwargs)
        channel = self._channel(original, args[0])
        span = None
        if channel is not None:
            facts = {**channel.attributes, **self._facts(args[1:], kwargs)}
            span = self._recorder.start(channel.span_name, facts)
        started = perf_counter()
        try:
            result = self._within(span, original, args, kwargs)
        except BaseException as error:
            self._end(channel, span, perf_counter() - started, error)
            raise
        self._end(channel, span, perf_counter() - started, None)
        return result

    def _within(
        self,
        span: trace.Span | None,
        original: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        trains = True
        if span is None:
            return self._guard(original, trains, args, kwargs)
        token = attach(span)
        try:
            return self._guard(original, trains, args, kwargs)
        finally:
            detach(token)

    def _channel(self, original: Callable[..., Any], model: Any) -> Channel | None:
        is_part = False
        try:
            described = self._read(self._settings, model, is_part).model
            place = f"{described.type}.{original.__name__}"
            return self._recorder.channel(described, _FIT, place)
        except Exception as error:  # noqa: BLE001 - a model of the user's may raise anything
            self._recorder.failed("describe_model", error)
            return None

    def _facts(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        with suppress(Exception):  # samples that cannot be read are not counted
            table = first_argument(args, kwargs)
            counts = {
                keys.ML_TRAINING_SAMPLE_COUNT: table.rows,
                keys.ML_INPUT_FEATURE_COUNT: table.columns,
            }
            return {key: number for key, number in counts.items() if number is not None}
        return {}

    def _end(
        self,
        channel: Channel | None,
        span: trace.Span | None,
        seconds: float,
        error: BaseException | None,
    ) -> None:
        if channel is None:
            return
        failed = {} if error is None else {keys.ERROR_TYPE: qualified(type(error))}
        self._recorder.time_training(seconds, {**channel.model_attributes, **failed})
        if span is not None:
            self._recorder.finish(span, {}, error)
