"""What happens when a module is imported that we wait for."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest

from otel_ml.instrumentors._imports import ImportHooks


@pytest.fixture
def hooks() -> Iterator[ImportHooks]:
    """Return hooks, and take them away in the end."""
    hooks = ImportHooks()
    yield hooks
    if hooks in sys.meta_path:
        sys.meta_path.remove(hooks)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a package `awaited` with a module `inner`, not yet imported."""
    folder = tmp_path / "awaited"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "inner.py").write_text("VALUE = 1\n\n\ndef function():\n    return VALUE\n")
    (folder / "faulty.py").write_text("raise RuntimeError('of its own')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in list(sys.modules) if name.partition(".")[0] == "awaited"]:
        del sys.modules[name]


@pytest.mark.usefixtures("package")
def test_the_hook_runs_once_after_the_modules_code(hooks: ImportHooks) -> None:
    """It sees the finished module, and a second import does not call it again."""
    seen: list[int] = []
    hooks.when_imported("awaited.inner", lambda module: seen.append(module.VALUE))
    assert seen == []
    module = importlib.import_module("awaited.inner")
    importlib.reload(module)
    assert seen == [1]


@pytest.mark.usefixtures("package")
def test_a_module_that_is_there_already_is_told_at_once(hooks: ImportHooks) -> None:
    """Whether instrumentation comes first or the import does makes no difference."""
    module = importlib.import_module("awaited.inner")
    seen: list[ModuleType] = []
    hooks.when_imported("awaited.inner", seen.append)
    assert seen == [module]


@pytest.mark.usefixtures("package")
def test_a_module_that_was_reloaded_is_there(hooks: ImportHooks) -> None:
    """In a notebook, say: nothing says of it any more whether its code runs."""
    module = importlib.reload(importlib.import_module("awaited.inner"))
    seen: list[ModuleType] = []
    hooks.when_imported("awaited.inner", seen.append)
    assert seen == [module]


_SLOW = """\
import queue
RUNS, GO_ON = queue.Queue(), queue.Queue()
def begin(): RUNS.put(True); return GO_ON.get()
if begin() == "fail": raise RuntimeError("of its own")
VALUE = 1
"""


@contextmanager
def importing(package: Path, ends: str) -> Iterator[Thread]:
    """Have a thread that is in the middle of the code of `awaited.slow`, and lets it end as *ends* says."""
    (package / "slow.py").write_text(_SLOW)

    def load() -> None:
        with suppress(RuntimeError):
            importlib.import_module("awaited.slow")

    thread = Thread(target=load)
    thread.start()
    while not hasattr(sys.modules.get("awaited.slow"), "begin"):
        pass
    slow = sys.modules["awaited.slow"]
    slow.RUNS.get()
    yield thread
    slow.GO_ON.put(ends)
    thread.join()


@pytest.mark.parametrize("asking", [1, 2])
def test_a_module_whose_code_runs_in_another_thread_is_told_when_it_ends(
    hooks: ImportHooks, package: Path, asking: int
) -> None:
    """A service that loads its model in the background is observed, whenever instrumentation comes."""
    seen: list[int] = []
    with importing(package, "well"):
        for _ in range(asking):
            hooks.when_imported("awaited.slow", lambda module: seen.append(module.VALUE))
        assert seen == []
    assert seen == [1] * asking
    assert type(sys.modules["awaited.slow"].__spec__) is ModuleSpec


def test_a_module_whose_code_fails_in_another_thread_is_awaited_further(
    hooks: ImportHooks, package: Path
) -> None:
    """The hook is called by the import that succeeds."""
    seen: list[int] = []
    with importing(package, "fail"):
        hooks.when_imported("awaited.slow", lambda module: seen.append(module.VALUE))
    assert seen == []
    (package / "slow.py").write_text("VALUE = 2  # other code\n")
    importlib.invalidate_caches()
    importlib.import_module("awaited.slow")
    assert seen == [2]


def test_a_hook_that_is_forgotten_while_the_code_runs_is_not_called(
    hooks: ImportHooks, package: Path
) -> None:
    """Who stops observing in the middle of an import is not observed after it."""
    seen: list[ModuleType] = []
    with importing(package, "well"):
        hooks.when_imported("awaited.slow", seen.append)
        hooks.forget(seen.append)
    assert seen == []


@pytest.mark.usefixtures("package")
def test_the_module_is_what_it_would_be_without_us(hooks: ImportHooks) -> None:
    """Its loader, its spec and its source are those of an ordinary import."""
    hooks.when_imported("awaited.inner", lambda module: None)
    module = importlib.import_module("awaited.inner")
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert "exec_module" not in vars(module.__loader__)
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__
    assert "def function" in inspect.getsource(module.function)


@pytest.mark.usefixtures("package")
def test_a_module_that_fails_fails_as_before(hooks: ImportHooks) -> None:
    """The exception is its own, the hook is not called, and the module may be imported again."""
    seen: list[ModuleType] = []
    hooks.when_imported("awaited.faulty", seen.append)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="of its own"):
            importlib.import_module("awaited.faulty")
    assert seen == []


def test_a_module_that_does_not_exist_is_still_not_found(hooks: ImportHooks) -> None:
    """Waiting for a name does not make it exist."""
    hooks.when_imported("no_such_module_anywhere", lambda module: None)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        importlib.import_module("no_such_module_anywhere")


