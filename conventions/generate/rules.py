"""
What the records of the registry must agree on: one function per rule, findings out.

The shape of a single record is judged where it is read, in `model.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from math import isfinite
from typing import Any, TypeAlias

from conventions.generate.model import (
    STABILITIES,
    Attribute,
    AttributeGroup,
    AttributeReference,
    Entity,
    Finding,
    GroupReference,
    Metric,
    Place,
    Registry,
    Signal,
)

Named: TypeAlias = tuple[str, Place]
Rule: TypeAlias = Callable[[Registry], Iterator[Finding]]

ROOT = "ml"
_NAME = re.compile(r"[a-z][a-z0-9]*([._][a-z0-9]+)*")
_MEMBER_ID = re.compile(r"[a-z][a-z0-9_]*")
_SENTENCE = re.compile(r"[A-Z`].*\.", re.DOTALL)
_SCHEMA_URL = re.compile(r"https?://.+/\d+\.\d+\.\d+(-dev)?")
_PLACEHOLDER = re.compile(r"\{([^}]*)\}")
_UNIT = re.compile(r"1|s|By|\{[a-z][a-z_]*\}")
# Prometheus adds these by itself, or keeps them for the parts of a histogram.
_RESERVED_ENDINGS = ("total", "ratio", "seconds", "bytes", "count", "sum", "bucket")

_ATTRIBUTE_ANNOTATIONS = {
    "value_size": ("large",),
    "sensitivity": ("PII",),
    "cardinality": ("high",),
}
_EMITTERS = ("sdk", "processor")
_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SIGNAL_ANNOTATIONS = frozenset({"emitted_by"})
_METRIC_ANNOTATIONS = _SIGNAL_ANNOTATIONS | {"code_generation", "bucket_boundaries"}
_EVENT_ANNOTATIONS = _SIGNAL_ANNOTATIONS | {"severity"}


def check(registry: Registry) -> list[Finding]:
    """Give everything that is wrong with a registry that could be read, in the order of the files."""
    return sorted({finding for rule in RULES for finding in rule(registry)})


def _names_by_kind(registry: Registry) -> dict[str, list[Named]]:
    return {
        "attribute": [(item.key, item.place) for item in registry.attributes],
        "attribute group": [(item.id, item.place) for item in registry.attribute_groups],
        "span": [(item.name, item.place) for item in registry.spans],
        "metric": [(item.name, item.place) for item in registry.metrics],
        "event": [(item.name, item.place) for item in registry.events],
        "entity": [(item.name, item.place) for item in registry.entities],
    }


def _owners(registry: Registry) -> tuple[Signal | AttributeGroup, ...]:
    return (*registry.signals, *registry.attribute_groups)


def _own_attributes(registry: Registry) -> Iterator[Attribute]:
    return (attribute for attribute in registry.attributes if not attribute.upstream)


def _uses(
    registry: Registry, signals: Iterable[Signal]
) -> Iterator[tuple[Signal, AttributeReference, Attribute]]:
    for signal in signals:
        for reference in registry.resolve(signal.attributes):
            if attribute := registry.attribute_by_key.get(reference.ref):
                yield signal, reference, attribute


def names_follow_the_pattern(registry: Registry) -> Iterator[Finding]:
    """Names are lower-case words joined by dots and underscores."""
    for kind, named in _names_by_kind(registry).items():
        for name, place in named:
            if not _NAME.fullmatch(name):
                yield Finding(place, "naming", f"{kind} {name!r} does not match {_NAME.pattern}")
    for attribute in registry.attributes:
        for member in attribute.type.members:
            if not _MEMBER_ID.fullmatch(member.id):
                message = f"member id {member.id!r} does not match {_MEMBER_ID.pattern}"
                yield Finding(member.place, "naming", message)


def own_names_begin_with_our_root(registry: Registry) -> Iterator[Finding]:
    """What we define stands in our namespace, and nowhere in anybody else's."""
    own = [(attribute.key, attribute.place) for attribute in _own_attributes(registry)]
    for name, place in own + [(signal.name, signal.place) for signal in registry.signals]:
        if not name.startswith(f"{ROOT}."):
            yield Finding(place, "root", f"{name!r} is ours but does not begin with '{ROOT}.'")


