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
from functools import update_wrapper, wraps
from inspect import iscoroutinefunction
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

__all__ = ["MARKER", "Hooks", "Patches"]

# On a wrapper: the layers it consists of, innermost first. Plain values, for cloudpickle ships them.
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
        is_inside: Tells whether a call here and now is a part of something that is observed as a
            whole; `observe` is not asked then.
        load: Called with original, name, args, kwargs in place of a function that loads a model.
        adopt: Called with every new class.
    """

    __slots__ = ("adopt", "guard", "is_inside", "load", "observe")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Let every wrapper call its original and nothing else."""
        self.observe: Callable[[_Function, str, _Args, _Kwargs], Any] | None = None
        self.guard: Callable[[_Function, bool, _Args, _Kwargs], Any] | None = None
        self.is_inside: Callable[[], object] = bool
        self.load: Callable[[_Function, str, _Args, _Kwargs], Any] | None = None
        self.adopt: Callable[[type], None] | None = None


def _observed(original: _Function, module: str, method: str) -> _Function:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        # Every part of every model passes here, each layer of a network too: this is the fast way.
        try:
            hooks = sys.modules[module].hooks
            observe = hooks.observe  # asked for once: another thread may clear it at any moment
        except (KeyError, AttributeError):
            observe = None
        if observe is None or hooks.is_inside():
            return original(*args, **kwargs)
        return observe(original, method, args, kwargs)

    return call


def _guarded(original: _Function, module: str, trains: bool) -> _Function:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        guard = getattr(getattr(sys.modules.get(module), "hooks", None), "guard", None)
        if guard is None:
            return original(*args, **kwargs)
        return guard(original, trains, args, kwargs)

    return call


def _loaded(original: _Function, module: str, name: str) -> _Function:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        load = getattr(getattr(sys.modules.get(module), "hooks", None), "load", None)
        if load is None:
            return original(*args, **kwargs)
        return load(original, name, args, kwargs)

    return call


# One wrapper around a function, so that it can be made again without the others: a kind of hook,
# the module whose hooks it asks, and the function's name or whether it trains.
_Layer = tuple[str, str, Any]


def _around(function: _Function, layer: _Layer) -> _Function:
    kind, module, detail = layer
    if kind == "guard":
        return _guarded(function, module, detail)
    return (_loaded if kind == "load" else _observed)(function, module, detail)


def _is_ours(function: object) -> bool:
    # `functools.wraps` copies the marker: another tool's wrapper around ours bears it too.
    return isinstance(function, FunctionType) and function.__globals__ is globals()


def _layers(function: _Function) -> tuple[_Layer, ...]:
    """Return the wrappers of ours around *function*, innermost first."""
    layers: tuple[_Layer, ...] = getattr(function, MARKER) if _is_ours(function) else ()
    return layers


def _wrapped(function: _Function, layers: tuple[_Layer, ...]) -> _Function:
    """Return what *function* wraps, with *layers* around it in place of those it has."""
    for _ in _layers(function):
        function = function.__wrapped__  # type: ignore[attr-defined]  # `wraps` has set it
    for number, layer in enumerate(layers, 1):
        function = _around(function, layer)
        setattr(function, MARKER, layers[:number])
    return function


