"""Write the reference pages that come from the code: `python docs/generate.py [write | check]`."""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from otel_ml.settings import Settings, options
from otel_ml_processor import config, profile
from otel_ml_processor.profile_file import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

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

| name | installed as | from version | calls that become inferences | calls that become spans of loading |
|---|---|---|---|---|
"""
INTRODUCTION = """\
# Configuration of the processor

`otel-ml processor --config FILE` reads YAML. Every key is optional but those that are required where their section is written; an unknown one is
an error. This page is written from the code by `make generate`.

{units}
"""
PROFILE_INTRODUCTION = """\
# The profile file

What a model's inputs and outputs looked like when it was right, as counts: `otel-ml profile build` writes it, the processor and the
[validation of inputs](../how-to/validate-inputs.md) read it. It is JSON in UTF-8, in a file `.json` or gzipped in a file `.json.gz`; at most 3 kB per
feature, at most {limit} MiB in all. A field that has its default is not written; one that is not known is an error. `format` changes when a reader of
before would misunderstand a file; a field more does not change it. How to make one: [build a profile](../how-to/build-a-profile.md). This
page is written from the code by `make generate`.

```json
{{"format": "otel-ml-profile/1", "model": "fraud", "version": "3", "created": "2026-01-31T09:00:00+00:00",
 "source": {{"kind": "Parquet", "uri": "train.parquet", "rows": 6}},
 "features": [{{"name": "amount", "type": "numeric", "edges": [12.5, 40.0], "counts": [1, 2, 3], "min": 1.0, "max": 99.0}},
              {{"name": "city", "type": "categorical", "categories": ["Oslo", "Bergen"], "counts": [3, 2, 1], "other_known": ["Moss"]}}],
 "id": "sha256:..."}}
```

"""
SETTINGS_INTRODUCTION = """\
# Settings of the instrumentation

Every option has one name, in code and in the declarative file, and in capitals in an environment variable. Where to set them, and which comes
first: [configure the instrumentation](../how-to/configure-the-instrumentation.md). This page is written from the code by `make generate`.

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
    if room is config.ModelConfig:
        return  # its rooms are those that have been told
    for field in msgspec.structs.fields(room):
        inner = config.room_in(field.type)
        if inner is not None:
            many = "[]" if isinstance(field.default, tuple) else ""
            _visit(f"{path}.{field.name}{many}".lstrip("."), inner, found)


def told(room: Any) -> dict[str, str]:
    """Return the text under each field of *room*, in one line; also of those that it inherits."""
    is_ours = issubclass(room.__base__, config.Room | profile.Part)
    texts: dict[str, str] = told(room.__base__) if is_ours else {}
    body = ast.parse(inspect.getsource(room)).body[0].body  # type: ignore[attr-defined] # a class has a body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(following, ast.Expr):
            texts[statement.target.id] = " ".join(following.value.value.split())  # type: ignore[union-attr, attr-defined] # a name and a text
    return texts


def written(value: Any) -> str:
    """Return a default as one would write it in YAML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _default(field: Any) -> str:
    """Return in words what holds where *field* of a struct is not said."""
    if field.default is msgspec.NODEFAULT:
        return "required" if field.required else "empty"
    return _in_words(field.default)


def _room_default(field: Any) -> str:
    is_room = config.room_in(field.type) is not None and field.default is not None
    return "see there" if is_room else _default(field)


def section(path: str, room: Any) -> str:
    """Return the table of one struct."""
    texts = told(room)
    rows = [
        f"| `{field.name}` | {_room_default(field)} | {takes(field.type)} | {texts.get(field.name, '')} |"
        for field in msgspec.structs.fields(room)
    ]
    title = f"`{path}`" if path else "Top level"
    about = " ".join((room.__doc__ or "").split())
    return "\n".join(
        [
            f"## {title}",
            "",
            about,
            "",
            "| key | default | takes | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


_WORDS: dict[Any, str] = {
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    str: "text",
    config.Duration: "duration",
    config.Size: "size",
    config.Secret: "text, never shown",
}


def takes(kind: Any) -> str:
    """Return which values an option of that type takes, with their range."""
    if kind in _WORDS:
        return _WORDS[kind]
    parts = get_args(kind)
    of_origin: dict[Any, Callable[[], str]] = {
        Annotated: lambda: " ".join([takes(parts[0]), *map(_range, parts[1:])]),
        Literal: lambda: ", ".join(f"`{choice}`" for choice in parts),
        tuple: lambda: f"list of: {takes(parts[0])}",
        list: lambda: f"list of: {takes(parts[0])}",
        dict: lambda: f"names, each with: {takes(parts[1])}",
    }
    if get_origin(kind) in of_origin:
        return of_origin[get_origin(kind)]()
    if config.room_in(kind) is kind:
        return "mapping" if issubclass(kind, config.Room) else f"`{kind.__name__}`"
    others = [part for part in parts if part is not type(None)]
    nothing = ["`null`"] if len(others) < len(parts) else []
    return " or ".join([*map(takes, others), *nothing])


def _range(meta: Meta) -> str:
    """Return what is said of a value besides its type: where it lies, or how many there are."""
    bounds = (
        ("> ", meta.gt),
        (">= ", meta.ge),
        ("< ", meta.lt),
        ("<= ", meta.le),
        ("with at least ", meta.min_length),
        ("with at most ", meta.max_length),
    )
    return " and ".join(f"{word}{bound}" for word, bound in bounds if bound is not None)


def profile_page() -> str:
    """Return the page of the fields of a profile, part by part."""
    parts: dict[Any, None] = {profile.Profile: None}
    for part in list(parts):
        _add_parts(part, parts)
    tables = [_part_section(part) for part in parts]
    limit = MAX_PROFILE_BYTES >> 20
    return "\n".join([PROFILE_INTRODUCTION.format(limit=limit), *tables])


def _add_parts(part: Any, parts: dict[Any, None]) -> None:
    for field in msgspec.structs.fields(part):
        inner = config.room_in(field.type)
        if inner is not None and inner not in parts:
            parts[inner] = None
            _add_parts(inner, parts)


def _part_section(part: Any) -> str:
    texts = told(part)
    about = "\n".join(line.strip() for line in (part.__doc__ or "").strip().splitlines())
    rows = [
        f"| `{field.name}` | {takes(field.type)} | {_default(field)} | {texts.get(field.name, '')} |"
        for field in msgspec.structs.fields(part)
    ]
    heading = ["| field | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## `{part.__name__}`", "", about, "", *heading, *rows, ""])


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
    return "none" if value in (None, "", ()) else f"`{written(value)}`"


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
        f"| `{name}` | {_one_of(found.distributions)} | {found.oldest} | {found.calls} | {found.loads} |\n"
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
        FOLDER / "profile.md": profile_page(),
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
