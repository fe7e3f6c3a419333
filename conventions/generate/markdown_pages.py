"""The pages of `docs/reference/conventions`, as text: one per kind of name, and an index."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from conventions.generate.python_source import GENERATED, deprecation, shown_example

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conventions.generate.model import (
        Attribute,
        AttributeReference,
        Entity,
        Event,
        Metric,
        Registry,
        Signal,
        Span,
    )

MANNER = f"<!-- {GENERATED}. -->"
_EMITTERS = {"sdk": "the SDK", "processor": "the processor"}
_VALUE_TYPES = {"int": "integers", "double": "doubles"}


def pages(registry: Registry) -> dict[str, str]:
    """Give every page by its file name; a kind without signals has none."""
    candidates = {
        "attributes.md": (_attributes_page, len(registry.attributes)),
        "spans.md": (_spans_page, len(registry.spans)),
        "metrics.md": (_metrics_page, len(registry.metrics)),
        "events.md": (_events_page, len(registry.events)),
        "entities.md": (_entities_page, len(registry.entities)),
    }
    written = {name: _joined(page(registry)) for name, (page, count) in candidates.items() if count}
    counts = {name: count for name, (_, count) in candidates.items() if count}
    return {"index.md": _joined(_index_page(registry, counts)), **written}


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join([MANNER, *blocks]) + "\n"


def _index_page(registry: Registry, counts: dict[str, int]) -> Iterator[str]:
    manifest = registry.manifest
    yield "# The conventions"
    yield manifest.description
    yield f"Schema URL: `{manifest.schema_url}`. Stability: {manifest.stability}."
    rows = [
        (f"[{name.removesuffix('.md').capitalize()}]({name})", str(count))
        for name, count in counts.items()
    ]
    yield _table(("Page", "Names"), rows)


def _attributes_page(registry: Registry) -> Iterator[str]:
    yield "# Attributes"
    yield (
        "Marks: *large* values may be cut or stripped, *PII* may identify a person, *high* "
        "cardinality stays off metrics unless asked for."
    )
    own = [attribute for attribute in registry.attributes if not attribute.upstream]
    for namespace, members in groupby(own, key=_namespace):
        yield f"## {namespace}"
        yield _attribute_table(list(members))
    copied = [attribute for attribute in registry.attributes if attribute.upstream]
    if copied:
        yield "## Upstream"
        yield f"Used as {copied[0].upstream} defines them."
        yield _attribute_table(copied)


def _namespace(attribute: Attribute) -> str:
    return ".".join(attribute.key.split(".")[:2])


def _attribute_table(attributes: Sequence[Attribute]) -> str:
    rows = [
        (f"`{item.key}`", _type(item), _meaning(item), _shown(item), _marks(item))
        for item in attributes
    ]
    table = _table(("Key", "Type", "Meaning", "Examples", "Marks"), rows)
    values = [_values_table(item) for item in attributes if item.type.is_enum]
    return "\n\n".join([table, *values])


def _meaning(attribute: Attribute) -> str:
    sentences = [attribute.brief, attribute.note, deprecation(attribute)]
    return " ".join(sentence for sentence in sentences if sentence)


def _type(attribute: Attribute) -> str:
    return "enum" if attribute.type.is_enum else f"`{attribute.type.name}`"


def _shown(attribute: Attribute) -> str:
    if attribute.type.is_enum:
        return f"`{attribute.type.members[0].value}`"
    return ", ".join(f"`{shown_example(example)}`" for example in attribute.examples)


def _marks(attribute: Attribute) -> str:
    return ", ".join(str(mark) for mark in attribute.annotations.values())


def _values_table(attribute: Attribute) -> str:
    rows = [(f"`{member.value}`", member.brief) for member in attribute.type.members]
    return f"Values of `{attribute.key}`:\n\n" + _table(("Value", "Meaning"), rows)


def _spans_page(registry: Registry) -> Iterator[str]:
    yield "# Spans"
    for span in registry.spans:
        yield from _signal(registry, span, _span_facts(span))


def _span_facts(span: Span) -> Iterator[tuple[str, str]]:
    yield "Name", f"`{span.pattern}`"
    yield "Kind", span.kind


def _metrics_page(registry: Registry) -> Iterator[str]:
    yield "# Metrics"
    emitters = dict.fromkeys(_emitter(metric) for metric in registry.metrics)
    for emitter in emitters:
        metrics = [metric for metric in registry.metrics if _emitter(metric) == emitter]
        yield f"## Written by {_EMITTERS[emitter]}"
        rows = [(f"`{item.name}`", f"`{item.prometheus_name}`", item.brief) for item in metrics]
        yield _table(("Metric", "In Prometheus", "Meaning"), rows)
        for metric in metrics:
            yield from _signal(registry, metric, _metric_facts(metric), heading="###")


def _emitter(signal: Signal) -> str:
    return str(signal.annotations.get("emitted_by", ""))


def _metric_facts(metric: Metric) -> Iterator[tuple[str, str]]:
    yield "Instrument", f"{metric.instrument} of {_VALUE_TYPES[metric.value_type]}"
    yield "Unit", f"`{metric.unit}`"
    yield "In Prometheus", f"`{metric.prometheus_name}`"
    if metric.boundaries:
        yield "Buckets", ", ".join(f"{edge:g}" for edge in metric.boundaries)


def _events_page(registry: Registry) -> Iterator[str]:
    yield "# Events"
    for event in registry.events:
        yield from _signal(registry, event, _event_facts(event))


def _event_facts(event: Event) -> Iterator[tuple[str, str]]:
    yield "Severity", str(event.annotations["severity"])


def _entities_page(registry: Registry) -> Iterator[str]:
    yield "# Entities"
    for entity in registry.entities:
        yield from _signal(registry, entity, _entity_facts(entity))


def _entity_facts(entity: Entity) -> Iterator[tuple[str, str]]:
    yield "Identity", ", ".join(f"`{key}`" for key in entity.identity)


def _signal(
    registry: Registry, signal: Signal, facts: Iterable[tuple[str, str]], heading: str = "##"
) -> Iterator[str]:
    yield f"{heading} {signal.name}"
    yield from filter(None, [signal.brief, signal.note, deprecation(signal)])
    emitter = _EMITTERS.get(_emitter(signal))
    written = [("Written by", emitter)] if emitter else []
    level = [("Level", signal.requirement_level.replace("_", "-")), ("Stability", signal.stability)]
    yield "\n".join(f"* {name}: {value}" for name, value in [*facts, *written, *level])
    references = registry.resolve(signal.attributes)
    if references:
        rows = [_reference_row(registry, reference) for reference in references]
        yield _table(("Attribute", "Type", "Requirement", "Meaning"), rows)


def _reference_row(registry: Registry, reference: AttributeReference) -> tuple[str, str, str, str]:
    attribute = registry.attribute_by_key[reference.ref]
    meaning = reference.brief or attribute.brief
    if reference.sampling_relevant:
        meaning += " Set at the start of the span."
    return f"`{reference.ref}`", _type(attribute), _requirement(reference), meaning


def _requirement(reference: AttributeReference) -> str:
    stated = reference.requirement_level
    if stated is None:
        return ""
    level = stated.level.replace("_", " ")
    return f"{level}: {stated.condition}" if stated.condition else level


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
