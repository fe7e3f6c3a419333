"""
What the records of the registry must agree on: one function per rule, findings out.

The shape of a single record is judged where it is read, in `reading.py`; what the last release forbids,
in `compatibility.py`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

from conventions.generate.findings import Finding, Place, Rule
from conventions.generate.model import (
    STABILITIES,
    Attribute,
    AttributeGroup,
    AttributeReference,
    Entity,
    EnumMember,
    Event,
    GroupReference,
    Metric,
    Registry,
    Signal,
    Span,
)

Named: TypeAlias = tuple[str, Place]
_Deprecatable: TypeAlias = Attribute | EnumMember | Signal
Check: TypeAlias = Callable[[Registry], Iterator[Finding]]

ROOT = "ml"
_NAME = re.compile(r"[a-z][a-z0-9]*([._][a-z0-9]+)*")
_MEMBER_ID = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SENTENCE = re.compile(r"[A-Z`].*\.", re.DOTALL)
_MATURITIES = "-dev|-alpha|-beta|-rc"
_SCHEMA_URL = re.compile(
    rf"https?://[^\s\"]+/[a-z0-9]+(?:-[a-z0-9]+)*?({_MATURITIES})?/\d+\.\d+\.\d+({_MATURITIES})?"
)
_MATURITY = {
    "development": "-dev",
    "alpha": "-alpha",
    "beta": "-beta",
    "release_candidate": "-rc",
    "stable": "",
}
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
_INT64 = range(-(2**63), 2**63)
_SIGNAL_ANNOTATIONS = frozenset({"emitted_by"})
_METRIC_ANNOTATIONS = _SIGNAL_ANNOTATIONS | {"code_generation", "bucket_boundaries"}
_EVENT_ANNOTATIONS = _SIGNAL_ANNOTATIONS | {"severity"}


class _Aging(Protocol):
    @property
    def stability(self) -> str: ...


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
                yield Finding(place, Rule.NAMING, f"{kind} {name!r} does not match {_NAME.pattern}")
    for attribute in registry.attributes:
        for member in attribute.type.members:
            if not _MEMBER_ID.fullmatch(member.id):
                message = f"member id {member.id!r} does not match {_MEMBER_ID.pattern}"
                yield Finding(member.place, Rule.NAMING, message)


def own_names_begin_with_our_root(registry: Registry) -> Iterator[Finding]:
    """What we define stands in our namespace, and nowhere in anybody else's."""
    own = [(attribute.key, attribute.place) for attribute in _own_attributes(registry)]
    for name, place in own + [(signal.name, signal.place) for signal in registry.signals]:
        if not name.startswith(f"{ROOT}."):
            yield Finding(place, Rule.ROOT, f"{name!r} is ours but does not begin with '{ROOT}.'")


def names_are_defined_once(registry: Registry) -> Iterator[Finding]:
    """Two definitions of one name leave open which holds."""
    for kind, named in _names_by_kind(registry).items():
        first: dict[str, Place] = {}
        for name, place in named:
            if name in first:
                message = f"{kind} {name!r} is defined in {first[name]} already"
                yield Finding(place, Rule.DUPLICATE, message)
            first.setdefault(name, place)


def no_name_is_a_namespace(registry: Registry) -> Iterator[Finding]:
    """A key that is also a prefix cannot be stored as a tree, which backends do."""
    for kind, named in _names_by_kind(registry).items():
        defined = dict(named)
        for name, place in named:
            for prefix in _namespaces(name) & defined.keys():
                message = (
                    f"{kind} {name!r} lies in the namespace of the {kind} {prefix!r} "
                    f"({defined[prefix]}); rename one"
                )
                yield Finding(place, Rule.NAMESPACE, message)


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
                yield Finding(place, Rule.CONSTANT, message)


