"""
The registry in memory: weaver v2 YAML in, frozen records out, every surprise a finding.

Reading stops at the shape of each record (fields, their types, where they stand); what the records say
together is judged in `rules.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

_MODEL = "conventions/model"
_UPSTREAM = "conventions/upstream"

_ARRAY_TYPES = ("string[]", "int[]", "double[]", "boolean[]")
_PLAIN_TYPES = ("string", "int", "double", "boolean", "any", *_ARRAY_TYPES)
_ATTRIBUTE_TYPES = (*_PLAIN_TYPES, *(f"template[{name}]" for name in _PLAIN_TYPES))
STABILITIES = ("development", "alpha", "beta", "release_candidate", "stable")
_INSTRUMENTS = ("counter", "updowncounter", "gauge", "histogram")
_SPAN_KINDS = ("client", "server", "producer", "consumer", "internal")
_CONDITION_LEVELS = ("conditionally_required", "recommended", "opt_in")


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file of the registry, the file relative to the repository."""

    file: str
    line: int


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong with the registry, and where."""

    place: Place
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.place.file}:{self.place.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class EnumMember:
    """One known value of an open enumeration."""

    id: str
    value: str
    brief: str
    stability: str
    place: Place
    note: str = ""
    deprecated: Deprecated | None = None


@dataclass(frozen=True)
class AttributeType:
    """The wire type of an attribute, with the known values where it is an enumeration."""

    name: str
    members: tuple[EnumMember, ...] = ()
    is_enum: bool = False


@dataclass(frozen=True)
class Deprecated:
    """Why something should no longer be written, and what to write instead."""

    reason: str
    place: Place
    renamed_to: str = ""
    note: str = ""


@dataclass(frozen=True)
class Attribute:
    """An attribute key; `upstream` is the schema URL it is copied from, empty for our own."""

    key: str
    type: AttributeType
    brief: str
    stability: str
    place: Place
    note: str = ""
    examples: tuple[Any, ...] = ()
    deprecated: Deprecated | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)
    upstream: str = ""


@dataclass(frozen=True)
class Requirement:
    """How strongly an attribute is asked for; the condition is a sentence or empty."""

    level: str
    condition: str = ""


@dataclass(frozen=True)
class AttributeReference:
    """An attribute as one signal uses it; what is empty is as the attribute says."""

    ref: str
    place: Place
    requirement_level: Requirement | None = None
    sampling_relevant: bool = False
    brief: str = ""
    note: str = ""
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True)
class GroupReference:
    """An attribute group as a signal includes it."""

    ref_group: str
    place: Place


References = tuple[AttributeReference | GroupReference, ...]


@dataclass(frozen=True)
class AttributeGroup:
    """References that several signals share."""

    id: str
    visibility: str
    place: Place
    attributes: References = ()


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What spans, metrics, events and entities have in common."""

    name: str
    brief: str
    stability: str
    place: Place
    note: str = ""
    requirement_level: str = ""
    deprecated: Deprecated | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)
    attributes: References = ()
    entity_associations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Span(Signal):
    """A span type; `pattern` says how its name is built from attributes."""

    kind: str
    pattern: str


@dataclass(frozen=True, kw_only=True)
class Metric(Signal):
    """A metric."""

    instrument: str
    unit: str

    @property
    def value_type(self) -> str:
        """`int` or `double`; empty where the registry does not say."""
        code_generation = self.annotations.get("code_generation")
        if not isinstance(code_generation, Mapping):
            return ""
        return str(code_generation.get("metric_value_type", ""))

    @property
    def boundaries(self) -> tuple[float, ...]:
        """Upper bounds of the buckets of a histogram; empty for other instruments."""
        stated = self.annotations.get("bucket_boundaries", [])
        return tuple(stated) if isinstance(stated, list) else (stated,)

    @property
    def prometheus_name(self) -> str:
        """
        The name that Prometheus shows.

        OTLP receiver and collector translate alike: dots become underscores, a unit in braces is
        dropped, seconds are spelled out, a gauge of unit `1` is a ratio, a counter a total.
        """
        unit = {"s": "_seconds", "By": "_bytes"}.get(self.unit, "")
        ratio = "_ratio" if self.unit == "1" and self.instrument == "gauge" else ""
        total = "_total" if self.instrument == "counter" else ""
        return self.name.replace(".", "_") + unit + ratio + total


@dataclass(frozen=True, kw_only=True)
class Event(Signal):
    """An event: a log record with a name."""


@dataclass(frozen=True, kw_only=True)
class Entity(Signal):
    """An entity; the attributes in `identity` identify it, the others describe it."""

    identity: tuple[str, ...]


