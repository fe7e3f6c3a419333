"""The package of names can be imported by anything, because it imports nothing."""

from __future__ import annotations

import ast
import json
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import otel_ml_conventions
from tests.data.programs import run

PACKAGE = Path(otel_ml_conventions.__path__[0])
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

LOADED = """
import sys
before = set(sys.modules)
from otel_ml_conventions import {modules}
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}}))
"""


def test_importing_the_names_loads_nothing_but_the_standard_library() -> None:
    """No OpenTelemetry, no numpy, nothing that has to be installed."""
    program = LOADED.format(modules=", ".join(MODULES))

    done = run(program)

    loaded = set(done.stdout.split())
    assert "otel_ml_conventions" in loaded
    assert loaded - sys.stdlib_module_names == {"otel_ml_conventions"}


def test_importing_the_package_loads_none_of_its_modules() -> None:
    """Who needs one module pays for one module."""
    program = (
        "import sys, otel_ml_conventions; print(*(m for m in sys.modules if 'otel_ml_c' in m))"
    )

    done = run(program)

    assert done.stdout.split() == ["otel_ml_conventions"]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_others_only_for_its_types(module: str) -> None:
    """Outside `if TYPE_CHECKING:` there is no import that is not the standard library's."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))

    imported = {
        name.split(".")[0]
        for statement in tree.body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in (
            [statement.module or ""]
            if isinstance(statement, ast.ImportFrom)
            else [alias.name for alias in statement.names]
        )
    }

    assert imported <= sys.stdlib_module_names


def test_the_document_and_the_typing_mark_are_in_the_package() -> None:
    """`registry.json` is package data that can be read, and type checkers trust the annotations."""
    package = files("otel_ml_conventions")

    assert (
        "ml.model.name"
        in json.loads(package.joinpath("registry.json").read_text("utf-8"))["attributes"]
    )
    assert package.joinpath("py.typed").is_file()