def references_resolve(registry: Registry) -> Iterator[Finding]:
    """Every attribute and group that is referred to exists."""
    for owner in _owners(registry):
        for reference in owner.attributes:
            if isinstance(reference, GroupReference):
                if reference.ref_group not in registry.group_by_id:
                    message = f"no attribute group {reference.ref_group!r} is defined"
                    yield Finding(reference.place, Rule.UNRESOLVED, message)
            elif reference.ref not in registry.attribute_by_key:
                message = f"no attribute {reference.ref!r} is defined, here or upstream"
                yield Finding(reference.place, Rule.UNRESOLVED, message)


def entities_resolve(registry: Registry) -> Iterator[Finding]:
    """Every entity that a signal is associated with exists."""
    known = {entity.name for entity in registry.entities}
    for signal in registry.signals:
        for name in signal.entity_associations:
            if name not in known:
                yield Finding(signal.place, Rule.UNRESOLVED, f"no entity {name!r} is defined")


def span_names_resolve(registry: Registry) -> Iterator[Finding]:
    """A span name is built from attributes that the span has."""
    for span in registry.spans:
        present = {reference.ref for reference in registry.resolve(span.attributes)}
        for key in _PLACEHOLDER.findall(span.pattern):
            if key not in present:
                message = f"the name of span {span.name!r} uses {key!r}, which the span lacks"
                yield Finding(span.place, Rule.UNRESOLVED, message)


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
                        yield Finding(group.place, Rule.GROUP_COLLISION, message)


def attributes_are_used(registry: Registry) -> Iterator[Finding]:
    """An attribute that no signal carries is never on the wire."""
    used = {reference.ref for _, reference, _ in _uses(registry, registry.signals)}
    for attribute in _own_attributes(registry):
        if attribute.key not in used and not attribute.deprecated:
            message = f"attribute {attribute.key!r} is on no signal; add it to one or leave it out"
            yield Finding(attribute.place, Rule.UNUSED, message)


def briefs_are_sentences(registry: Registry) -> Iterator[Finding]:
    """A brief stands alone in tables and docstrings."""
    items: tuple[Attribute | Signal, ...] = (*registry.attributes, *registry.signals)
    for item in items:
        if not item.brief.endswith("."):
            yield Finding(
                item.place, Rule.BRIEF, f"brief {item.brief!r} does not end with a period"
            )
    for attribute in registry.attributes:
        for member in attribute.type.members:
            if not member.brief.endswith("."):
                message = f"brief {member.brief!r} does not end with a period"
                yield Finding(member.place, Rule.BRIEF, message)


def signals_state_their_level(registry: Registry) -> Iterator[Finding]:
    """Whether a signal is on by default is said, never assumed."""
    for signal in registry.signals:
        if not signal.requirement_level:
            message = f"{signal.name!r} lacks requirement_level: recommended or opt_in"
            yield Finding(signal.place, Rule.SIGNAL_LEVEL, message)


def signals_are_no_stabler_than_their_attributes(registry: Registry) -> Iterator[Finding]:
    """A stable signal cannot rest on an attribute that may still change."""
    for signal, reference, attribute in _uses(registry, registry.signals):
        if _is_on(reference.requirement_level) and _exceeds(signal, attribute):
            message = (
                f"{signal.name!r} is {signal.stability} but needs {attribute.key!r}, "
                f"which is {attribute.stability}"
            )
            yield Finding(signal.place, Rule.STABILITY, message)


def members_are_no_stabler_than_their_enumeration(registry: Registry) -> Iterator[Finding]:
    """A value cannot be promised for a key that may still change."""
    for attribute in registry.attributes:
        for member in attribute.type.members:
            if _exceeds(member, attribute):
                message = (
                    f"member {member.id!r} is {member.stability} but {attribute.key!r} "
                    f"is {attribute.stability}"
                )
                yield Finding(member.place, Rule.STABILITY, message)


def the_registry_is_no_stabler_than_its_names(registry: Registry) -> Iterator[Finding]:
    """A registry is published under the stability of the least stable name in it."""
    items: tuple[Attribute | Signal, ...] = (*_own_attributes(registry), *registry.signals)
    for item in items:
        if _exceeds(registry.manifest, item):
            message = f"is {item.stability}, but the manifest is {registry.manifest.stability}"
            yield Finding(item.place, Rule.STABILITY, f"{item.name!r} {message}")


