"""What was given to a method of a model, by position or by name."""

from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table

__all__ = ["argument", "first_argument", "given_first"]


# Whoever gives the samples by name may give something else before them.
_FIRST: Final = ("X", "data", "x", "inputs")


def given_first(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the first argument after the model, by position or else by what frameworks call it."""
    if args:
        return args[0]
    known = (kwargs[name] for name in _FIRST if name in kwargs)
    return next(known, next(iter(kwargs.values()), None))


def first_argument(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
    """Return the first argument after the model as a table, by position or else by name."""
    return read_table(args[0] if args else given_first(args, kwargs))


def argument(
    function: Callable[..., Any] | None, args: tuple[Any, ...], kwargs: dict[str, Any], name: str
) -> Any:
    """
    Return what a call gave for the parameter *name*, None where it gave nothing.

    Args:
        function: What is called; None where only what is given by name can be known.
        args: The model, and what follows it by position.
        kwargs: What is given by name.
        name: A parameter of *function*, or none of them.
    """
    if name in kwargs or function is None:
        return kwargs.get(name)
    while hasattr(function, "__wrapped__"):  # `inspect.unwrap` costs a microsecond more
        function = function.__wrapped__
    position = _positions(getattr(function, "__code__", None)).get(name, len(args))
    return args[position] if position < len(args) else None


@lru_cache(maxsize=256)
def _positions(code: CodeType | None) -> dict[str, int]:
    """Return where each parameter stands; none for another tool's wrapper that is no function."""
    if code is None:
        return {}
    parameters = code.co_varnames[: code.co_argcount]
    return {parameter: position for position, parameter in enumerate(parameters)}
