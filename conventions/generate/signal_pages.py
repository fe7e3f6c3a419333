"""The page of the spans, metrics, events or entities of one namespace: what each is and asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conventions.generate.attribute_pages import shown_examples, shown_type
from conventions.generate.markdown import Notes, code, prose, table
from conventions.generate.model import Entity, Event, Metric, Span
from conventions.generate.page_links import mention
from conventions.generate.wording import deprecation, level_name, requirement, stability_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conventions.generate.model import AttributeReference, Registry, Signal

_EMITTERS = {"sdk": "the SDK", "processor": "the processor"}
_VALUE_TYPES = {"int": "integers", "double": "doubles"}
_SHOWN_VALUES = 3
_SAMPLING = (
    "These can decide whether the span is sampled, so they SHOULD be given when it is started, "
    "if at all:"
)


def signals_page(registry: Registry, file: str, signals: Sequence[Signal]) -> Iterator[str]:
    """Give the blocks of the page *file*: a section for each signal, and their footnotes."""
    notes = Notes()
    for signal in signals:
        yield f"## `{signal.name}`"
        yield from filter(
            None, [prose(signal.brief), prose(signal.note), deprecation(signal.deprecated)]
        )
        yield "\n".join(f"* {name}: {value}" for name, value in _facts(registry, file, signal))
        yield from _attributes(registry, file, signal, notes)
    yield from notes


def _facts(registry: Registry, file: str, signal: Signal) -> Iterator[tuple[str, str]]:
    yield from _own_facts(signal)
    if emitter := _EMITTERS.get(signal.emitter):
        yield "Written by", emitter
    yield "Requirement level", level_name(signal.requirement_level)
    yield "Stability", stability_name(signal.stability)
    associated = [item for item in registry.entities if item.name in signal.entity_associations]
    if associated:
        yield "Entities", ", ".join(mention(entity, file) for entity in associated)


def _own_facts(signal: Signal) -> Iterator[tuple[str, str]]:
    if isinstance(signal, Span):
        yield "Name", code(signal.pattern)
        yield "Kind", code(signal.kind)
    elif isinstance(signal, Metric):
        yield "Instrument", f"{signal.instrument} of {_VALUE_TYPES[signal.value_type]}"
        yield "Unit", code(signal.unit)
        yield "In Prometheus", code(signal.prometheus_name)
        if signal.boundaries:
            yield "Buckets", ", ".join(f"{edge:g}" for edge in signal.boundaries)
    elif isinstance(signal, Event):
        yield "Severity", code(signal.severity)
    elif isinstance(signal, Entity):
        yield "Identified by", " and ".join(code(key) for key in signal.identity)


def _attributes(registry: Registry, file: str, signal: Signal, notes: Notes) -> Iterator[str]:
    references = registry.resolve(signal.attributes)
    if references:
        head = ("Attribute", "Type", "Requirement level", "Stability", "Meaning", "Examples")
        rows = [_row(registry, file, reference, notes) for reference in references]
        yield table(head, rows)
    at_start = [reference.ref for reference in references if reference.sampling_relevant]
    if at_start:
        yield _SAMPLING
        yield "\n".join(f"* {mention(registry.attribute_by_key[key], file)}" for key in at_start)


def _row(
    registry: Registry, file: str, reference: AttributeReference, notes: Notes
) -> tuple[str, ...]:
    attribute = registry.attribute_by_key[reference.ref]
    level = requirement(reference.requirement_level) if reference.requirement_level else ""
    values = [member.value for member in attribute.type.members[:_SHOWN_VALUES]]
    return (
        mention(attribute, file),
        shown_type(attribute),
        level,
        stability_name(attribute.stability),
        prose(reference.brief or attribute.brief) + notes.cite(reference.note or attribute.note),
        shown_examples(reference.examples or attribute.examples or values),
    )
