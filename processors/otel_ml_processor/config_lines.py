"""Where in a file an option stands."""

from __future__ import annotations

import re

import yaml

__all__ = ["line_of"]

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


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
