"""What happens when a module is imported that we wait for."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

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
    for name in [name for name in sys.modules if name.partition(".")[0] == "awaited"]:
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
