"""A file that is no YAML: where it stops being one, why, and how it is written instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["not_yaml"]

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
    ("undefined alias", "name it above, in this file, with `&` for the `*`"),
)
"""Words of the reader, and what to write; the first that is in its complaint."""


def not_yaml(path: Path, error: yaml.YAMLError) -> ConfigError:
    """Return what is said of *error*, met while *path* was read: file, line, reason and, for the common mistakes, the way to write it."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return ConfigError(f"{path}: expected YAML: {' '.join(str(error).split())}")
    problem = error.problem or error.context or ""
    written = next((f"; {way}" for words, way in _WRITTEN if words in problem), "")
    # A bracket that is never closed is missed at the end of the file; the line to mend is the one that opens it.
    is_open = problem.startswith("expected ',' or") and error.context_mark is not None
    mark = error.context_mark if is_open and error.context_mark else error.problem_mark
    return ConfigError(f"{path}:{mark.line + 1}: expected YAML: {problem}{written}")