def _exceeds(promise: _Aging, ground: _Aging) -> bool:
    return STABILITIES.index(promise.stability) > STABILITIES.index(ground.stability)


def references_state_their_level(registry: Registry) -> Iterator[Finding]:
    """How strongly an attribute is asked for is said, and its condition is a sentence."""
    for owner in _owners(registry):
        for reference in registry.resolve(owner.attributes):
            stated = reference.requirement_level
            if stated is None:
                message = f"{reference.ref!r} lacks a requirement_level"
                yield Finding(reference.place, Rule.REQUIREMENT, message)
            elif stated.condition and not _SENTENCE.fullmatch(stated.condition):
                message = f"condition {stated.condition!r} is no sentence that ends with a period"
                yield Finding(reference.place, Rule.REQUIREMENT, message)


def any_stays_on_spans_and_events(registry: Registry) -> Iterator[Finding]:
    """Metrics and resources cannot carry values without a fixed type."""
    for signal, reference, attribute in _uses(registry, (*registry.metrics, *registry.entities)):
        if attribute.type.name in {"any", "template[any]"}:
            message = (
                f"{reference.ref!r} is of type {attribute.type.name}, which only spans and events "
                f"may carry; {signal.name!r} is neither"
            )
            yield Finding(reference.place, Rule.ANY, message)


def metrics_are_bounded(registry: Registry) -> Iterator[Finding]:
    """An attribute of many values makes a series each: on a metric only if asked for."""
    for signal, reference, attribute in _uses(registry, registry.metrics):
        stated = reference.requirement_level
        if attribute.annotations.get("cardinality") == "high" and _is_on(stated):
            message = (
                f"{reference.ref!r} has high cardinality; on {signal.name!r} it must be opt_in"
            )
            yield Finding(reference.place, Rule.CARDINALITY, message)


def personal_data_is_opt_in(registry: Registry) -> Iterator[Finding]:
    """What may identify a person leaves the process only if asked for."""
    for signal, reference, attribute in _uses(registry, registry.signals):
        stated = reference.requirement_level
        if attribute.annotations.get("sensitivity") == "PII" and _is_on(stated):
            message = f"{reference.ref!r} may be personal; on {signal.name!r} it must be opt_in"
            yield Finding(reference.place, Rule.SENSITIVITY, message)


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
            yield Finding(metric.place, Rule.VALUE_TYPE, message)


def histograms_have_buckets(registry: Registry) -> Iterator[Finding]:
    """The default buckets fit nothing that happens inside a process."""
    for metric in registry.metrics:
        edges = metric.boundaries
        is_histogram = metric.instrument == "histogram"
        if is_histogram != bool(edges):
            wanted = "needs" if is_histogram else "cannot have"
            message = f"{metric.instrument} {metric.name!r} {wanted} annotations.bucket_boundaries"
            yield Finding(metric.place, Rule.BUCKETS, message)
        elif not all(_is_number(edge) for edge in edges):
            yield Finding(
                metric.place, Rule.BUCKETS, f"a boundary of {metric.name!r} is not finite"
            )
        elif not all(lower < upper for lower, upper in pairwise(edges)):
            yield Finding(metric.place, Rule.BUCKETS, f"boundaries of {metric.name!r} do not rise")


def units_suit_prometheus(registry: Registry) -> Iterator[Finding]:
    """A gauge of unit 1 becomes a ratio, so only shares have it; a unit is not in the name."""
    for metric in registry.metrics:
        for message in _unit_faults(metric):
            yield Finding(metric.place, Rule.UNIT, f"{metric.name!r} {message}")


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
            yield Finding(attribute.place, Rule.ENUM, f"{attribute.key!r} has no members")
        for index, member in enumerate(members):
            before = members[:index]
            if any(member.id == other.id or member.value == other.value for other in before):
                message = f"member {member.id!r} of {attribute.key!r} is given twice"
                yield Finding(member.place, Rule.ENUM, message)


