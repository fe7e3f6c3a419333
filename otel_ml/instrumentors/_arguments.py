"""What was given to a method of a model, by position or by name."""

from collections.abc import Callable
from contextlib import suppress
from inspect import CO_VARARGS
from types import CodeType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.by_identity import ByIdentity

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
    position = (_known.get(function) or _positions(function)).get(name, len(args))
    return args[position] if position < len(args) else None


# By identity: what is called may be compared, and hashed, in a way of its own.
_known: Final[ByIdentity[dict[str, int]]] = ByIdentity()


def _positions(function: Callable[..., Any]) -> dict[str, int]:
    """Return where each parameter of *function* stands, and remember it."""
    inner = function
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    code = getattr(inner, "__code__", None)
    positions = (
        {} if code is None else _positions_in(code)
    )  # another tool's wrapper may be no function
    with suppress(TypeError):  # one that cannot be weakly referenced is looked at every time
        _known.remember(function, positions)
    return positions


def _positions_in(code: CodeType) -> dict[str, int]:
    count = code.co_argcount
    if not code.co_flags & CO_VARARGS:
        # Those that are to be given by name follow: a decorator may still take them by position, as XGBoost's does.
        count += code.co_kwonlyargcount
    return {name: position for position, name in enumerate(code.co_varnames[:count])}