class Patches:
    """
    The methods that the instrumentor in *module* wrapped so far, and the way back.

    Several instrumentors may wrap one method: each has its own layer, which `undo` takes out from
    between the others; without any layer the very function that was there is put back. Classes are
    held weakly: a user's class lives no longer for having been wrapped.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._patched: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()
        self._hooked: list[tuple[type, Any, Any]] = []

    def observe(self, owner: Any, name: str) -> None:
        """Observe what *owner*, a class or module, itself defines as *name*, under that name."""
        self._wrap(owner, name, ("observe", self._module, name))

    def guard(self, owner: Any, name: str, *, trains: bool) -> None:
        """Guard what *owner*, a class or module, itself defines as *name*."""
        self._wrap(owner, name, ("guard", self._module, trains))

    def load(self, owner: Any, name: str) -> None:
        """Time what *owner*, a class or module, itself defines as *name*: it loads models."""
        self._wrap(owner, name, ("load", self._module, name))

    def _wrap(self, owner: Any, name: str, layer: _Layer) -> None:
        holder = _holder(owner, name)
        # What is awaited is known as that by its own function, and has not answered when it returns.
        if holder is None or iscoroutinefunction(holder[2]):
            return
        place, attribute, function = holder
        layers = _layers(function)
        if all(module != self._module for _, module, _ in layers):
            # A class that was compiled cannot be changed.
            with suppress(TypeError):
                wrapper = _wrapped(function, (*layers, layer))
                if isinstance(owner, ModuleType):  # where pickle will look for it
                    wrapper.__module__ = owner.__name__
                setattr(place, attribute, wrapper)
        self._patched.setdefault(owner, set()).add(name)

    def hook_subclasses(self, base: type) -> None:
        """Make the hooks adopt every class that will extend *base*."""
        module = self._module
        own = base.__dict__.get("__init_subclass__")

        def adopt_subclass(cls: type, /, **kwargs: Any) -> None:
            if own is None:
                super(base, cls).__init_subclass__(**kwargs)  # type: ignore[arg-type]  # mypy wants a literal class
            else:
                own.__get__(None, cls)(**kwargs)
            adopt = getattr(getattr(sys.modules.get(module), "hooks", None), "adopt", None)
            if adopt is not None:
                adopt(cls)

        hook: Any = classmethod(adopt_subclass)
        setattr(base, "__init_subclass__", hook)  # noqa: B010 - mypy lets no one assign it
        self._hooked.append((base, own, hook))

    def undo(self) -> None:
        """Take off every wrapper and hook that is still in its place; one that others wrapped stays, inert."""
        patched = [(owner, name) for owner, names in self._patched.items() for name in names]
        for owner, name in patched:
            holder = _holder(owner, name)
            if holder is not None and _is_ours(holder[2]):
                place, attribute, function = holder
                others = (layer for layer in _layers(function) if layer[1] != self._module)
                setattr(place, attribute, _wrapped(function, tuple(others)))
        for base, own, hook in self._hooked:
            if base.__dict__.get("__init_subclass__") is not hook:
                continue
            if own is None:
                type.__delattr__(base, "__init_subclass__")
            else:
                type.__setattr__(base, "__init_subclass__", own)
        self._patched.clear()
        self._hooked.clear()


def _holder(owner: Any, name: str) -> tuple[Any, str, Any] | None:
    """Return where the function *name* of *owner* is kept: object, attribute, function."""
    value = owner.__dict__.get(name)
    if isinstance(value, FunctionType):
        return owner, name, value
    if isinstance(owner, ModuleType) and isinstance(value, (BuiltinFunctionType, _Unbound)):
        builtin = _Builtin(owner, name)
        return builtin, "function", builtin.function
    if isinstance(value, classmethod) and isinstance(value.__func__, FunctionType):
        return _ClassMethod(owner, name), "function", value.__func__
    # scikit-learn's conditional methods: what `hasattr` answers is decided by the descriptor, so
    # the descriptor stays and only its function is wrapped.
    function = getattr(value, "fn", None)
    if hasattr(value, "check") and isinstance(function, FunctionType):
        return value, "fn", function
    return None


class _Unbound:
    """A wrapper around a builtin: like that, it does not become a method where a class body holds it."""

    def __init__(self, function: _Function) -> None:
        update_wrapper(self, function)
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __reduce__(self) -> str:
        name: str = self.function.__name__
        return name  # by reference, as functions are pickled


class _Builtin:
    """The builtin function *name* of the module *owner*, as what holds it."""

    def __init__(self, owner: ModuleType, name: str) -> None:
        self._owner = owner
        self._name = name

    @property
    def function(self) -> _Function:
        value = self._owner.__dict__[self._name]
        function: _Function = value.function if isinstance(value, _Unbound) else value
        return function

    @function.setter
    def function(self, function: _Function) -> None:
        is_wrapper = isinstance(function, FunctionType)
        setattr(self._owner, self._name, _Unbound(function) if is_wrapper else function)


class _ClassMethod:
    """The class method *name* of *owner*, as what holds its function."""

    def __init__(self, owner: Any, name: str) -> None:
        self._owner = owner
        self._name = name

    @property
    def function(self) -> _Function:
        function: _Function = self._owner.__dict__[self._name].__func__
        return function

    @function.setter
    def function(self, function: _Function) -> None:
        setattr(self._owner, self._name, classmethod(function))
