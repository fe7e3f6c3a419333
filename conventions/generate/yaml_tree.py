"""One YAML file as a tree that can be walked to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from conventions.generate.findings import Finding, Place, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_BYTES = 1_000_000
_MAX_NODES = 100_000
_MAX_DEPTH = 20
_UNSEEN = "there are characters that cannot be seen; remove them"


class _UnreadableError(Exception):
    def __init__(self, rule: Rule, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.rule = rule
        self.line = line


def tree_of(file: str, content: bytes) -> tuple[yaml.Node | None, list[Finding]]:
    """
    Give the tree of a file, and what is wrong with it as YAML.

    A node that aliases repeat stands in the tree as often as they repeat it. A few lines of those can
    mean gigabytes, or themselves: such a file has no tree.

    Args:
        file: Its path in the repository, for the findings.
        content: Its bytes, as they were read.

    Returns:
        The root of the tree, None with one finding where there is none.
    """
    try:
        root = _composed(_decoded(content))
        return root, list(_findings(file, root))
    except _UnreadableError as error:
        return None, [Finding(Place(file, error.line), error.rule, str(error))]


def _decoded(content: bytes) -> str:
    if len(content) > _MAX_BYTES:
        message = f"{len(content)} bytes, expected at most {_MAX_BYTES}; split the file by topic"
        raise _UnreadableError(Rule.YAML, message)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _UnreadableError(Rule.YAML, "not UTF-8; save the file as UTF-8", line) from None


def _composed(text: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _UnreadableError(Rule.TEXT, _UNSEEN, line) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _UnreadableError(Rule.YAML, error.problem or str(error), line) from None
    except RecursionError:
        raise _UnreadableError(Rule.YAML, f"nested more than {_MAX_DEPTH} deep") from None
    if root is None:
        raise _UnreadableError(Rule.YAML, "the file is empty")
    return root


def _findings(file: str, root: yaml.Node) -> Iterator[Finding]:
    for count, node in enumerate(_nodes(root)):
        if count == _MAX_NODES:
            message = f"unfolds to more than {_MAX_NODES} values; write fewer aliases"
            raise _UnreadableError(Rule.YAML, message, _line(node))
        if isinstance(node, yaml.MappingNode):
            for key in _repeated_keys(node):
                message = f"{key.value!r} is given twice; keep one"
                yield Finding(Place(file, _line(key)), Rule.DUPLICATE_FIELD, message)
        elif isinstance(node, yaml.ScalarNode) and not "".join(node.value.split()).isprintable():
            yield Finding(Place(file, _line(node)), Rule.TEXT, _UNSEEN)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _nodes(node: yaml.Node, depth: int = 0) -> Iterator[yaml.Node]:
    if depth > _MAX_DEPTH:
        message = f"nested more than {_MAX_DEPTH} deep, or an alias of what it stands in"
        raise _UnreadableError(Rule.YAML, message, _line(node))
    yield node
    if not isinstance(node, yaml.ScalarNode):
        for child in node.value:
            # A sequence holds nodes, a mapping pairs of them.
            for each in child if isinstance(child, tuple) else (child,):
                yield from _nodes(each, depth + 1)


def _repeated_keys(node: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                yield key
            seen.add(key.value)
