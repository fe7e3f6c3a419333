"""Something to do when a module has been imported; nothing here imports it."""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final, TypeVar

__all__ = ["ImportHooks", "imports"]

_Hook = Callable[[ModuleType], None]
_Awaiting = TypeVar("_Awaiting")


class ImportHooks(MetaPathFinder):
    """
    Calls each hook once for the module it awaits, right before or right after that module's code runs.

    It finds modules as the other finders do. Until the code of an awaited one runs we stand in front
    of its loader, which is not changed: others may share it. A hook must not raise.
    """

    def __init__(self) -> None:
        self._hooks: dict[str, list[_Hook]] = {}
        self._before: dict[str, list[Callable[[], None]]] = {}
        self._watched = _watched(self._end)
        self.restart()

    def restart(self) -> None:
        """Wait for nobody in a process that was forked off: who announces an import is still with its parent."""
        self._announcing = threading.RLock()

    def before_import(self, name: str, hook: Callable[[], None]) -> None:
        """Call *hook* before the code of module *name* runs: at once if it is there already."""
        if name in sys.modules:
            hook()
            return
        self._before.setdefault(name, []).append(hook)
        self._begin()

    def announce(self, name: str) -> None:
        """Call now, once, what is to be called before module *name* is imported."""
        with self._announcing:  # so that nobody goes on before it is done
            for hook in self._before.pop(name, ()):
                hook()

    def when_imported(self, name: str, hook: _Hook) -> None:
        """Call *hook* with the module *name*: at once if it is there already, all of it."""
        module = sys.modules.get(name)
        spec: Any = getattr(module, "__spec__", None)
        # There is no public place; of a module that was reloaded, or that no import has loaded, it says nothing.
        is_under_way = type(spec) in {ModuleSpec, self._watched} and getattr(
            spec, "_initializing", False
        )
        if module is not None and not is_under_way:
            hook(module)
            return
        self._hooks.setdefault(name, []).append(hook)
        self._begin()
        if is_under_way:
            self._watch(spec)

    def _watch(self, spec: Any) -> None:
        """Tell of the module of *spec*, whose code runs in another thread or called us, when that has ended."""
        spec.__class__ = self._watched
        if not spec._initializing:  # noqa: SLF001 - as above; it has ended meanwhile
            self._end(spec)

    def _end(self, spec: Any) -> None:
        spec.__class__ = ModuleSpec
        module = sys.modules.get(spec.name)
        if module is not None:  # its code has not failed
            for hook in self._hooks.pop(spec.name, ()):
                hook(module)

    def _begin(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def forget(self, hook: _Hook | Callable[[], None]) -> None:
        """Do not call *hook* any more; where no hook awaits a module, no import passes here."""
        self._hooks = _without(hook, self._hooks)
        self._before = _without(hook, self._before)
        if not self._hooks and not self._before and self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that another finder has for an awaited module, with the hook attached."""
        if fullname in self._before:
            self.announce(fullname)
        if fullname not in self._hooks:
            return None
        for finder in sys.meta_path:
            # Finders of before Python 3.4 have no such method: whoever still asks them does so himself.
            find_spec = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = (
                None if find_spec is None else find_spec(fullname, path, target)
            )
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _InFront(spec.loader, self._tell)
                return spec
        return None

    def _tell(self, module: ModuleType) -> None:
        for hook in self._hooks.pop(module.__name__, ()):
            hook(module)


def _watched(end: Callable[[ModuleSpec], None]) -> type[ModuleSpec]:
    """Return what a spec is while the code of its module runs: *end* is called with it when Python says that this is over."""

    class Watched(ModuleSpec):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "_initializing" and not value:
                end(self)

    return Watched


class _InFront(Loader):
    """A *loader* until it runs the code of its module, and *tell*, which is called with that afterwards."""

    def __init__(self, loader: Any, tell: _Hook) -> None:
        self._loader = loader
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return what the loader makes."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run the code of *module*, which from now on has its own loader, and tell of it."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._tell(module)


def _without(hook: object, awaited: dict[str, list[_Awaiting]]) -> dict[str, list[_Awaiting]]:
    kept = {name: [each for each in hooks if each != hook] for name, hooks in awaited.items()}
    return {name: hooks for name, hooks in kept.items() if hooks}


# One for all frameworks: several may await the same module.
imports: Final = ImportHooks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=imports.restart)
