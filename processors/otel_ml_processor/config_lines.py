"""What a YAML file says, where in it an option stands, and where it stops being YAML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["document_of", "line_of", "not_yaml"]

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_COLUMNS: Final = "keys that belong together start in the same column, and a text with `: ` in it stands in quotes"
_WRITTEN: Final = (
    ("'\\t'", "indent with spaces"),
    ("mapping values are not allowed", _COLUMNS),
    ("expected <block end>", _COLUMNS),
    (
        "could not find expected ':'",
        "a key is followed by `: `, and what belongs to it is indented",
    ),
    (
        "expected ',' or",
        "close the bracket that is opened in this line; ${env:NAME} within brackets stands in quotes",
    ),
    ("there twice", "write what belongs to it under one of them"),
    ("undefined alias", "name it above, in this file, with `&` for the `*`"),
)
"""Words of the reader, and what to write; the first that is in its complaint."""


def document_of(text: bytes) -> object:
    """
    Return what *text* says.

    Raises:
        yaml.YAMLError: If it is no YAML, or a mapping has a key twice: the first one would say nothing.
        ValueError: If something in it looks like a date and is none.
        RecursionError: If its brackets are nested too deeply.
    """
    return yaml.load(text, Loader=_KeysOnce)  # noqa: S506 - it is a safe loader


class _KeysOnce(yaml.SafeLoader):
    """Reads mappings that have each key once."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                problem = f"'{key.value}' is there twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return node


def line_of(text: bytes, place: str, key: str = "") -> int | None:
    """
    Return the line, from 1, of what is said at *place*, a path such as `$.windows[0].length`, and of its *key* where one is named.

    Of what is not said it is the line of the part around it; None where there is no such part, or the text is no YAML.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    steps = [name or int(number) for name, number in _STEP.findall(place)]
    line: int | None = None
    for step in [*steps, *([key] if key else [])]:
        found = _within(node, step)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _within(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return what names a part of *node*, and the part itself; None where there is none."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, part) for key, part in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def not_yaml(path: Path, error: Exception) -> ConfigError:
    """Return what is said of *error*, met while *path* was read: file, line, reason and, for the common mistakes, the way to write it."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return ConfigError(f"{path}: expected YAML: {str(error).partition(chr(10))[0]}")
    problem = error.problem or error.context or ""
    written = next((f"; {way}" for words, way in _WRITTEN if words in problem), "")
    # A bracket that is never closed is missed at the end of the file; the line to mend is the one that opens it.
    is_open = problem.startswith("expected ',' or") and error.context_mark is not None
    mark = error.context_mark if is_open and error.context_mark else error.problem_mark
    return ConfigError(f"{path}:{mark.line + 1}: expected YAML: {problem}{written}")
