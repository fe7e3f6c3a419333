"""
What the registry owes to those who use its last release: one function per rule, findings out.

A released name stays and means the same on the wire, whatever its stability: somebody has stored
telemetry, queries and alerts under it. It is left by deprecating it. What a *stable* signal asks for
stays as well; before that, attributes come and go with their levels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from conventions.generate.findings import Finding, Place, Rule
from conventions.generate.json_document import registry_document
from conventions.generate.model import STABILITIES, Registry
from conventions.generate.releases import Release, version_order

Facts: TypeAlias = Mapping[str, Any]

_MOST_NAMES = 3  # differences are named up to here, counted beyond
_SINGULAR = {
    "attributes": "attribute",
    "spans": "span",
    "metrics": "metric",
    "events": "event",
    "entities": "entity",
}
_ON_THE_WIRE = {
    "attributes": ("type",),
    "spans": ("kind", "name"),
    "metrics": ("instrument", "unit", "value_type"),
    "events": ("severity",),
    "entities": ("identity",),
}


@dataclass(frozen=True)
class _Kept:
    """What the release and the registry say of one name, or of one member of an enumeration."""

    kind: str
    name: str
    before: Facts
    now: Facts
    place: Place


@dataclass(frozen=True)
class Comparison:
    """The registry beside its last release, both as `registry.json` states them."""

    registry: Registry
    release: Release
    now: Facts

    def released(self) -> Iterator[tuple[str, str, Facts]]:
        """Give kind, name and facts of everything released that is ours."""
        for kind in _SINGULAR:
            for name, facts in self.release.document[kind].items():
                if not facts.get("upstream"):
                    yield kind, name, facts

    def kept(self) -> Iterator[_Kept]:
        """Give every released name that the registry still has."""
        for kind, name, before in self.released():
            for item in self.registry.by_kind[kind]:
                if item.name == name:
                    yield _Kept(kind, name, before, self.now[kind][name], item.place)

    def kept_members(self) -> Iterator[_Kept]:
        """Give every released member that its enumeration still has."""
        for kept in self.kept():
            now = {member["id"]: member for member in kept.now.get("members", ())}
            for before in kept.before.get("members", ()):
                name = f"{kept.name}={before['id']}"
                if before["id"] in now:
                    yield _Kept("members", name, before, now[before["id"]], kept.place)


Check: TypeAlias = Callable[[Comparison], Iterator[Finding]]


def check_against(registry: Registry, release: Release) -> list[Finding]:
    """Give everything in which a registry that could be read breaks what *release* promised."""
    comparison = Comparison(registry, release, json.loads(registry_document(registry)))
    return sorted(finding for rule in RULES for finding in rule(comparison))


def released_names_stay(comparison: Comparison) -> Iterator[Finding]:
    """What was released can be deprecated, and is never taken away."""
    release = comparison.release
    for kind, name, _ in comparison.released():
        if name not in comparison.now[kind]:
            message = (
                f"{_SINGULAR[kind]} {name!r} of release {release.version} is gone; keep it and "
                "deprecate it, with renamed_to if it only has another name"
            )
            yield Finding(release.place(kind, name), Rule.REMOVED, message)


def released_members_stay(comparison: Comparison) -> Iterator[Finding]:
    """A value that was released is on the wire of somebody."""
    for kept in comparison.kept():
        now = {member["id"] for member in kept.now.get("members", ())}
        for member in kept.before.get("members", ()):
            if member["id"] not in now:
                message = (
                    f"member {member['id']!r} of {kept.name!r} of release "
                    f"{comparison.release.version} is gone; keep it and deprecate it"
                )
                yield Finding(kept.place, Rule.REMOVED, message)


def released_names_mean_the_same(comparison: Comparison) -> Iterator[Finding]:
    """Another type, unit or value under an old name breaks every query that uses it."""
    for kept in comparison.kept():
        for fact in _ON_THE_WIRE[kept.kind]:
            yield from _changed(kept, fact, comparison.release.version)
    for kept in comparison.kept_members():
        yield from _changed(kept, "value", comparison.release.version)


def _changed(kept: _Kept, fact: str, version: str) -> Iterator[Finding]:
    before, now = kept.before.get(fact), kept.now.get(fact)
    if before != now:
        message = (
            f"{fact} of {kept.name!r} was {before!r} in release {version} and is {now!r}; "
            "give the new meaning a new name and deprecate the old one"
        )
        yield Finding(kept.place, Rule.CHANGED, message)


def stability_is_not_lowered(comparison: Comparison) -> Iterator[Finding]:
    """A promise is kept or raised."""
    for kept in (*comparison.kept(), *comparison.kept_members()):
        before, now = kept.before["stability"], kept.now["stability"]
        if STABILITIES.index(now) < STABILITIES.index(before):
            version = comparison.release.version
            message = f"{kept.name!r} was {before} in release {version} and is {now}; raise it"
            yield Finding(kept.place, Rule.LOWERED, message)


def stable_signals_stay_as_they_are(comparison: Comparison) -> Iterator[Finding]:
    """A stable signal is replaced by another, not changed."""
    for kept in comparison.kept():
        if kept.kind != "attributes" and kept.before["stability"] == "stable":
            for message in _attribute_changes(kept):
                version = comparison.release.version
                since = f"{kept.name!r} is stable since release {version} or before"
                yield Finding(kept.place, Rule.STABLE_SIGNAL, f"{since}: {message}")


def _attribute_changes(kept: _Kept) -> Iterator[str]:
    before, now = kept.before["attributes"], kept.now["attributes"]
    for key in {**before, **now}:
        was = before.get(key, {}).get("requirement_level", "absent")
        is_now = now.get(key, {}).get("requirement_level", "absent")
        if is_now == "absent" or (was != is_now and "required" in {was, is_now}):
            yield f"{key!r} was {was} and is {is_now}"
        elif kept.kind == "metrics" and was in {"absent", "opt_in"} and is_now != "opt_in":
            # Every attribute that is on by default splits the series that somebody has charted.
            yield f"{key!r} was {was} and is {is_now}, which makes other series; make it opt_in"


def a_changed_registry_has_a_greater_version(comparison: Comparison) -> Iterator[Finding]:
    """One schema URL names one content, for ever."""
    manifest, released = comparison.registry.manifest, comparison.release.version
    now, last = version_order(manifest.version), version_order(released)
    if now is None or last is None:
        return  # The rule about schema URLs says what is wrong with it.
    if now < last:
        message = f"version {manifest.version} is before the last release, {released}; raise it"
        yield Finding(manifest.place, Rule.VERSION, message)
    elif now == last and (differences := list(_differences(comparison))):
        named = ", ".join(differences[:_MOST_NAMES])
        more = len(differences) - _MOST_NAMES
        message = (
            f"version {released} is released, and the registry differs from it in {named}"
            f"{f' and {more} more' if more > 0 else ''}; raise the version in schema_url"
        )
        yield Finding(manifest.place, Rule.VERSION, message)


def _differences(comparison: Comparison) -> Iterator[str]:
    before, now = comparison.release.document, comparison.now
    for fact in ("schema_url", "description", "stability"):
        if before.get(fact) != now[fact]:
            yield f"its {fact}"
    for kind, singular in _SINGULAR.items():
        for name in {**before[kind], **now[kind]}:
            if before[kind].get(name) != now[kind].get(name):
                yield f"the {singular} {name!r}"


RULES: tuple[Check, ...] = (
    released_names_stay,
    released_members_stay,
    released_names_mean_the_same,
    stability_is_not_lowered,
    stable_signals_stay_as_they_are,
    a_changed_registry_has_a_greater_version,
)
