"""`registry.json`: everything that the registry says, for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conventions.generate.model import Entity, Event, Metric, Span

if TYPE_CHECKING:
    from conventions.generate.model import (
        Attribute,
        AttributeReference,
        EnumMember,
        Registry,
        Signal,
    )


def registry_document(registry: Registry) -> str:
    """Give the registry as JSON text; what is empty is left out."""
    document = {
        "schema_url": registry.manifest.schema_url,
        "description": registry.manifest.description,
        "stability": registry.manifest.stability,
        "attributes": {item.key: _attribute(item) for item in registry.attributes},
        "spans": {item.name: _signal(registry, item) for item in registry.spans},
        "metrics": {item.name: _signal(registry, item) for item in registry.metrics},
        "events": {item.name: _signal(registry, item) for item in registry.events},
        "entities": {item.name: _signal(registry, item) for item in registry.entities},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _attribute(attribute: Attribute) -> dict[str, Any]:
    members = [_member(member) for member in attribute.type.members]
    return _stated(
        type=attribute.type.name,
        members=members,
        brief=attribute.brief,
        note=attribute.note,
        examples=list(attribute.examples),
        stability=attribute.stability,
        deprecated=_deprecated(attribute),
        annotations=dict(attribute.annotations),
        upstream=attribute.upstream,
    )


def _member(member: EnumMember) -> dict[str, Any]:
    return _stated(
        id=member.id,
        value=member.value,
        brief=member.brief,
        note=member.note,
        stability=member.stability,
        deprecated=_deprecated(member),
    )


def _signal(registry: Registry, signal: Signal) -> dict[str, Any]:
    references = registry.resolve(signal.attributes)
    return {
        **_own_facts(signal),
        **_stated(
            brief=signal.brief,
            note=signal.note,
            stability=signal.stability,
            requirement_level=signal.requirement_level,
            emitted_by=signal.emitter,
            deprecated=_deprecated(signal),
            entity_associations=list(signal.entity_associations),
        ),
        "attributes": {reference.ref: _reference(reference) for reference in references},
    }


def _own_facts(signal: Signal) -> dict[str, Any]:
    if isinstance(signal, Span):
        return {"kind": signal.kind, "name": signal.pattern}
    if isinstance(signal, Metric):
        return _stated(
            instrument=signal.instrument,
            unit=signal.unit,
            value_type=signal.value_type,
            boundaries=list(signal.boundaries),
            prometheus_name=signal.prometheus_name,
        )
    if isinstance(signal, Event):
        return {"severity": signal.severity}
    return {"identity": list(signal.identity)} if isinstance(signal, Entity) else {}


def _reference(reference: AttributeReference) -> dict[str, Any]:
    stated = reference.requirement_level
    return _stated(
        requirement_level=stated.level if stated else "",
        condition=stated.condition if stated else "",
        sampling_relevant=reference.sampling_relevant,
        brief=reference.brief,
        note=reference.note,
        examples=list(reference.examples),
    )


def _deprecated(item: Attribute | EnumMember | Signal) -> dict[str, Any]:
    stated = item.deprecated
    if stated is None:
        return {}
    return _stated(reason=stated.reason, renamed_to=stated.renamed_to, note=stated.note)


def _stated(**facts: Any) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if fact not in (None, "", [], {}, False)}
