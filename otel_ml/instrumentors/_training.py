"""Training a model, where that is asked for: a span and a duration of every outermost fit."""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import perf_counter
from types import MappingProxyType
from typing import Any, Final

from opentelemetry import trace

from otel_ml.describe.models import Model, framework_of
from otel_ml.instrumentors._arguments import argument, first_argument
from otel_ml.instrumentors._identity import identify
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

# A function that returns the model, a booster, which it trains.
_TRAIN: Final = "train"
# Other methods change a model too, or are steps of one fit.
_FITS: Final = frozenset({"fit", "partial_fit", "fit_predict", "fit_transform"})
# How such functions call the samples, and these the numbers of them and of their features.
_SAMPLES: Final = {"dtrain": ("num_row", "num_col"), "train_set": ("num_data", "num_feature")}
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
        """Call *original*, which, if *trains* says so, trains its first argument or what it returns."""
        gives_model = _kind(original) is not None
        is_fit = trains and (gives_model or (args and original.__name__ in _FITS))
        if not is_fit or running.get() or not is_enabled():
            return self._guard(original, trains, args, kwargs)
        if gives_model:
            channel, facts = self._channel(original, None), {}
        else:
            channel, facts = self._channel(original, args[0]), self._facts(args[1:], kwargs)
        span = None
        if channel is not None:
            span = self._recorder.start(channel.span_name, {**channel.attributes, **facts})
        started = perf_counter()
        try:
            result = self._within(span, original, args, kwargs)
        except BaseException as error:
            self._end(channel, span, perf_counter() - started, error=error)
            raise
        seconds = perf_counter() - started
        if gives_model and channel is not None:
            # Who the model is, and how many samples there were, may be known only now.
            channel = self._channel(original, result) or channel
            facts = {**channel.attributes, **_counts(original, args, kwargs)}
            self._end(channel, span, seconds, facts, channel.span_name)
        else:
            self._end(channel, span, seconds)
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
            kind = _kind(original)
            if model is None and kind is not None:
                described = self._untrained(kind)
            else:
                described = self._read(self._settings, model, is_part).model
            owner = described.type if kind is None else original.__module__
            return self._recorder.channel(described, _FIT, f"{owner}.{original.__name__}")
        except Exception as error:  # noqa: BLE001 - a model of the user's may raise anything
            self._recorder.failed("describe_model", error)
            return None

    def _untrained(self, kind: type) -> Model:
        """Return what is known of the model, one of *kind*, that is to come."""
        framework = framework_of(kind, _package(kind))
        return identify(None, self._settings, framework, None, is_part=False, kind=kind)

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
        facts: Mapping[str, Any] = MappingProxyType({}),
        name: str | None = None,
        *,
        error: BaseException | None = None,
    ) -> None:
        if channel is None:
            return
        failed = {} if error is None else {keys.ERROR_TYPE: qualified(type(error))}
        self._recorder.time_training(seconds, {**channel.model_attributes, **failed})
        if span is not None:
            self._recorder.finish(span, facts, error, name=name)


def _kind(train: Callable[..., Any]) -> type | None:
    """Return the class of the model that *train* returns; None where it is no such function."""
    if getattr(train, "__qualname__", "") != _TRAIN:
        return None
    kind = getattr(sys.modules.get(_package(train)), "Booster", None)
    return kind if isinstance(kind, type) else None


def _package(defined: Any) -> str:
    return str(defined.__module__).partition(".")[0]


def _counts(
    train: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    for name, (rows, columns) in _SAMPLES.items():
        samples = argument(train, args, kwargs, name)
        with suppress(Exception):  # of another kind
            return {
                keys.ML_TRAINING_SAMPLE_COUNT: int(getattr(samples, rows)()),
                keys.ML_INPUT_FEATURE_COUNT: int(getattr(samples, columns)()),
            }
    return {}