def names_are_defined_once(registry: Registry) -> Iterator[Finding]:
    """Two definitions of one name leave open which holds."""
    for kind, named in _names_by_kind(registry).items():
        first: dict[str, Place] = {}
        for name, place in named:
            if name in first:
                message = f"{kind} {name!r} is defined in {_shown(first[name])} already"
                yield Finding(place, "duplicate", message)
            first.setdefault(name, place)


def no_name_is_a_namespace(registry: Registry) -> Iterator[Finding]:
    """A key that is also a prefix cannot be stored as a tree, which backends do."""
    for kind, named in _names_by_kind(registry).items():
        defined = dict(named)
        for name, place in named:
            for prefix in _namespaces(name) & defined.keys():
                message = (
                    f"{kind} {name!r} lies in the namespace of the {kind} {prefix!r} "
                    f"({_shown(defined[prefix])}); rename one"
                )
                yield Finding(place, "namespace", message)


def _namespaces(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def constants_are_distinct(registry: Registry) -> Iterator[Finding]:
    """Dots become underscores in code and in Prometheus: names must still differ."""
    for kind, named in _names_by_kind(registry).items():
        first: dict[str, str] = {}
        for name, place in named:
            other = first.setdefault(name.replace(".", "_"), name)
            if other != name:
                message = f"{kind} {name!r} becomes the same constant as {other!r}; rename one"
                yield Finding(place, "constant", message)


def references_resolve(registry: Registry) -> Iterator[Finding]:
    """Every attribute and group that is referred to exists."""
    for owner in _owners(registry):
        for reference in owner.attributes:
            if isinstance(reference, GroupReference):
                if reference.ref_group not in registry.group_by_id:
                    message = f"no attribute group {reference.ref_group!r} is defined"
                    yield Finding(reference.place, "unresolved", message)
            elif reference.ref not in registry.attribute_by_key:
                message = f"no attribute {reference.ref!r} is defined, here or upstream"
                yield Finding(reference.place, "unresolved", message)


def entities_resolve(registry: Registry) -> Iterator[Finding]:
    """Every entity that a signal is associated with exists."""
    known = {entity.name for entity in registry.entities}
    for signal in registry.signals:
        for name in signal.entity_associations:
            if name not in known:
                yield Finding(signal.place, "unresolved", f"no entity {name!r} is defined")


def span_names_resolve(registry: Registry) -> Iterator[Finding]:
    """A span name is built from attributes that the span has."""
    for span in registry.spans:
        present = {reference.ref for reference in registry.resolve(span.attributes)}
        for key in _PLACEHOLDER.findall(span.pattern):
            if key not in present:
                message = f"the name of span {span.name!r} uses {key!r}, which the span lacks"
                yield Finding(span.place, "unresolved", message)


def groups_do_not_collide(registry: Registry) -> Iterator[Finding]:
    """Two groups on one signal may not both refer to an attribute: neither would win."""
    for signal in registry.signals:
        first: dict[str, str] = {}
        for group in signal.attributes:
            if isinstance(group, GroupReference):
                for reference in registry.resolve((group,)):
                    other = first.setdefault(reference.ref, group.ref_group)
                    if other != group.ref_group:
                        message = f"{reference.ref!r} also comes with the group {other!r}"
                        yield Finding(group.place, "group-collision", message)


def attributes_are_used(registry: Registry) -> Iterator[Finding]:
    """An attribute that no signal carries is never on the wire."""
    used = {reference.ref for _, reference, _ in _uses(registry, registry.signals)}
    for attribute in _own_attributes(registry):
        if attribute.key not in used and not attribute.deprecated:
            message = f"attribute {attribute.key!r} is on no signal; add it to one or leave it out"
            yield Finding(attribute.place, "unused", message)


def briefs_are_sentences(registry: Registry) -> Iterator[Finding]:
    """A brief stands alone in tables and docstrings."""
    items: tuple[Attribute | Signal, ...] = (*registry.attributes, *registry.signals)
    for item in items:
        if not item.brief.endswith("."):
            yield Finding(item.place, "brief", f"brief {item.brief!r} does not end with a period")
    for attribute in registry.attributes:
        for member in attribute.type.members:
            if not member.brief.endswith("."):
                message = f"brief {member.brief!r} does not end with a period"
                yield Finding(member.place, "brief", message)


def signals_state_their_level(registry: Registry) -> Iterator[Finding]:
    """Whether a signal is on by default is said, never assumed."""
    for signal in registry.signals:
        if not signal.requirement_level:
            message = f"{signal.name!r} lacks requirement_level: recommended or opt_in"
            yield Finding(signal.place, "signal-level", message)


def signals_are_no_stabler_than_their_attributes(registry: Registry) -> Iterator[Finding]:
    """A stable signal cannot rest on an attribute that may still change."""
    for signal, reference, attribute in _uses(registry, registry.signals):
        is_opt_in = reference.requirement_level and reference.requirement_level.level == "opt_in"
        promised = STABILITIES.index(signal.stability)
        if not is_opt_in and promised > STABILITIES.index(attribute.stability):
            message = (
                f"{signal.name!r} is {signal.stability} but needs {attribute.key!r}, "
                f"which is {attribute.stability}"
            )
            yield Finding(signal.place, "stability", message)


def references_state_their_level(registry: Registry) -> Iterator[Finding]:
    """How strongly an attribute is asked for is said, and its condition is a sentence."""
    for owner in _owners(registry):
        for reference in registry.resolve(owner.attributes):
            stated = reference.requirement_level
            if stated is None:
                message = f"{reference.ref!r} lacks a requirement_level"
                yield Finding(reference.place, "requirement", message)
            elif stated.condition and not _SENTENCE.fullmatch(stated.condition):
                message = f"condition {stated.condition!r} is no sentence that ends with a period"
                yield Finding(reference.place, "requirement", message)


def any_stays_on_spans_and_events(registry: Registry) -> Iterator[Finding]:
    """Metrics and resources cannot carry values without a fixed type."""
    for signal, reference, attribute in _uses(registry, (*registry.metrics, *registry.entities)):
        if attribute.type.name in {"any", "template[any]"}:
            message = (
                f"{reference.ref!r} is of type {attribute.type.name}, which only spans and events "
                f"may carry; {signal.name!r} is neither"
            )
            yield Finding(reference.place, "any", message)


def metrics_are_bounded(registry: Registry) -> Iterator[Finding]:
    """An attribute of many values makes a series each: on a metric only if asked for."""
    for signal, reference, attribute in _uses(registry, registry.metrics):
        stated = reference.requirement_level
        if attribute.annotations.get("cardinality") == "high" and _is_on(stated):
            message = (
                f"{reference.ref!r} has high cardinality; on {signal.name!r} it must be opt_in"
            )
            yield Finding(reference.place, "cardinality", message)


def personal_data_is_opt_in(registry: Registry) -> Iterator[Finding]:
    """What may identify a person leaves the process only if asked for."""
    for signal, reference, attribute in _uses(registry, registry.signals):
        stated = reference.requirement_level
        if attribute.annotations.get("sensitivity") == "PII" and _is_on(stated):
            message = f"{reference.ref!r} may be personal; on {signal.name!r} it must be opt_in"
            yield Finding(reference.place, "sensitivity", message)


def _is_on(stated: Any) -> bool:
    return stated is not None and stated.level != "opt_in"


def metrics_state_their_value_type(registry: Registry) -> Iterator[Finding]:
    """Integers and doubles are different points on the wire."""
    for metric in registry.metrics:
        if metric.value_type not in {"int", "double"}:
            message = (
                f"{metric.name!r} lacks annotations.code_generation.metric_value_type: "
                f"int or double"
            )
            yield Finding(metric.place, "value-type", message)


def histograms_have_buckets(registry: Registry) -> Iterator[Finding]:
    """The default buckets fit nothing that happens inside a process."""
    for metric in registry.metrics:
        edges = metric.boundaries
        is_histogram = metric.instrument == "histogram"
        if is_histogram != bool(edges):
            wanted = "needs" if is_histogram else "cannot have"
            message = f"{metric.instrument} {metric.name!r} {wanted} annotations.bucket_boundaries"
            yield Finding(metric.place, "buckets", message)
        elif not all(_is_number(edge) for edge in edges):
            yield Finding(metric.place, "buckets", f"a boundary of {metric.name!r} is not finite")
        elif not all(lower < upper for lower, upper in pairwise(edges)):
            yield Finding(metric.place, "buckets", f"boundaries of {metric.name!r} do not rise")


def units_suit_prometheus(registry: Registry) -> Iterator[Finding]:
    """A gauge of unit 1 becomes a ratio, so only shares have it; a unit is not in the name."""
    for metric in registry.metrics:
        for message in _unit_faults(metric):
            yield Finding(metric.place, "unit", f"{metric.name!r} {message}")


def _unit_faults(metric: Metric) -> Iterator[str]:
    is_ratio = metric.instrument == "gauge" and metric.unit == "1"
    if not _UNIT.fullmatch(metric.unit):
        yield f"has unit {metric.unit!r}; expected s, By, 1 or a word in braces"
    if is_ratio and not metric.brief.startswith("Share of "):
        yield "would be called a ratio by Prometheus: use a word in braces, or say 'Share of ...'"
    if metric.brief.startswith("Share of ") and not is_ratio:
        yield "is a share: make it a gauge of unit '1'"
    if metric.instrument == "counter" and metric.unit == "1":
        yield "counts something: name it in braces"
    if re.split(r"[._]", metric.name)[-1] in _RESERVED_ENDINGS:
        yield "ends in a word that Prometheus adds by itself or keeps for histograms"


def enumerations_are_sound(registry: Registry) -> Iterator[Finding]:
    """An enumeration has members, each once."""
    for attribute in registry.attributes:
        members = attribute.type.members
        if attribute.type.is_enum and not members:
            yield Finding(attribute.place, "enum", f"{attribute.key!r} has no members")
        for index, member in enumerate(members):
            before = members[:index]
            if any(member.id == other.id or member.value == other.value for other in before):
                message = f"member {member.id!r} of {attribute.key!r} is given twice"
                yield Finding(member.place, "enum", message)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


_IS_OF_TYPE: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "double": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "any": lambda value: value is not None,
}


