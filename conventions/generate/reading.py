"""
Reading the registry: weaver v2 YAML in, records out, every surprise a finding.

Reading stops at the shape of each record (fields, their types, where they stand); what the records say
together is judged in `rules.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from conventions.generate.findings import Finding, Place, Rule
from conventions.generate.model import (
    LEVELS,
    STABILITIES,
    Attribute,
    AttributeGroup,
    AttributeReference,
    AttributeType,
    Dependency,
    Deprecated,
    Entity,
    EnumMember,
    Event,
    GroupReference,
    Manifest,
    Metric,
    Registry,
    Requirement,
    Span,
)
from conventions.generate.yaml_tree import tree_of

if TYPE_CHECKING:
    from pathlib import Path

_MODEL = "conventions/model"
_UPSTREAM = "conventions/upstream"

_ARRAY_TYPES = ("string[]", "int[]", "double[]", "boolean[]")
_PLAIN_TYPES = ("string", "int", "double", "boolean", "any", *_ARRAY_TYPES)
_ATTRIBUTE_TYPES = (*_PLAIN_TYPES, *(f"template[{name}]" for name in _PLAIN_TYPES))
_INSTRUMENTS = ("counter", "updowncounter", "gauge", "histogram")
_SPAN_KINDS = ("client", "server", "producer", "consumer", "internal")
_LEVELS_ALONE = tuple(level for level in LEVELS if level != "conditionally_required")
_LEVELS_WITH_CONDITION = tuple(level for level in LEVELS if level != "required")


class _Reader:
    """Reads one file; what does not fit becomes a finding and reads as None."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []

    def place(self, node: yaml.Node) -> Place:
        return Place(self.file, node.start_mark.line + 1)

    def report(self, node: yaml.Node, rule: Rule, message: str) -> None:
        self.findings.append(Finding(self.place(node), rule, message))

    def fields(self, node: yaml.Node, shape: Shape) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            self.report(node, Rule.WRONG_TYPE, f"expected a mapping, got {_shown(node)}")
            return {}
        values: dict[str, Any] = {}
        for key, value in node.value:
            self._field(key, value, shape, values)
        for name in shape:
            if shape[name].is_required and name not in values:
                self.report(node, Rule.MISSING_FIELD, f"{name!r} is required here")
        return values

    def _field(
        self, key: yaml.Node, value: yaml.Node, shape: Shape, values: dict[str, Any]
    ) -> None:
        name = str(key.value)
        if name not in shape:
            known = ", ".join(shape)
            self.report(key, Rule.UNKNOWN_FIELD, f"{_shown(key)} is no field here; known: {known}")
        else:
            values[name] = shape[name].read(self, value)


Read = Callable[[_Reader, yaml.Node], Any]


@dataclass(frozen=True)
class _Field:
    read: Read
    is_required: bool = False


Shape = Mapping[str, _Field]


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value)
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"


def _text(reader: _Reader, node: yaml.Node) -> str | None:
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
        return " ".join(str(node.value).split())
    reader.report(
        node, Rule.WRONG_TYPE, f"expected text, got {_shown(node)}; quote it if it is text"
    )
    return None


def _flag(reader: _Reader, node: yaml.Node) -> bool | None:
    if isinstance(node, yaml.ScalarNode) and node.value in {"true", "false"}:
        return bool(node.value == "true")
    reader.report(node, Rule.WRONG_TYPE, f"expected true or false, got {_shown(node)}")
    return None


