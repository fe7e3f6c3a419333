"""Where the scenarios are: a folder each, found by what is in it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from conventions.scenarios.telemetry import Telemetry

__all__ = ["FOLDER", "names", "run_of"]

FOLDER: Final = Path(__file__).parent


def names() -> list[str]:
    """Return the names of all scenarios: of the folders that hold a `scenario.py`."""
    return sorted(path.parent.name for path in FOLDER.glob("*/scenario.py"))


def run_of(name: str) -> Callable[[Telemetry], None]:
    """
    Return the `run` of the scenario *name*.

    Raises:
        ModuleNotFoundError: If the framework that it is about is not installed; its `name` says which.
    """
    module: Any = import_module(f"conventions.scenarios.{name}.scenario")
    run: Callable[[Telemetry], None] = module.run
    return run