def examples_are_of_their_type(registry: Registry) -> Iterator[Finding]:
    """A reader copies the example, so it must be one."""
    for attribute in registry.attributes:
        if not attribute.examples and not attribute.type.is_enum:
            yield Finding(attribute.place, "examples", f"{attribute.key!r} has no example")
        yield from _wrong_examples(attribute, attribute)
    for _, reference, attribute in _uses(registry, registry.signals):
        yield from _wrong_examples(reference, attribute)


def _wrong_examples(
    stating: Attribute | AttributeReference, attribute: Attribute
) -> Iterator[Finding]:
    for example in stating.examples:
        if not _is_of_type(example, attribute.type.name):
            message = f"example {example!r} of {attribute.key!r} is no {attribute.type.name}"
            yield Finding(stating.place, "examples", message)


def _is_of_type(value: Any, type_name: str) -> bool:
    if type_name.startswith("template["):
        return _is_of_type(value, type_name.removeprefix("template[").removesuffix("]"))
    if type_name.endswith("[]"):
        is_item = _IS_OF_TYPE[type_name.removesuffix("[]")]
        return isinstance(value, list) and all(is_item(item) for item in value)
    return _IS_OF_TYPE[type_name](value)


def attribute_annotations_are_known(registry: Registry) -> Iterator[Finding]:
    """Annotations decide what is stripped: a typing error would let personal data through."""
    for attribute in registry.attributes:
        for name, value in attribute.annotations.items():
            known = _ATTRIBUTE_ANNOTATIONS.get(name)
            if known is None or value not in known:
                message = f"annotation {name!r}: {value!r} of {attribute.key!r} is unknown"
                yield Finding(attribute.place, "annotation", message)


