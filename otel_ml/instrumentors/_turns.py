"""What runs as a part of a model, in one go or in the steps of a generator."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from otel_ml.running import running

__all__ = ["Turns", "within"]


class Turns:
    """The steps of a generator, each of them a part of *model*, and the time that they take."""

    def __init__(self, model: Any) -> None:
        self.seconds = 0.0
        self.output: Any = None
        self._model = model

    def of(self, steps: Generator[Any, Any, Any]) -> "Turns":
        self._steps = steps
        return self

    def __iter__(self) -> "Turns":
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
    token = running.set(id(model))
    try:
        yield
    finally:
        running.reset(token)
