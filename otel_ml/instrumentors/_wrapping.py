"""
Wrappers around methods of other people's classes, and how they are taken off again.

cloudpickle ships some of these wrappers *by value*: those behind scikit-learn's conditional methods,
and those on classes of `__main__`. So a wrapper holds the original function and constants, nothing
else, and finds our side of it through `sys.modules`; where otel-ml is absent it just calls the
original. What the wrappers name as globals must be picklable too: that is `sys`, and stays so.
"""

import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from types import FunctionType
from typing import Any, Final

__all__ = ["MARKER", "Hooks", "Patches", "guarded", "observed"]

MARKER: Final = "__otel_ml__"

_Function = Callable[..., Any]
_Args = tuple[Any, ...]
_Kwargs = dict[str, Any]


class Hooks:
    """
    Our side of the wrappers of one framework, found by them as `hooks` in its module.

    Attributes:
        observe: Called with original, method, args, kwargs in place of a method that predicts.
        guard: Called with original, trains, args, kwargs in place of a method that must not be
            observed inside.
        adopt: Called with every new class.
    """

    __slots__ = ("adopt", "guard", "observe")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Let every wrapper call its original and nothing else."""
        self.observe: Callable[[_Function, str, _Args, _Kwargs], Any] | None = None
        self.guard: Callable[[_Function, bool, _Args, _Kwargs], Any] | None = None
        self.adopt: Callable[[type], None] | None = None


def observed(original: _Function, module: str, method: str) -> _Function:
    """Return *original* as the hooks of *module* observe it, told that it is *method*."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        # Asked for once: another thread may clear the hooks at any moment.
        observe = getattr(getattr(sys.modules.get(module), "hooks", None), "observe", None)
        if observe is None:
            return original(*args, **kwargs)
        return observe(original, method, args, kwargs)

    return _marked(call)


def guarded(original: _Function, module: str, *, trains: bool) -> _Function:
    """Return *original* as the hooks of *module* guard it."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        guard = getattr(getattr(sys.modules.get(module), "hooks", None), "guard", None)
        if guard is None:
            return original(*args, **kwargs)
        return guard(original, trains, args, kwargs)

    return _marked(call)


def _marked(call: _Function) -> _Function:
    setattr(call, MARKER, True)
    return call


def _is_ours(function: object) -> bool:
    # `functools.wraps` copies the marker: another tool's wrapper around ours bears it too.
    return isinstance(function, FunctionType) and function.__globals__ is globals()


class Patches:
    """
    The methods wrapped so far; `undo` puts back the very functions that were there.

    Classes are held weakly: a user's class lives no longer for having been wrapped.
    """

    def __init__(self) -> None:
        self._wrapped: list[tuple[weakref.ref[type], str]] = []
        self._hooked: list[tuple[type, Any]] = []

    def wrap(self, owner: type, name: str, wrapper: Callable[[_Function], _Function]) -> None:
        """Wrap what *owner* itself defines as *name*; what it inherits is wrapped where it is defined."""
        holder = _holder(owner, name)
        if holder is None:
            return
        place, attribute, function = holder
        if not _is_ours(function):
            # A class that was compiled cannot be changed.
            with suppress(TypeError):
                setattr(place, attribute, wrapper(function))
        self._wrapped.append((weakref.ref(owner), name))

    def hook_subclasses(self, base: type, module: str) -> None:
        """Make the hooks of *module* adopt every class that will extend *base*."""
        own = base.__dict__.get("__init_subclass__")

        def adopt_subclass(cls: type, **kwargs: Any) -> None:
            if own is None:
                super(base, cls).__init_subclass__(**kwargs)  # type: ignore[arg-type]  # mypy wants a literal class
            else:
                own.__get__(None, cls)(**kwargs)
            adopt = getattr(getattr(sys.modules.get(module), "hooks", None), "adopt", None)
            if adopt is not None:
                adopt(cls)

        setattr(base, "__init_subclass__", classmethod(_marked(adopt_subclass)))  # noqa: B010 - mypy lets no one assign it
        self._hooked.append((base, own))

    def undo(self) -> None:
        """Take off every wrapper that is still in its place; one that others wrapped stays, inert."""
        for reference, name in self._wrapped:
            owner = reference()
            holder = None if owner is None else _holder(owner, name)
            if holder is not None and _is_ours(holder[2]):
                place, attribute, function = holder
                setattr(place, attribute, function.__wrapped__)
        for base, own in self._hooked:
            if own is None:
                type.__delattr__(base, "__init_subclass__")
            else:
                type.__setattr__(base, "__init_subclass__", own)
        self._wrapped.clear()
        self._hooked.clear()


def _holder(owner: type, name: str) -> tuple[Any, str, Any] | None:
    """Return where the function *name* of *owner* is kept: object, attribute, function."""
    value = owner.__dict__.get(name)
    if isinstance(value, FunctionType):
        return owner, name, value
    # scikit-learn's conditional methods: what `hasattr` answers is decided by the descriptor, so
    # the descriptor stays and only its function is wrapped.
    function = getattr(value, "fn", None)
    if hasattr(value, "check") and isinstance(function, FunctionType):
        return value, "fn", function
    return None