def signal_annotations_are_known(registry: Registry) -> Iterator[Finding]:
    """Annotations decide what is generated: a typing error would leave it out."""
    for signal in registry.signals:
        for name in signal.annotations:
            if name not in _known_annotations(signal):
                message = f"annotation {name!r} of {signal.name!r} is unknown"
                yield Finding(signal.place, "annotation", message)


def _known_annotations(signal: Signal) -> frozenset[str]:
    if isinstance(signal, Metric):
        return _METRIC_ANNOTATIONS
    return _EVENT_ANNOTATIONS


def signals_state_their_emitter(registry: Registry) -> Iterator[Finding]:
    """Who writes a signal is said."""
    for signal in registry.signals:
        if not isinstance(signal, Entity) and signal.annotations.get("emitted_by") not in _EMITTERS:
            message = f"{signal.name!r} lacks annotations.emitted_by: {' or '.join(_EMITTERS)}"
            yield Finding(signal.place, "emitted-by", message)


def events_state_their_severity(registry: Registry) -> Iterator[Finding]:
    """An event is a log record, and a log record has a severity."""
    for event in registry.events:
        if event.annotations.get("severity") not in _SEVERITIES:
            message = f"{event.name!r} lacks annotations.severity: {', '.join(_SEVERITIES)}"
            yield Finding(event.place, "severity", message)


