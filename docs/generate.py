"""Write the reference pages that come from the code: `python docs/generate.py [write | check]`."""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
from pathlib import Path
from typing import Any

import msgspec

from otel_ml_processor import config

FOLDER = Path(__file__).parent / "reference"
INTRODUCTION = """\
# Configuration of the processor

`otel-ml processor --config FILE` reads YAML; every key is optional, an unknown one is an error. This page is written from the code by
`make generate`.

{units}
"""


def rooms() -> list[tuple[str, Any]]:
    """Return every struct of the configuration with the path of its key, the root first."""
    found: list[tuple[str, Any]] = []
    _visit("", config.Config, found)
    return found


def _visit(path: str, room: Any, found: list[tuple[str, Any]]) -> None:
    found.append((path, room))
    for field in msgspec.structs.fields(room):
        inner = config.room_in(field.type)
        if inner is not None:
            many = "[]" if isinstance(field.default, tuple) else ""
            _visit(f"{path}.{field.name}{many}".lstrip("."), inner, found)


def told(room: Any) -> dict[str, str]:
    """Return the text under each field of *room*, in one line; also of those that it inherits."""
    texts: dict[str, str] = told(room.__base__) if issubclass(room.__base__, config.Room) else {}
    body = ast.parse(inspect.getsource(room)).body[0].body  # type: ignore[attr-defined] # a class has a body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(following, ast.Expr):
            texts[statement.target.id] = " ".join(following.value.value.split())  # type: ignore[union-attr, attr-defined] # a name and a text
    return texts


def written(value: Any) -> str:
    """Return a default as one would write it in YAML."""
    if value is None:
        return "none"
    return str(value) if not isinstance(value, tuple) else f"[{', '.join(map(written, value))}]"


def _default(field: Any) -> str:
    if field.default is msgspec.NODEFAULT:
        return "required"
    if config.room_in(field.type) is not None:
        return "see there" if field.default is not None else "none"
    return f"`{written(field.default)}`"


def section(path: str, room: Any) -> str:
    """Return the table of one struct."""
    texts = told(room)
    rows = [
        f"| `{field.name}` | {_default(field)} | {texts.get(field.name, '')} |"
        for field in msgspec.structs.fields(room)
    ]
    title = f"`{path}`" if path else "Top level"
    about = " ".join((room.__doc__ or "").split())
    return "\n".join(
        [f"## {title}", "", about, "", "| key | default | meaning |", "|---|---|---|", *rows, ""]
    )


def configuration_page() -> str:
    """Return the page of all options."""
    units = " ".join((config.__doc__ or "").split("\n\n", 1)[1].split())
    tables = [section(path, room) for path, room in rooms()]
    return "\n".join([INTRODUCTION.format(units=units), *tables])


def pages() -> dict[Path, str]:
    """Return every generated page by its place."""
    return {FOLDER / "configuration.md": configuration_page()}


def main() -> int:
    """Write the pages, or say which are stale and return 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["write", "check"], nargs="?", default="write")
    if parser.parse_args().action == "write":
        for path, text in pages().items():
            path.write_text(text)
        return 0
    stale = [
        path for path, text in pages().items() if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        print(f"{path}: stale; run `make generate`")  # noqa: T201 - what the command is for
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
