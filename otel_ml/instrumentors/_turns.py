"""What runs as a part of a model, in one go or in the steps of a generator."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any

from otel_ml.instrumentors._observing import Observer
from otel_ml.record.given_up import given_up
from otel_ml.running import enter, leave

__all__ = ["iterate", "within"]


def iterate(
    observer: Observer,
    original: Callable[..., Any],
    method: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Generator[Any, Any, Any]:
    """
    Be the generator that *original*, a generator function, makes; it is one inference.

    It ends with the last step, or when the caller goes; what is told is the last step's
    output. Nothing of ours is current while the caller has its turn, and that is not counted.
    """
    call = observer.open(method, args, kwargs, original)
    if call is None:
        return (yield from original(*args, **kwargs))
    given_up.expect()
    turns = _Turns(args[0])
    try:
        result = yield from turns.of(original(*args, **kwargs))
    except BaseException as error:
        is_left = isinstance(error, GeneratorExit)
        output, told = (turns.output, None) if is_left else (None, error)
        given_up.end(partial(observer.close, call, output, told, turns.seconds))
        raise
    observer.close(call, turns.output, None, turns.seconds)
    return result


class _Turns:
    """The steps of a generator, each of them a part of *model*, and the time that they take."""

    def __init__(self, model: Any) -> None:
        self.seconds = 0.0
        self.output: Any = None
        self._model = model

    def of(self, steps: Generator[Any, Any, Any]) -> "_Turns":
        self._steps = steps
        return self

    def __iter__(self) -> "_Turns":
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        self.output = self._take(self._steps.send, value)
        return self.output

    def throw(self, *raised: Any) -> Any:
        self.output = self._take(self._steps.throw, *raised)
        return self.output

    def close(self) -> None:
        self._take(self._steps.close)

    def _take(self, turn: Callable[..., Any], *args: Any) -> Any:
        started = perf_counter()
        try:
            with within(self._model):
                return turn(*args)
        finally:
            self.seconds += perf_counter() - started


@contextmanager
def within(model: Any) -> Iterator[None]:
    """Make what runs in this block a part of *model*."""
    inside = enter(id(model))
    try:
        yield
    finally:
        leave(inside)