def renamed_things_have_a_successor(registry: Registry) -> Iterator[Finding]:
    """What is renamed says to what, and that exists."""
    keys = {attribute.key for attribute in registry.attributes}
    signals = {signal.name for signal in registry.signals}
    for known, items in ((keys, registry.attributes), (signals, registry.signals)):
        for item in items:
            deprecated = item.deprecated
            if deprecated and deprecated.reason == "renamed" and deprecated.renamed_to not in known:
                message = f"renamed to {deprecated.renamed_to!r}, which is not defined"
                yield Finding(deprecated.place, "deprecated", message)


def schema_url_names_a_version(registry: Registry) -> Iterator[Finding]:
    """Receivers tell versions apart by the last part of the URL, and development by its suffix."""
    manifest = registry.manifest
    url = manifest.schema_url
    if not _SCHEMA_URL.fullmatch(url):
        yield Finding(manifest.place, "schema-url", f"{url!r} does not end in a version like 0.1.0")
    if (manifest.stability == "development") != url.endswith("-dev"):
        message = f"{url!r} of stability {manifest.stability}: -dev belongs to development"
        yield Finding(manifest.place, "schema-url", message)


def copies_are_of_a_dependency(registry: Registry) -> Iterator[Finding]:
    """Upstream names are copied from the version that the manifest names."""
    known = {dependency.schema_url for dependency in registry.manifest.dependencies}
    for attribute in registry.attributes:
        if attribute.upstream and attribute.upstream not in known:
            message = f"{attribute.key!r} is copied from {attribute.upstream}, no dependency"
            yield Finding(attribute.place, "upstream", message)


def _shown(place: Place) -> str:
    return f"{place.file}:{place.line}"


RULES: tuple[Rule, ...] = (
    names_follow_the_pattern,
    own_names_begin_with_our_root,
    names_are_defined_once,
    no_name_is_a_namespace,
    constants_are_distinct,
    references_resolve,
    entities_resolve,
    span_names_resolve,
    groups_do_not_collide,
    attributes_are_used,
    briefs_are_sentences,
    signals_state_their_level,
    signals_are_no_stabler_than_their_attributes,
    references_state_their_level,
    any_stays_on_spans_and_events,
    metrics_are_bounded,
    personal_data_is_opt_in,
    metrics_state_their_value_type,
    histograms_have_buckets,
    units_suit_prometheus,
    enumerations_are_sound,
    examples_are_of_their_type,
    attribute_annotations_are_known,
    signal_annotations_are_known,
    signals_state_their_emitter,
    events_state_their_severity,
    renamed_things_have_a_successor,
    schema_url_names_a_version,
    copies_are_of_a_dependency,
)
