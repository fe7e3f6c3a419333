"""The registry in memory: frozen records, each knowing the line it was read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conventions.generate.findings import Place

STABILITIES = ("development", "alpha", "beta", "release_candidate", "stable")
"""From what may change tomorrow to what stays."""
LEVELS = ("required", "conditionally_required", "recommended", "opt_in")
"""How strongly an attribute is asked for, from always to only on demand."""


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

    def __str__(self) -> str:
        return "enum" if self.is_enum else self.name


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

    @property
    def name(self) -> str:
        """The key, by the word that signals have for theirs."""
        return self.key


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

    @property
    def emitter(self) -> str:
        """`sdk` or `processor`; empty where the registry does not say."""
        return str(self.annotations.get("emitted_by", ""))


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

    @property
    def severity(self) -> str:
        """Severity of the log record; empty where the registry does not say."""
        return str(self.annotations.get("severity", ""))


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

    @property
    def version(self) -> str:
        """The last part of the schema URL."""
        return self.schema_url.rpartition("/")[2]


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

    @property
    def by_kind(self) -> Mapping[str, tuple[Attribute | Signal, ...]]:
        """Everything that has a name on the wire, by the plural of what it is."""
        return {
            "attributes": self.attributes,
            "spans": self.spans,
            "metrics": self.metrics,
            "events": self.events,
            "entities": self.entities,
        }

    @cached_property
    def attribute_by_key(self) -> Mapping[str, Attribute]:
        """Every attribute by its key."""
        return {attribute.key: attribute for attribute in self.attributes}

    @cached_property
    def group_by_id(self) -> Mapping[str, AttributeGroup]:
        """Every attribute group by its id."""
        return {group.id: group for group in self.attribute_groups}

    def users(self, key: str) -> Mapping[Requirement, tuple[Signal, ...]]:
        """Give the signals that ask for an attribute, by how strongly they do."""
        found: dict[Requirement, tuple[Signal, ...]] = {}
        for signal in self.signals:
            for reference in self.resolve(signal.attributes):
                if reference.ref == key and reference.requirement_level:
                    level = reference.requirement_level
                    found[level] = (*found.get(level, ()), signal)
        return found

    def resolve(self, references: References) -> tuple[AttributeReference, ...]:
        """
        Give the references with groups unfolded and later ones refining earlier ones.

        A group that does not exist, or that is being unfolded already, gives nothing.
        """
        resolved: dict[str, AttributeReference] = {}
        for reference in self.unfold(references):
            earlier = resolved.get(reference.ref)
            resolved[reference.ref] = _refine(earlier, reference) if earlier else reference
        return tuple(resolved.values())

    def unfold(
        self, references: References, open_groups: frozenset[str] = frozenset()
    ) -> Iterator[AttributeReference]:
        """Give every reference as it is stated, with those of groups in their place."""
        for reference in references:
            if isinstance(reference, AttributeReference):
                yield reference
            elif reference.ref_group not in open_groups:
                group = self.group_by_id.get(reference.ref_group)
                inside = open_groups | {reference.ref_group}
                yield from self.unfold(group.attributes if group else (), inside)


def _refine(earlier: AttributeReference, later: AttributeReference) -> AttributeReference:
    stated = {name.name: getattr(later, name.name) for name in fields(later)}
    return replace(earlier, **{name: value for name, value in stated.items() if value})
