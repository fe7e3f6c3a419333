"""
Which names of the registry the scenarios emit, and which are awaited, with the reason.

A name is what can be emitted: a signal (`metric ml.drift.score`), an attribute on a signal (`attribute ml.feature.name on metric
ml.drift.score`), a value of an enumeration (`member ml.drift.state=steady`), an entity (`entity ml.model`). Those of a whole are
awaited with it: `attribute ml.feature.name` stands for that attribute on whatever it may be, a signal for itself and its attributes,
and an attribute that is awaited wherever it may be for its members.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import yaml

from conventions.scenarios.expectation import ExpectationError
from conventions.scenarios.observed import observe
from otel_ml_conventions.conformance import Registry
from otel_ml_conventions.otlp_messages import judge_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["awaited_names", "emitted_names", "read_awaited", "registered_names"]

_SIGNALS: Final = {"spans": "span", "metrics": "metric", "events": "event"}


def registered_names(registry: Mapping[str, Any]) -> set[str]:
    """Return every name of *registry* (the content of `registry.json`) that is to be emitted."""
    carried = _carried(registry)
    on_signals = {key for _, key in carried}
    own = {key for key, said in registry["attributes"].items() if not said.get("upstream")}
    return {
        *(signal for signal, _ in _signals(registry)),
        *(f"attribute {key} on {signal}" for signal, key in carried),
        *(f"attribute {key}" for key in own - on_signals),
        *(f"entity {name}" for name in registry["entities"]),
        *(f"member {key}={value}" for key, value in _members(registry)),
    }


def emitted_names(registry: Mapping[str, Any], requests: Iterable[Any]) -> set[str]:
    """
    Return the names that export *requests* use, an attribute also without the signal that it is on.

    An entity is emitted where all its identity is on a resource.
    """
    requests, judge = tuple(requests), Registry(registry)
    emitted = set(_values(registry, requests))
    for judged in (judged for request in requests for judged in judge_request(judge, request)):
        emitted |= {f"attribute {key}" for key in judged.attributes}
        if judged.signal == "resource":
            emitted |= set(_entities(registry, judged.attributes))
        else:
            emitted.add(judged.signal)
            emitted |= {f"attribute {key} on {judged.signal}" for key in judged.attributes}
    return emitted


def awaited_names(registry: Mapping[str, Any], said: Iterable[str]) -> set[str]:
    """Return the names of *registry* that are awaited where *said* are: those, and what they stand for."""
    awaited = set(said)
    carried = _carried(registry)
    pairs = {
        (signal, key)
        for signal, key in carried
        if awaited & {signal, f"attribute {key}", f"attribute {key} on {signal}"}
    }
    not_whole = {key for _, key in set(carried) - pairs}
    awaited |= {f"attribute {key} on {signal}" for signal, key in pairs}
    awaited |= {
        f"member {key}={value}" for key, value in _members(registry) if key not in not_whole
    }
    return awaited


def read_awaited(path: Path) -> dict[str, str]:
    """
    Return the names that *path* says to await here, with the reason of each.

    A group `without` a module is awaited only where that module is not installed: where it is, a
    scenario must emit those names.

    Raises:
        ExpectationError: If a group has no reason or no names, or a name stands there twice.
    """
    awaited: dict[str, str] = {}
    given: set[str] = set()
    for index, group in enumerate(yaml.safe_load(path.read_text())):
        place = f"{path}: [{index}]"
        is_group = isinstance(group, Mapping) and set(group) - {"without"} == {"because", "names"}
        if not is_group or not all(group.values()):
            raise ExpectationError(
                f"{place}: expected `because`, `names` and at most `without`, found {group!r:.80}"
            )
        for name in group["names"]:
            if name in given:
                raise ExpectationError(f"{place}: {name!r} stands here twice")
            given.add(name)
            if "without" not in group or find_spec(group["without"]) is None:
                awaited[name] = group["because"]
    return awaited


def _signals(registry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for section, kind in _SIGNALS.items():
        yield from ((f"{kind} {name}", signal) for name, signal in registry[section].items())


def _carried(registry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each signal with each attribute that it may have."""
    return [(signal, key) for signal, said in _signals(registry) for key in said["attributes"]]


def _members(registry: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for key, attribute in registry["attributes"].items():
        if not attribute.get("upstream"):
            yield from ((key, member["value"]) for member in attribute.get("members", ()))


def _values(registry: Mapping[str, Any], requests: Iterable[Any]) -> Iterator[str]:
    keys = {key for key, _ in _members(registry)}
    # One by one, for of a metric in several requests only the last is observed.
    for attributes in chain.from_iterable(observe([r]).attributes() for r in requests):
        for key in keys & attributes.keys():
            held = attributes[key]
            for value in held if isinstance(held, list) else [held]:
                yield f"member {key}={value}"


def _entities(registry: Mapping[str, Any], attributes: frozenset[str]) -> Iterator[str]:
    for name, entity in registry["entities"].items():
        if set(entity["identity"]) <= attributes:
            yield f"entity {name}"
