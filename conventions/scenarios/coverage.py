"""Which names of the registry the scenarios emit, and which are awaited, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import yaml

from conventions.scenarios.expectation import ExpectationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["emitted_names", "read_awaited", "registered_names"]

_KINDS: Final = {
    "attributes": "attribute",
    "spans": "span",
    "metrics": "metric",
    "events": "event",
    "entities": "entity",
}


def registered_names(registry: Mapping[str, Any]) -> set[str]:
    """Return every name of *registry* (the content of `registry.json`) that is ours, as `kind name`."""
    return {
        f"{kind} {name}"
        for section, kind in _KINDS.items()
        for name, said in registry[section].items()
        if not said.get("upstream")
    }


def emitted_names(
    registry: Mapping[str, Any], signals: Iterable[tuple[str, frozenset[str]]]
) -> set[str]:
    """
    Return the names that *signals* use, as `kind name`.

    Each of them is a signal (`span ml.inference`) and the attributes found on it. An entity is emitted where all its identity is on a
    resource.
    """
    emitted: set[str] = set()
    for signal, attributes in signals:
        emitted |= {f"attribute {name}" for name in attributes}
        if signal != "resource":
            emitted.add(signal)
        else:
            emitted |= set(_entities(registry, attributes))
    return emitted


def _entities(registry: Mapping[str, Any], attributes: frozenset[str]) -> Iterator[str]:
    for name, entity in registry["entities"].items():
        if set(entity["identity"]) <= attributes:
            yield f"entity {name}"


def read_awaited(path: Path) -> dict[str, str]:
    """
    Return the awaited names (`kind name`) of *path* with the reason of each.

    Raises:
        ExpectationError: If a group has no reason or no names, or a name stands there twice.
    """
    awaited: dict[str, str] = {}
    for index, group in enumerate(yaml.safe_load(path.read_text())):
        place = f"{path}: [{index}]"
        is_group = isinstance(group, Mapping) and set(group) == {"because", "names"}
        if not is_group or not group["because"] or not group["names"]:
            raise ExpectationError(f"{place}: expected `because` and `names`, found {group!r:.80}")
        for name in group["names"]:
            if name in awaited:
                raise ExpectationError(f"{place}: {name!r} stands here twice")
            awaited[name] = group["because"]
    return awaited
