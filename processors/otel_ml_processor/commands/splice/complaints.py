"""Which line of the operator's files a collector complains of; it names parts and keys, never lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_processor.commands.splice.layers import Place, Setting

__all__ = ["place_of"]

_WORD: Final = re.compile(r"[^\s\"',:()\[\]]+")


def place_of(complaint: str, root: Setting) -> Place | None:
    """
    Return the place of what *complaint* is about in the merged files *root*; None where it names nothing that is there.

    That is a key deep within a part, if it names both, else the part, else a part's place in a pipeline.
    """
    named = set(_WORD.findall(complaint.partition("(valid values")[0]))
    found = [(path, place) for path, place in _keys(root, ()) if path[-1] in named]
    if not found:
        return None
    return max(found, key=lambda one: (len(named.intersection(one[0])), -len(one[0])))[1]


def _keys(setting: Setting, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Place]]:
    """Give each key below *setting* with those above it."""
    value = setting.value
    if value is None or isinstance(value, (str, tuple)):
        return
    for key, inner in value.items():
        yield (*path, key), inner.place
        yield from _keys(inner, (*path, key))