def _is_number(value: Any) -> bool:
    # NaN and the infinities fail the comparison, and so does an integer beyond every double.
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) <= sys.float_info.max


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return value is not None


_IS_OF_TYPE: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int": lambda value: type(value) is int and value in _INT64,
    "double": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "any": _is_json,
}


def examples_are_of_their_type(registry: Registry) -> Iterator[Finding]:
    """A reader copies the example, so it must be one."""
    for attribute in registry.attributes:
        if not attribute.examples and not attribute.type.is_enum:
            yield Finding(attribute.place, Rule.EXAMPLES, f"{attribute.key!r} has no example")
        yield from _wrong_examples(attribute, attribute)
    for _, reference, attribute in _uses(registry, registry.signals):
        yield from _wrong_examples(reference, attribute)


def _wrong_examples(
    stating: Attribute | AttributeReference, attribute: Attribute
) -> Iterator[Finding]:
    for example in stating.examples:
        if not _is_of_type(example, attribute.type.name):
            message = f"example {example!r} of {attribute.key!r} is no {attribute.type.name}"
            yield Finding(stating.place, Rule.EXAMPLES, message)


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
                yield Finding(attribute.place, Rule.ANNOTATION, message)


def signal_annotations_are_known(registry: Registry) -> Iterator[Finding]:
    """Annotations decide what is generated: a typing error would leave it out."""
    for signal in registry.signals:
        for name in signal.annotations:
            if name not in _known_annotations(signal):
                message = f"annotation {name!r} of {signal.name!r} is unknown"
                yield Finding(signal.place, Rule.ANNOTATION, message)


def _known_annotations(signal: Signal) -> frozenset[str]:
    if isinstance(signal, Metric):
        return _METRIC_ANNOTATIONS
    return _EVENT_ANNOTATIONS if isinstance(signal, Event) else _SIGNAL_ANNOTATIONS


def signals_state_their_emitter(registry: Registry) -> Iterator[Finding]:
    """Who writes a signal is said."""
    for signal in registry.signals:
        if not isinstance(signal, Entity) and signal.annotations.get("emitted_by") not in _EMITTERS:
            message = f"{signal.name!r} lacks annotations.emitted_by: {' or '.join(_EMITTERS)}"
            yield Finding(signal.place, Rule.EMITTED_BY, message)


def events_state_their_severity(registry: Registry) -> Iterator[Finding]:
    """An event is a log record, and a log record has a severity."""
    for event in registry.events:
        if event.annotations.get("severity") not in _SEVERITIES:
            message = f"{event.name!r} lacks annotations.severity: {', '.join(_SEVERITIES)}"
            yield Finding(event.place, Rule.SEVERITY, message)


def identities_identify(registry: Registry) -> Iterator[Finding]:
    """An entity is told apart by attributes that are always there, and described by others."""
    for entity in registry.entities:
        if not entity.identity:
            message = f"{entity.name!r} has no identity; name what tells two of them apart"
            yield Finding(entity.place, Rule.IDENTITY, message)
        seen: set[str] = set()
        for reference in registry.unfold(entity.attributes):
            if reference.ref in seen:
                message = f"{reference.ref!r} is named twice; it either identifies or describes"
                yield Finding(reference.place, Rule.IDENTITY, message)
            elif reference.ref in entity.identity and not _is_on(reference.requirement_level):
                message = f"{reference.ref!r} identifies {entity.name!r}, so it cannot be opt_in"
                yield Finding(reference.place, Rule.IDENTITY, message)
            seen.add(reference.ref)


def deprecations_say_what_to_do(registry: Registry) -> Iterator[Finding]:
    """Who reads a deprecated name learns what to write instead, in one step."""
    for kind, items in _deprecatable(registry):
        for item in items.values():
            if item.deprecated:
                for message in _deprecation_faults(kind, item, items):
                    yield Finding(item.deprecated.place, Rule.DEPRECATED, message)


