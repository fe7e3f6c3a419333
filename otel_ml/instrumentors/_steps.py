"""Steps of a pipeline, inside the call of a model or around it: a span each, where parts are asked for."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from opentelemetry import trace

from otel_ml.describe.models import framework_of
from otel_ml.instrumentors._arguments import first_argument
from otel_ml.record.current import attach, detach
from otel_ml.record.recent import recent
from otel_ml.record.tracing import is_enabled
from otel_ml.recorder import InferenceRecorder
from otel_ml.running import NO_INFERENCE, running
from otel_ml_conventions import attributes as keys

__all__ = ["Step", "Steps", "is_outermost"]

_MOST: Final = 128  # per call: some pipelines take their samples one by one
# What a step says of the model that it belongs to.
_OF_MODEL: Final = (
    keys.ML_MODEL_NAME,
    keys.ML_MODEL_VERSION,
    keys.ML_FRAMEWORK_NAME,
    keys.ML_FRAMEWORK_VERSION,
    keys.ML_TASK_TYPE,
)


class Step(NamedTuple):
    """
    A step of a pipeline.

    Attributes:
        name: What the author of the pipeline calls it.
        position: Where it stands there, from 0; None where it has none.
    """

    name: str
    position: int | None = None


class _Taken(NamedTuple):
    """The call by which a step is taken, and what that does."""

    original: Callable[..., Any]
    operation: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class _Outline:
    """The steps of the model that is being asked, which of them are under way, and how many were told."""

    def __init__(self, steps: Mapping[int, Step]) -> None:
        self._steps = steps
        self._under_way: set[int] = set()
        self._told = 0

    def begin(self, part: object) -> Step | None:
        """Return the step that *part* is; None where it is none, is under way, or enough were told."""
        step = self._steps.get(id(part))
        if step is None or id(part) in self._under_way or self._told >= _MOST:
            return None
        self._told += 1
        self._under_way.add(id(part))
        return step

    def end(self, part: object) -> None:
        """Let *part* be begun again; meanwhile its methods have called those of its ancestors."""
        self._under_way.discard(id(part))


_outline: Final[ContextVar[_Outline | None]] = ContextVar("otel_ml_outline", default=None)


class Steps:
    """
    Makes a span of each step of a model, below that of the call which the step belongs to.

    Args:
        recorder: Where spans go.
        framework: Whose steps they are.
        of: Gives the steps of a model, by the identity (`id`) of the object that takes each.
        take_samples: Whether what a step is given are samples in rows, which are counted.
    """

    def __init__(
        self,
        recorder: InferenceRecorder,
        framework: str,
        of: Callable[[Any], Mapping[int, Step]],
        *,
        take_samples: bool,
    ) -> None:
        self._recorder = recorder
        self._take_samples = take_samples
        self._framework = framework
        self._of = of

    @contextmanager
    def known(self, args: tuple[Any, ...]) -> Iterator[None]:
        """Know the steps of the model that is the first of *args*, in this block: it is being asked."""
        if not args or NO_INFERENCE in running.get():
            yield
            return
        steps: Mapping[int, Step] = {}
        with suppress(Exception):  # a model of the user's may raise anything
            steps = self._of(args[0])
        token = _outline.set(_Outline(steps))
        try:
            yield
        finally:
            _outline.reset(token)

    def inside(
        self,
        original: Callable[..., Any],
        operation: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call *original*, and make a span of it if it is a step of the model that is being asked."""
        outline = _outline.get()
        step = outline.begin(args[0]) if outline is not None and args else None
        if outline is None or step is None:
            return original(*args, **kwargs)
        try:
            with self._span(step, _Taken(original, operation, args, kwargs)):
                return original(*args, **kwargs)
        finally:
            outline.end(args[0])

    def alone(
        self,
        original: Callable[..., Any],
        operation: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call *original*, which is a step by itself, before or after the call of a model."""
        step = Step(type(args[0]).__name__)
        with self.known(args), self._span(step, _Taken(original, operation, args, kwargs)):
            return original(*args, **kwargs)

    @contextmanager
    def _span(self, step: Step, taken: _Taken) -> Iterator[None]:
        span = self._start(step, taken)
        if span is None:
            yield
            return
        token = attach(span)
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            detach(token)
            self._recorder.finish(span, {}, error)

    def _start(self, step: Step, taken: _Taken) -> trace.Span | None:
        if not is_enabled():
            return None
        try:
            facts = self._facts(step, taken)
        except Exception as error:  # noqa: BLE001 - a part of the user's may raise anything
            self._recorder.failed("describe_step", error)
            return None
        return self._recorder.start(f"{taken.operation} {step.name}", facts)

    def _facts(self, step: Step, taken: _Taken) -> dict[str, Any]:
        cls = type(taken.args[0])
        kind = f"{cls.__module__}.{cls.__qualname__}"
        facts = {
            keys.ML_OPERATION_NAME: taken.operation,
            keys.ML_PIPELINE_STEP_NAME: step.name,
            keys.ML_PIPELINE_STEP_INDEX: step.position,
            keys.ML_MODEL_TYPE: kind,
            keys.CODE_FUNCTION_NAME: f"{kind}.{taken.original.__name__}",
            keys.ML_BATCH_SIZE: _rows(taken) if self._take_samples else None,
            **self._model(cls),
        }
        return {key: fact for key, fact in facts.items() if fact is not None}

    def _model(self, cls: type) -> Mapping[str, Any]:
        """Return what is known of the model that is being asked; without one, whose class *cls* is."""
        call = recent.under_way()
        if call is None:
            framework = framework_of(cls, self._framework)
            return {
                keys.ML_FRAMEWORK_NAME: framework.name,
                keys.ML_FRAMEWORK_VERSION: framework.version,
            }
        return {key: call.channel.attributes.get(key) for key in _OF_MODEL}


def is_outermost() -> bool:
    """Whether nothing that is observed, and no step, runs in this context."""
    return not running.get() and _outline.get() is None


def _rows(taken: _Taken) -> int | None:
    with suppress(Exception):  # samples that cannot be read are not counted
        return first_argument(taken.args[1:], taken.kwargs).rows
    return None
