"""Trace context, carried into threads, queues and processes that would not know it."""

import inspect
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from opentelemetry import context as context_api
from opentelemetry import propagate as propagation

from otel_ml.running import NOTHING, running

__all__ = ["Carried", "propagate"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def propagate(function: Callable[_Parameters, _Result]) -> "Carried[_Parameters, _Result]":
    """
    Return *function* with the context of now: wherever it is called, it belongs to this trace.

    For thread pools, joblib and queues. In this process it takes all context variables along; a
    call inside of an inference stays a part of it. Pickled, for another process, it takes what the
    configured propagators write (trace context and baggage), and that it is inside of a call.

    Raises:
        TypeError: If *function* cannot be called, or is a coroutine function: asyncio carries the
            context by itself; or a generator function, which runs when its call is over.
    """
    if not callable(function):
        raise TypeError(f"propagate: expected a function, found {type(function).__name__}")
    for each in (function, type(function).__call__):  # of an object its method says what it is
        if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            raise TypeError("propagate: expected a function, found a coroutine function")
        if inspect.isgeneratorfunction(each):
            raise TypeError(
                "propagate: expected a function, found a generator function; carry the function "
                "that goes through it"
            )
    return Carried(function, copy_context())


class Carried(Generic[_Parameters, _Result]):
    """A function with a context; `propagate` makes it."""

    def __init__(self, function: Callable[_Parameters, _Result], context: Context) -> None:
        self._function = function
        self._context = context
        update_wrapper(self, function, updated=())

    def __call__(self, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        """Call the function in the context that was."""
        # A copy, for a context can be in force in one thread at a time only.
        return self._context.copy().run(self._function, *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        carrier: dict[str, str] = {}
        self._context.copy().run(propagation.inject, carrier)
        return _unpack, (self._function, carrier, self._context.get(running, NOTHING))


def _unpack(
    function: Callable[_Parameters, _Result], carrier: dict[str, str], guard: Sequence[int]
) -> Carried[_Parameters, _Result]:
    context = copy_context()
    context.run(context_api.attach, context.run(propagation.extract, carrier))
    context.run(running.set, guard)
    return Carried(function, context)
