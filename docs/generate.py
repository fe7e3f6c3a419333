"""Write the reference pages that come from the code: `python docs/generate.py [write | check]`."""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from otel_ml.settings import Settings, options
from otel_ml_processor import config

if TYPE_CHECKING:
    from otel_ml.extension import SupportedFramework

FOLDER = Path(__file__).parent / "reference"
README = Path(__file__).parents[1] / "README.md"
TABLE_BEGINS = "<!-- frameworks: written by `make generate` -->"
TABLE_ENDS = "<!-- end of frameworks -->"
FRAMEWORKS_INTRODUCTION = """\
# Frameworks

What `otel_ml.instrument()` and `opentelemetry-instrument` observe. Of each call that is named here the outermost one is the inference,
over all frameworks together; a version that is older is left alone. `otel_ml.instrument(["sklearn"])` switches on one by its name,
`OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=ml_sklearn` switches one off. Another one is [added in one file](../how-to/add-a-framework.md), in a
distribution of its own too. This page is written from the code by `make generate`.

| name | installed as | from version | calls that become inferences |
|---|---|---|---|
"""
INTRODUCTION = """\
# Configuration of the processor

`otel-ml processor --config FILE` reads YAML; every key is optional, an unknown one is an error. This page is written from the code by
`make generate`.

{units}
"""
SETTINGS_INTRODUCTION = """\
# Settings of the instrumentation

Every option has one name: in code (`otel_ml.instrument(capture_content="span_only")`), in the declarative file (`capture_content: span_only`), and
in capitals in an environment variable. Option by option, code comes before the file, the file before the environment, the environment
before the default. How to set them: [configure the instrumentation](../how-to/configure-the-instrumentation.md). This page is written from
the code by `make generate`.

| option | default | takes | meaning |
|---|---|---|---|
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


def settings_page() -> str:
    """Return the page of what can be chosen about the instrumentation."""
    defaults = Settings()
    rows = []
    for name, option in options().items():
        variable = f"`{option.variable}`" if option.variable else "no variable"
        default = _in_words(getattr(defaults, name))
        rows.append(f"| `{name}`<br>{variable} | {default} | {option.takes} | {option.meaning} |\n")
    return SETTINGS_INTRODUCTION + "".join(rows)


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "none" if value in (None, ()) else f"`{value}`"


def frameworks() -> list[tuple[str, SupportedFramework]]:
    """Return what this project instruments, by the name that users switch it on with."""
    return sorted(
        (point.name.removeprefix("ml_"), point.load().framework)
        for point in entry_points(group="opentelemetry_instrumentor")
        if point.dist is not None and point.dist.name == "otel-ml"
    )


def frameworks_page() -> str:
    """Return the page of all frameworks."""
    rows = [
        f"| `{name}` | {_one_of(found.distributions)} | {found.oldest} | {found.calls} |\n"
        for name, found in frameworks()
    ]
    return FRAMEWORKS_INTRODUCTION + "".join(rows)


def readme() -> str:
    """Return the README with its table of frameworks, the rest as it stands."""
    text = README.read_text()
    head, begin, rest = text.partition(TABLE_BEGINS)
    _, end, tail = rest.partition(TABLE_ENDS)
    if not end:
        raise ValueError(f"{README}: expected {TABLE_BEGINS} and {TABLE_ENDS} around the table")
    rows = [
        f"| {found.distributions[0]} | {found.oldest} | {found.calls} |\n"
        for _, found in frameworks()
    ]
    table = "| framework | from | calls that become inferences |\n|---|---|---|\n" + "".join(rows)
    return f"{head}{begin}\n{table}{end}{tail}"


def _one_of(distributions: tuple[str, ...]) -> str:
    return " or ".join(f"`{distribution}`" for distribution in distributions)


def pages() -> dict[Path, str]:
    """Return every generated page by its place."""
    return {
        README: readme(),
        FOLDER / "frameworks.md": frameworks_page(),
        FOLDER / "configuration.md": configuration_page(),
        FOLDER / "instrumentation-settings.md": settings_page(),
    }


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