@dataclass(frozen=True)
class Dependency:
    """Another registry that ours refers to."""

    schema_url: str
    place: Place
    registry_path: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a registry says of itself."""

    schema_url: str
    place: Place
    description: str = ""
    stability: str = "development"
    dependencies: tuple[Dependency, ...] = ()


@dataclass(frozen=True)
class Registry:
    """Everything that the YAML says, in the order in which it says it."""

    manifest: Manifest
    attributes: tuple[Attribute, ...] = ()
    attribute_groups: tuple[AttributeGroup, ...] = ()
    entities: tuple[Entity, ...] = ()
    events: tuple[Event, ...] = ()
    metrics: tuple[Metric, ...] = ()
    spans: tuple[Span, ...] = ()

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Spans, metrics, events and entities."""
        return (*self.spans, *self.metrics, *self.events, *self.entities)

    @cached_property
    def attribute_by_key(self) -> Mapping[str, Attribute]:
        """Every attribute by its key."""
        return {attribute.key: attribute for attribute in self.attributes}

    @cached_property
    def group_by_id(self) -> Mapping[str, AttributeGroup]:
        """Every attribute group by its id."""
        return {group.id: group for group in self.attribute_groups}

    def resolve(self, references: References) -> tuple[AttributeReference, ...]:
        """
        Give the references with groups unfolded and later ones refining earlier ones.

        A group that does not exist, or that is being unfolded already, gives nothing.
        """
        resolved: dict[str, AttributeReference] = {}
        for reference in self._unfold(references, frozenset()):
            earlier = resolved.get(reference.ref)
            resolved[reference.ref] = _refine(earlier, reference) if earlier else reference
        return tuple(resolved.values())

    def _unfold(
        self, references: References, open_groups: frozenset[str]
    ) -> Iterator[AttributeReference]:
        for reference in references:
            if isinstance(reference, AttributeReference):
                yield reference
            elif reference.ref_group not in open_groups:
                group = self.group_by_id.get(reference.ref_group)
                inside = open_groups | {reference.ref_group}
                yield from self._unfold(group.attributes if group else (), inside)


def _refine(earlier: AttributeReference, later: AttributeReference) -> AttributeReference:
    stated = {name.name: getattr(later, name.name) for name in fields(later)}
    return replace(earlier, **{name: value for name, value in stated.items() if value})


class _Reader:
    """Reads one file; what does not fit becomes a finding and reads as None."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []

    def place(self, node: yaml.Node) -> Place:
        return Place(self.file, node.start_mark.line + 1)

    def report(self, node: yaml.Node, rule: str, message: str) -> None:
        self.findings.append(Finding(self.place(node), rule, message))

    def fields(self, node: yaml.Node, shape: Shape) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            self.report(node, "wrong-type", f"expected a mapping, got {_shown(node)}")
            return {}
        values: dict[str, Any] = {}
        for key, value in node.value:
            self._field(key, value, shape, values)
        for name in shape:
            if shape[name].is_required and name not in values:
                self.report(node, "missing-field", f"{name!r} is required here")
        return values

    def _field(
        self, key: yaml.Node, value: yaml.Node, shape: Shape, values: dict[str, Any]
    ) -> None:
        name = str(key.value)
        if name not in shape:
            known = ", ".join(shape)
            self.report(key, "unknown-field", f"{name!r} is no field here; known: {known}")
        elif name in values:
            self.report(key, "duplicate-field", f"{name!r} is given twice; keep one")
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
    reader.report(node, "wrong-type", f"expected text, got {_shown(node)}; quote it if it is text")
    return None


def _flag(reader: _Reader, node: yaml.Node) -> bool | None:
    if isinstance(node, yaml.ScalarNode) and node.value in {"true", "false"}:
        return bool(node.value == "true")
    reader.report(node, "wrong-type", f"expected true or false, got {_shown(node)}")
    return None


def _one_of(choices: Iterable[str]) -> Read:
    known = tuple(choices)

    def read(reader: _Reader, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.value in known:
            return str(node.value)
        message = f"expected one of {', '.join(known)}; got {_shown(node)}"
        reader.report(node, "wrong-type", message)
        return None

    return read


def _plain(reader: _Reader, node: yaml.Node) -> Any:
    try:
        return yaml.constructor.SafeConstructor().construct_document(node)
    except yaml.YAMLError as error:
        reader.report(node, "wrong-type", f"not a plain value: {' '.join(str(error).split())}")
        return None


def _annotations(reader: _Reader, node: yaml.Node) -> Mapping[str, Any] | None:
    if isinstance(node, yaml.MappingNode):
        plain: Mapping[str, Any] = _plain(reader, node)
        return plain
    reader.report(node, "wrong-type", f"expected a mapping, got {_shown(node)}")
    return None


def _list_of(read_item: Read) -> Read:
    def read(reader: _Reader, node: yaml.Node) -> tuple[Any, ...] | None:
        if isinstance(node, yaml.SequenceNode):
            return tuple(read_item(reader, item) for item in node.value)
        reader.report(node, "wrong-type", f"expected a list, got {_shown(node)}")
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
        level = _one_of(("required", "recommended", "opt_in"))(reader, node)
        return Requirement(level) if level else None
    stated = reader.fields(node, {level: _Field(_text) for level in _CONDITION_LEVELS})
    if len(stated) != 1:
        known = ", ".join(_CONDITION_LEVELS)
        reader.report(node, "wrong-type", f"expected exactly one of {known} with its condition")
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
            reader.findings.append(Finding(place, "file-format", message))
    return stated


def _read_file(root: Path, file: str, read: Read) -> tuple[Any, list[Finding]]:
    reader = _Reader(file)
    try:
        node = yaml.compose((root / file).read_bytes(), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        return None, [_syntax_finding(file, error)]
    if node is None:
        return None, [Finding(Place(file, 1), "yaml", "the file is empty")]
    return read(reader, node), reader.findings


def _syntax_finding(file: str, error: yaml.YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    return Finding(Place(file, mark.line + 1 if mark else 1), "yaml", problem)
