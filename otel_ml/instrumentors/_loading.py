"""Loading a model: how long it took, from which file, and who the model is from then on."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from itertools import islice
from pathlib import Path
from threading import Thread
from time import perf_counter_ns, time_ns
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakSet

from otel_ml.describe.models import sources
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._identity import stored_at
from otel_ml.instrumentors._observing import trainings
from otel_ml.instrumentors._subject import Subject
from otel_ml.permitted import content_policy
from otel_ml.record.failures import qualified
from otel_ml.record.tracing import is_enabled
from otel_ml.recorder import InferenceRecorder
from otel_ml.running import NO_INFERENCE, enter, leave
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlOperationNameValues

if TYPE_CHECKING:
    from opentelemetry import trace

__all__ = ["Loaded", "Loading", "await_loads", "file_of", "loaded_into"]

_LOAD: Final = MlOperationNameValues.LOAD.value
_LARGEST_HASHED: Final = 4 << 30  # bytes; some seconds of one core
_CHUNK: Final = 1 << 20
_NANOSECONDS: Final = 1e9

# Whether a model is being loaded in this context: what a loader does inside is part of that.
_is_loading: Final[ContextVar[bool]] = ContextVar("otel_ml_is_loading", default=False)


_hashing: Final[WeakSet[Thread]] = WeakSet()


def await_loads() -> None:
    """Return when everything that was loaded has been told."""
    for thread in list(_hashing):
        thread.join()


class Loaded(NamedTuple):
    """
    What a function has loaded.

    Attributes:
        model: The object whose methods will be called; None where loading failed.
        source: Path or address that it came from, None where that is not known.
        facts: What else is known of where it came from.
        file: Path of the file that holds the model, where *source* is a folder or an address.
        weights: What is in memory for as long as the model is, where *model* may go before it.
    """

    model: Any
    source: str | None
    facts: Facts = MappingProxyType({})
    file: str | None = None
    weights: Any = None


def file_of(place: Any) -> str | None:
    """Return the path of *place*, a path or an open file; None of anything else, such as bytes."""
    if not isinstance(place, str | os.PathLike):
        # A member of an archive has the name that it has there, by which another file would be found.
        is_file = _is_file(place)
        place = getattr(place, "name", None) if is_file else None  # a number, by its descriptor
    return os.fsdecode(place) if isinstance(place, str | os.PathLike) else None


def _is_file(opened: Any) -> bool:
    with suppress(Exception):
        return isinstance(opened.fileno(), int)
    return False


def loaded_into(args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Loaded:
    """Return what a method has loaded into its own object, from its first argument, whose parameter is *name*."""
    place = args[1] if len(args) > 1 else kwargs.get(name)
    return Loaded(args[0], file_of(place))


class Loading:
    """
    Lets functions load models, and tells the recorder of it.

    The span is made when the model is there, with the times that were; a hash of its file is worked
    out in a thread of its own, so that the program need not wait for it.

    Args:
        recorder: Where spans and metrics go.
        settings: What may be told.
        read: Gives the subject of a model.
        loaded: Says what a function has loaded.
        framework: Whose functions they are.
    """

    def __init__(
        self,
        recorder: InferenceRecorder,
        settings: Settings,
        read: Callable[[Settings, Any, bool], Subject],
        loaded: Callable[..., Loaded | None],
        framework: str,
    ) -> None:
        self._framework = framework
        self._recorder = recorder
        self._settings = settings
        self._read = read
        self._loaded = loaded

    def load(
        self,
        original: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call *original*, known as *name*, and tell of the model that it loads."""
        if _is_loading.get() or not is_enabled():
            return original(*args, **kwargs)
        token = _is_loading.set(True)
        inside = enter(NO_INFERENCE)  # some loaders try the model
        began, started = time_ns(), perf_counter_ns()
        try:
            try:
                result = original(*args, **kwargs)
            finally:  # before it is told of, for some are told apart by what is around them
                leave(inside)
                _is_loading.reset(token)
        except BaseException as error:
            times = began, began + perf_counter_ns() - started
            self._tell(original, name, args, kwargs, None, times, error)
            raise
        # Not by the clock of the wall, which may have been set meanwhile.
        times = began, began + perf_counter_ns() - started
        self._tell(original, name, args, kwargs, result, times, None)
        return result

    def _tell(
        self,
        original: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        times: tuple[int, int],
        error: BaseException | None,
    ) -> None:
        try:
            loaded = self._loaded(name, args, kwargs, result)
            if loaded is None or (loaded.model is None and error is None):
                return
            if error is None and loaded.source is not None:
                with suppress(TypeError):  # one that cannot be weakly referenced
                    sources.remember(loaded.model, loaded.source)
            trainings.number += 1  # what was read of the object before holds no more
            place = f"{original.__module__}.{original.__qualname__}"
            self._record(loaded, place, times, error)
        except Exception as failure:  # noqa: BLE001 - a model of the user's may raise anything
            self._recorder.failed("describe_load", failure)

    def _record(
        self, loaded: Loaded, place: str, times: tuple[int, int], error: BaseException | None
    ) -> None:
        subject = None if error is not None else self._subject(loaded.model)
        facts, of_metrics = self._facts(subject, loaded, place)
        facts |= loaded.facts
        failed = {} if error is None else {keys.ERROR_TYPE: qualified(type(error))}
        began, ended = times
        self._recorder.time_load((ended - began) / _NANOSECONDS, {**of_metrics, **failed})
        if subject is not None:
            held = loaded.model if loaded.weights is None else loaded.weights
            with suppress(TypeError):  # of one that cannot be weakly referenced the end is not seen
                self._recorder.count_loaded(held, of_metrics)
        span = self._recorder.start(f"{_LOAD} {facts[keys.ML_MODEL_NAME]}", facts, None, began)
        if span is None:
            return
        file = loaded.file or loaded.source
        if file is None or not span.is_recording():
            self._recorder.finish(span, {}, error, ended)
            return
        # Not a daemon: a program that ends at once waits for the hash, and the span is not lost.
        arguments = span, file, error, ended
        thread = Thread(target=self._finish, args=arguments, name="otel-ml-load")
        try:
            thread.start()
        except RuntimeError:  # a process that is shutting down, or has too many, starts none
            self._recorder.finish(span, {}, error, ended)
        else:
            _hashing.add(thread)  # not before: who waits for it must find it begun

    def _subject(self, model: Any) -> Subject:
        is_part = False
        return self._read(self._settings, model, is_part)

    def _finish(
        self, span: "trace.Span", file: str, error: BaseException | None, ended_ns: int
    ) -> None:
        self._recorder.finish(span, _artifact(file), error, ended_ns)

    def _facts(
        self, subject: Subject | None, loaded: Loaded, place: str
    ) -> tuple[dict[str, Any], Mapping[str, Any]]:
        if subject is None:
            # What is there may be half made: of that only the class is sure.
            kind = self._framework if loaded.model is None else type(loaded.model).__name__
            name = stored_at(loaded.source or "").name or kind
            of_metrics = {keys.ML_FRAMEWORK_NAME: self._framework, keys.ML_MODEL_NAME: name}
            of_call = {keys.ML_OPERATION_NAME: _LOAD, keys.CODE_FUNCTION_NAME: place}
            return {**of_call, **of_metrics}, of_metrics
        channel = self._recorder.channel(subject.model, _LOAD, place)
        return {**channel.attributes, **self._features(subject)}, channel.model_attributes

    def _features(self, subject: Subject) -> dict[str, Any]:
        names = subject.feature_names
        if names is None:
            return {}
        facts: dict[str, Any] = {keys.ML_INPUT_FEATURE_COUNT: len(names)}
        # Names may be values, as in `city=Paris`: they leave where values do, and as far as those do.
        if self._settings.capture_content != "no_content":
            permits = content_policy(self._settings).permits
            permitted = filter(permits, names)
            facts[keys.ML_INPUT_FEATURE_NAMES] = tuple(
                islice(permitted, self._settings.capture_max_features)
            )
        return facts


def _artifact(file: str) -> dict[str, Any]:
    """Return name and SHA-256 of *file*; nothing where it is no file of this machine."""
    path = Path(file)
    with suppress(OSError):
        if path.is_file():
            facts = {keys.ARTIFACT_FILENAME: path.name}
            if path.stat().st_size <= _LARGEST_HASHED:
                facts[keys.ARTIFACT_HASH] = _digest(path)
            return facts
    return {}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