class Unchangeable:
    """A loader that takes no attribute, as compiled ones do not."""

    __slots__ = ()

    def create_module(self, _spec: ModuleSpec) -> None:
        """Leave it to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module a value."""
        module.__dict__["VALUE"] = 1


class Shared:
    """A class that is a loader itself, as Python's own of frozen modules."""

    @staticmethod
    def create_module(_spec: ModuleSpec) -> None:
        """Leave it to Python."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Give the module a value."""
        module.__dict__["VALUE"] = 1


class Legacy:
    """A finder of before there were specs, as older programs bring along."""

    def find_module(self, _name: str, _path: object = None) -> None:
        """Find nothing."""


class Finder:
    """Finds `odd` and `even`, which one loader loads."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def find_spec(self, name: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """Return a spec of one of the two."""
        return ModuleSpec(name, self._loader) if name in {"odd", "even"} else None


@pytest.mark.parametrize("loader", [Unchangeable(), Shared])
def test_a_loader_that_cannot_be_changed_is_not(
    hooks: ImportHooks, monkeypatch: pytest.MonkeyPatch, loader: Any
) -> None:
    """The module comes as it would without us, is told of, and so comes the next one of the same loader."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder(loader)])
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    monkeypatch.delitem(sys.modules, "even", raising=False)
    told: list[str] = []
    hooks.when_imported("odd", lambda module: told.append(module.__name__))
    modules = [importlib.import_module(name) for name in ("odd", "even")]
    assert [module.VALUE for module in modules] == [1, 1]
    assert [module.__loader__ for module in modules] == [loader, loader]
    assert told == ["odd"]


def test_the_module_of_another_name_is_not_taken_for_the_awaited_one(
    hooks: ImportHooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive has one loader for all its modules, and who looks for one may import another first."""

    class Archive(Shared):
        pass

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder(Archive())])
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    monkeypatch.delitem(sys.modules, "even", raising=False)
    told: list[str] = []
    hooks.when_imported("odd", lambda module: told.append(module.__name__))
    assert importlib.util.find_spec("odd") is not None
    importlib.import_module("even")
    assert told == []
    importlib.import_module("odd")
    assert told == ["odd"]


@pytest.mark.filterwarnings("ignore:Legacy.find_spec:ImportWarning")
def test_a_finder_of_the_old_kind_is_passed_by(
    hooks: ImportHooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not there is not found, as a program expects that tries whether it is."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Legacy()])
    hooks.when_imported("no_such_module", lambda _: None)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_module")


@pytest.mark.usefixtures("package")
def test_several_wait_for_one_module_and_each_is_told(hooks: ImportHooks) -> None:
    """In the order in which they asked; one that is forgotten is not."""
    seen: list[str] = []

    def third(_module: ModuleType) -> None:
        seen.append("third")

    hooks.when_imported("awaited.inner", lambda module: seen.append(f"first {module.VALUE}"))
    hooks.when_imported("awaited.inner", third)
    hooks.when_imported("awaited.inner", lambda module: seen.append(f"last {module.VALUE}"))
    hooks.forget(third)
    importlib.import_module("awaited.inner")
    assert seen == ["first 1", "last 1"]


@pytest.mark.usefixtures("package")
def test_forgotten_hooks_leave_no_trace(hooks: ImportHooks) -> None:
    """The import system is as it was, and nothing is called any more."""
    before = list(sys.meta_path)
    seen: list[ModuleType] = []
    hooks.when_imported("awaited.inner", seen.append)
    assert sys.meta_path != before
    hooks.forget(seen.append)
    importlib.import_module("awaited.inner")
    assert sys.meta_path == before
    assert seen == []


@pytest.mark.usefixtures("package")
def test_what_comes_before_an_import_comes_before_its_code(hooks: ImportHooks) -> None:
    """Once, with the module not there yet; and what it asks to be told of the same module it is told."""
    seen: list[object] = []

    def prepare() -> None:
        seen.append("awaited.inner" in sys.modules)
        hooks.when_imported("awaited.inner", lambda module: seen.append(module.VALUE))

    hooks.before_import("awaited.inner", prepare)
    importlib.import_module("awaited")
    assert seen == []
    importlib.import_module("awaited.inner")
    importlib.reload(sys.modules["awaited.inner"])
    assert seen == [False, 1]


@pytest.mark.usefixtures("package")
def test_what_comes_before_an_import_comes_at_once_if_that_is_over(hooks: ImportHooks) -> None:
    """There is nothing left to wait for, and nothing is awaited afterwards."""
    importlib.import_module("awaited.inner")
    before, seen = list(sys.meta_path), []
    hooks.before_import("awaited.inner", lambda: seen.append("told"))
    assert (seen, sys.meta_path) == (["told"], before)


@pytest.mark.usefixtures("package")
def test_who_announces_an_import_is_the_first_and_only_one_to_do_so(hooks: ImportHooks) -> None:
    """What was announced is not announced again when the import comes; what is forgotten never is."""
    seen: list[str] = []

    def forgotten() -> None:
        seen.append("forgotten")

    hooks.before_import("awaited.inner", lambda: seen.append("told"))
    hooks.before_import("awaited.inner", forgotten)
    hooks.forget(forgotten)
    hooks.announce("awaited.inner")
    importlib.import_module("awaited.inner")
    assert seen == ["told"]