def _deprecatable(registry: Registry) -> Iterator[tuple[str, Mapping[str, _Deprecatable]]]:
    yield "attribute", {item.key: item for item in _own_attributes(registry)}
    yield "span", {item.name: item for item in registry.spans}
    yield "metric", {item.name: item for item in registry.metrics}
    yield "event", {item.name: item for item in registry.events}
    yield "entity", {item.name: item for item in registry.entities}
    for attribute in _own_attributes(registry):
        members = {member.id: member for member in attribute.type.members}
        yield f"member of {attribute.key!r}", members


def _deprecation_faults(
    kind: str, item: _Deprecatable, items: Mapping[str, _Deprecatable]
) -> Iterator[str]:
    stated = item.deprecated
    if stated is None:
        return
    successor = items.get(stated.renamed_to)
    if stated.reason != "renamed":
        if stated.renamed_to:
            yield f"{stated.reason} cannot have renamed_to; say in the note what to write instead"
        if not stated.note:
            yield f"{stated.reason} needs a note that says why, and what to write instead"
    elif successor is None:
        yield f"renamed to {stated.renamed_to!r}, which is no {kind}; renamed_to names the successor"
    elif successor.deprecated:
        yield f"renamed to {stated.renamed_to!r}, which is deprecated too; name what is in use"
    elif _on_the_wire(successor) != _on_the_wire(item):
        yield (
            f"renamed to {stated.renamed_to!r}, which is {_on_the_wire(successor)} and not "
            f"{_on_the_wire(item)}; what changes is no rename: the reason is uncategorized"
        )


def _on_the_wire(item: _Deprecatable) -> str:
    if isinstance(item, Attribute):
        return item.type.name
    if isinstance(item, Metric):
        return f"{item.instrument} of {item.value_type} in {item.unit}"
    return item.kind if isinstance(item, Span) else ""


def names_in_use_rest_on_names_in_use(registry: Registry) -> Iterator[Finding]:
    """A deprecated attribute may accompany its successor, and no signal needs it."""
    for signal, reference, attribute in _uses(registry, registry.signals):
        is_needed = _is_on(reference.requirement_level)
        if attribute.deprecated and is_needed and not signal.deprecated:
            message = f"{reference.ref!r} is deprecated; on {signal.name!r} it can only be opt_in"
            yield Finding(reference.place, Rule.DEPRECATED, message)


def schema_url_names_version_and_stability(registry: Registry) -> Iterator[Finding]:
    """Receivers tell versions apart by the last part of the URL, and stabilities by the suffixes."""
    manifest = registry.manifest
    maturity = _MATURITY[manifest.stability]
    match = _SCHEMA_URL.fullmatch(manifest.schema_url)
    if match is None or any((suffix or "") != maturity for suffix in match.groups()):
        message = (
            f"{manifest.schema_url!r} of stability {manifest.stability}: "
            f"expected http(s)://HOST/PATH/NAME{maturity}/1.2.3{maturity}"
        )
        yield Finding(manifest.place, Rule.SCHEMA_URL, message)


def copies_are_of_a_dependency(registry: Registry) -> Iterator[Finding]:
    """Upstream names are copied from the version that the manifest names."""
    known = {dependency.schema_url for dependency in registry.manifest.dependencies}
    for attribute in registry.attributes:
        if attribute.upstream and attribute.upstream not in known:
            message = f"{attribute.key!r} is copied from {attribute.upstream}, no dependency"
            yield Finding(attribute.place, Rule.UPSTREAM, message)


RULES: tuple[Check, ...] = (
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
    members_are_no_stabler_than_their_enumeration,
    the_registry_is_no_stabler_than_its_names,
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
    identities_identify,
    deprecations_say_what_to_do,
    names_in_use_rest_on_names_in_use,
    schema_url_names_version_and_stability,
    copies_are_of_a_dependency,
)
