"""Spans around what is not a call of a model: explaining it, scoring it, training it, a step of it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Final

from opentelemetry import trace

from otel_ml.by_hand.typed import text, typed
from otel_ml.in_force import in_force
from otel_ml.record.current import attach, detach
from otel_ml.record.tracing import is_enabled
from otel_ml.recorder import InferenceRecorder
from otel_ml.running import NO_INFERENCE, enter, leave
from otel_ml_conventions import attributes as keys

__all__ = ["Operation", "identity", "operation", "version_of"]

_IDENTITY: Final = (keys.ML_MODEL_NAME, keys.ML_MODEL_VERSION)
_OF_METRICS: Final = (*_IDENTITY, keys.ML_FRAMEWORK_NAME, keys.ML_TASK_TYPE)


_PACKAGES: Final = {"pytorch": "torch"}  # where a framework's package has another name


def version_of(framework: str | None) -> str | None:
    """Return the version of *framework* where it has been imported; None where it does not tell."""
    if not isinstance(framework, str):
        return None
    module = sys.modules.get(_PACKAGES.get(framework, framework))
    version = getattr(module, "__version__", None)
    return version if isinstance(version, str) else None


def identity(
    name: str | None,
    version: str | None,
    framework: str | None,
    task: str | None,
    implementation: str | None,
) -> dict[str, Any]:
    """Return what these spans say of the model; what is not known is None."""
    return {
        keys.ML_MODEL_NAME: name,
        keys.ML_MODEL_VERSION: version,
        keys.ML_MODEL_TYPE: implementation,
        keys.ML_FRAMEWORK_NAME: framework,
        keys.ML_FRAMEWORK_VERSION: version_of(framework),
        keys.ML_TASK_TYPE: task,
    }


class Operation:
    """
    A span that is under way, and what becomes known of it.

    Attributes:
        recorder: Where what happens inside of it goes.
        span: The span, None where there is none.
        facts: Attributes that the span is to get at its end.
        identity: Name and version of the model, for the events inside.
    """

    def __init__(
        self, recorder: InferenceRecorder, span: trace.Span | None, began_with: Mapping[str, Any]
    ) -> None:
        self.recorder = recorder
        self.span = span
        self.facts: dict[str, Any] = {}
        self.identity = {key: began_with[key] for key in _IDENTITY if key in began_with}
        self._began_with = began_with

    def of_metrics(self) -> dict[str, Any]:
        """Return what metrics say of the model."""
        return {key: self._began_with[key] for key in _OF_METRICS if self._began_with.get(key)}


@contextmanager
def operation(
    action: str, target: str, facts: Mapping[str, Any], *, hides_calls: bool
) -> Iterator[Operation]:
    """
    Make a span of the block, the current one while that lasts; an exception goes on untouched.

    Args:
        action: The first word of its name, and the value of `ml.operation.name`.
        target: The second.
        facts: What it begins with; None is not known.
        hides_calls: Whether calls of models inside are no inferences.
    """
    recorder = in_force()
    known = typed({keys.ML_OPERATION_NAME: action, **facts}, recorder.failed)
    name = known.get(keys.ML_OPERATION_NAME, "ml")
    with suppress(Exception):  # what a user gives as a name may raise anything
        name = f"{name} {text(target)}"
    span = recorder.start(name, known) if is_enabled() else None
    under_way = Operation(recorder, span, known)
    error: BaseException | None = None
    try:
        with _current(span), _no_inference() if hides_calls else nullcontext():
            yield under_way
    except GeneratorExit:  # a generator around the block that nobody wants more of has not failed
        raise
    except BaseException as raised:
        error = raised
        raise
    finally:
        if span is not None:
            recorder.finish(span, under_way.facts, error)


@contextmanager
def _current(span: trace.Span | None) -> Iterator[None]:
    token = None if span is None else attach(span)
    try:
        yield
    finally:
        if token is not None:
            detach(token)


@contextmanager
def _no_inference() -> Iterator[None]:
    inside = enter(NO_INFERENCE)
    try:
        yield
    finally:
        leave(inside)