def _one_of(choices: Iterable[str]) -> Read:
    known = tuple(choices)

    def read(reader: _Reader, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.value in known:
            return str(node.value)
        message = f"expected one of {', '.join(known)}; got {_shown(node)}"
        reader.report(node, Rule.WRONG_TYPE, message)
        return None

    return read


def _plain(reader: _Reader, node: yaml.Node) -> Any:
    try:
        value = yaml.constructor.SafeConstructor().construct_document(node)
        json.dumps(value)
    except (yaml.YAMLError, TypeError, ValueError) as error:
        reader.report(node, Rule.WRONG_TYPE, f"not a plain value: {' '.join(str(error).split())}")
        return None
    return value


def _annotations(reader: _Reader, node: yaml.Node) -> Mapping[str, Any] | None:
    if isinstance(node, yaml.MappingNode):
        plain: Mapping[str, Any] = _plain(reader, node)
        return plain
    reader.report(node, Rule.WRONG_TYPE, f"expected a mapping, got {_shown(node)}")
    return None


def _list_of(read_item: Read) -> Read:
    def read(reader: _Reader, node: yaml.Node) -> tuple[Any, ...] | None:
        if isinstance(node, yaml.SequenceNode):
            return tuple(read_item(reader, item) for item in node.value)
        reader.report(node, Rule.WRONG_TYPE, f"expected a list, got {_shown(node)}")
        return None

    return read


def _record(build: Callable[..., Any], shape: Shape) -> Read:
    def read(reader: _Reader, node: yaml.Node) -> Any:
        known = len(reader.findings)
        values = reader.fields(node, shape)
        return None if len(reader.findings) > known else build(**values, place=reader.place(node))

    return read


def _requirement(reader: _Reader, node: yaml.Node) -> Requirement | None:
    if not isinstance(node, yaml.MappingNode):
        level = _one_of(_LEVELS_ALONE)(reader, node)
        return Requirement(level) if level else None
    stated = reader.fields(node, {level: _Field(_text) for level in _LEVELS_WITH_CONDITION})
    if len(stated) != 1:
        known = ", ".join(_LEVELS_WITH_CONDITION)
        reader.report(node, Rule.WRONG_TYPE, f"expected exactly one of {known} with its condition")
        return None
    return Requirement(*stated.popitem())


_optional_text = _Field(_text)
_required_text = _Field(_text, is_required=True)
_stability = _Field(_one_of(STABILITIES), is_required=True)
_deprecated = _Field(
    _record(
        Deprecated,
        {
            "reason": _Field(_one_of(("renamed", "obsoleted", "uncategorized")), is_required=True),
            "renamed_to": _optional_text,
            "note": _optional_text,
        },
    )
)
_member = _record(
    EnumMember,
    {
        "id": _required_text,
        "value": _required_text,
        "brief": _required_text,
        "stability": _stability,
        "note": _optional_text,
        "deprecated": _deprecated,
    },
)


def _attribute_type(reader: _Reader, node: yaml.Node) -> AttributeType | None:
    if isinstance(node, yaml.MappingNode):
        stated = reader.fields(node, {"members": _Field(_list_of(_member), is_required=True)})
        return AttributeType("string", stated.get("members") or (), is_enum=True)
    name = _one_of(_ATTRIBUTE_TYPES)(reader, node)
    return AttributeType(name) if name else None


_attribute = _record(
    Attribute,
    {
        "key": _required_text,
        "type": _Field(_attribute_type, is_required=True),
        "brief": _required_text,
        "stability": _stability,
        "note": _optional_text,
        "examples": _Field(_list_of(_plain)),
        "deprecated": _deprecated,
        "annotations": _Field(_annotations),
    },
)
_reference_shape: Shape = {
    "ref": _required_text,
    "requirement_level": _Field(_requirement),
    "brief": _optional_text,
    "note": _optional_text,
    "examples": _Field(_list_of(_plain)),
}
_attribute_reference = _record(AttributeReference, _reference_shape)
_group_reference = _record(GroupReference, {"ref_group": _required_text})


def _references(shape: Shape) -> _Field:
    attribute_reference = _record(AttributeReference, shape)

    def read(reader: _Reader, node: yaml.Node) -> AttributeReference | GroupReference | None:
        is_group = isinstance(node, yaml.MappingNode) and any(
            key.value == "ref_group" for key, _ in node.value
        )
        chosen: AttributeReference | GroupReference | None = (
            _group_reference if is_group else attribute_reference
        )(reader, node)
        return chosen

    return _Field(_list_of(read))


_group = _record(
    AttributeGroup,
    {
        "id": _required_text,
        "visibility": _Field(_one_of(("internal",)), is_required=True),
        "attributes": _references(_reference_shape),
    },
)
_signal_shape: Shape = {
    "brief": _required_text,
    "stability": _stability,
    "note": _optional_text,
    "requirement_level": _Field(_one_of(("recommended", "opt_in"))),
    "deprecated": _deprecated,
    "annotations": _Field(_annotations),
}
_emitted_shape: Shape = {
    **_signal_shape,
    "attributes": _references(_reference_shape),
    "entity_associations": _Field(_list_of(_text)),
}


def _span_name(reader: _Reader, node: yaml.Node) -> str | None:
    return reader.fields(node, {"note": _required_text}).get("note")


def _build_span(*, type: str, name: str, **stated: Any) -> Span:  # noqa: A002  the YAML's own word
    return Span(name=type, pattern=name, **stated)


def _build_entity(
    *,
    type: str,  # noqa: A002  the YAML's own word
    identity: tuple[AttributeReference, ...],
    description: tuple[AttributeReference, ...] = (),
    **stated: Any,
) -> Entity:
    keys = tuple(reference.ref for reference in identity)
    return Entity(name=type, attributes=(*identity, *description), identity=keys, **stated)


_span = _record(
    _build_span,
    {
        "type": _required_text,
        "kind": _Field(_one_of(_SPAN_KINDS), is_required=True),
        "name": _Field(_span_name, is_required=True),
        **_emitted_shape,
        "attributes": _references({**_reference_shape, "sampling_relevant": _Field(_flag)}),
    },
)
_metric = _record(
    Metric,
    {
        "name": _required_text,
        "instrument": _Field(_one_of(_INSTRUMENTS), is_required=True),
        "unit": _required_text,
        **_emitted_shape,
    },
)
_event = _record(Event, {"name": _required_text, **_emitted_shape})
_entity = _record(
    _build_entity,
    {
        "type": _required_text,
        "identity": _Field(_list_of(_attribute_reference), is_required=True),
        "description": _Field(_list_of(_attribute_reference)),
        **_signal_shape,
    },
)
_manifest = _record(
    Manifest,
    {
        "schema_url": _required_text,
        "description": _optional_text,
        "stability": _Field(_one_of(STABILITIES)),
        "dependencies": _Field(
            _list_of(
                _record(Dependency, {"schema_url": _required_text, "registry_path": _optional_text})
            )
        ),
    },
)
_definition_shape: Shape = {
    "file_format": _Field(_one_of(("definition/2",)), is_required=True),
    "attributes": _Field(_list_of(_attribute)),
    "attribute_groups": _Field(_list_of(_group)),
    "entities": _Field(_list_of(_entity)),
    "events": _Field(_list_of(_event)),
    "metrics": _Field(_list_of(_metric)),
    "spans": _Field(_list_of(_span)),
}


_LISTS = tuple(name for name in _definition_shape if name != "file_format")


def read_registry(root: Path) -> tuple[Registry, list[Finding]]:
    """
    Read the registry of a repository.

    Args:
        root: Folder that holds `conventions/model` and `conventions/upstream`.

    Returns:
        What could be read, and what could not. Only a registry without findings is whole.

    Raises:
        FileNotFoundError: If one of the two folders has no manifest.
    """
    own, findings = _read_folder(root, _MODEL)
    upstream, upstream_findings = _read_folder(root, _UPSTREAM)
    copied = tuple(
        replace(attribute, upstream=upstream.manifest.schema_url)
        for attribute in upstream.attributes
    )
    whole = replace(own, attributes=(*own.attributes, *copied))
    return whole, sorted([*findings, *upstream_findings])


def _read_folder(root: Path, folder: str) -> tuple[Registry, list[Finding]]:
    manifest, findings = _read_file(root, f"{folder}/manifest.yaml", _manifest)
    collected: dict[str, list[Any]] = {name: [] for name in _LISTS}
    for path in sorted((root / folder).glob("*.yaml")):
        if path.name != "manifest.yaml":
            stated, found = _read_file(root, f"{folder}/{path.name}", _definition)
            findings += found
            for name in _LISTS:
                collected[name] += (stated or {}).get(name) or ()
    lists = {name: tuple(item for item in items if item) for name, items in collected.items()}
    nowhere = Manifest(schema_url="", place=Place(f"{folder}/manifest.yaml", 1))
    return Registry(manifest=manifest or nowhere, **lists), findings


def _definition(reader: _Reader, node: yaml.Node) -> dict[str, Any]:
    stated = reader.fields(node, _definition_shape)
    if isinstance(node, yaml.MappingNode) and node.value:
        first_key, _ = node.value[0]
        if first_key.value != "file_format" or first_key.start_mark.line > 0:
            place = Place(reader.file, 1)
            message = "first line is not 'file_format: definition/2'"
            reader.findings.append(Finding(place, Rule.FILE_FORMAT, message))
    return stated


def _read_file(root: Path, file: str, read: Read) -> tuple[Any, list[Finding]]:
    node, findings = tree_of(file, (root / file).read_bytes())
    if node is None:
        return None, findings
    reader = _Reader(file)
    return read(reader, node), [*findings, *reader.findings]
