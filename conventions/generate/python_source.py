"""The generated package `otel_ml_conventions`, as text: one function per module."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from conventions.generate.model import Metric
from conventions.generate.wording import deprecation, example_text, level_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conventions.generate.model import Attribute, Entity, EnumMember, Registry, Signal

_WIDTH = 96
_MOST_NAMES = 3  # signals are named up to here, counted beyond
GENERATED = "Generated from conventions/model by `python -m conventions.generate write`"
MANNER = f"{GENERATED}; what is edited here is overwritten."

_CONSTANT_IMPORTS = "from typing import Final\n"
_ATTRIBUTE_IMPORTS = "from enum import Enum\nfrom typing import Final\n"
_ENTITY_IMPORTS = """from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
"""
_METRIC_IMPORTS = """from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
"""

_FACTORIES = {
    "counter": ("Counter", "create_counter"),
    "updowncounter": ("UpDownCounter", "create_up_down_counter"),
    "histogram": ("Histogram", "create_histogram"),
}

_METRIC_DEFINITION = '''
class MetricDefinition(NamedTuple):
    """What an instrument is made of; `boundaries` is empty for all but histograms."""

    name: str
    instrument: str
    unit: str
    description: str
    value_type: str
    boundaries: tuple[float, ...]
'''

_HISTOGRAM_FACTORY = """
def _create_histogram(meter: Meter, definition: MetricDefinition) -> Histogram:
    name, _, unit, description, _, boundaries = definition
    try:
        return meter.create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=boundaries
        )
    except TypeError:  # the oldest API we run on cannot advise buckets; its defaults then hold
        return meter.create_histogram(name, unit, description)
"""


def _constant_name(name: str) -> str:
    """Give the Python constant of a name on the wire."""
    return name.replace(".", "_").upper()


def _class_name(key: str) -> str:
    """Give the Python class that lists the known values of an attribute."""
    return "".join(part.title() for part in key.replace(".", "_").split("_")) + "Values"


def package_modules(registry: Registry) -> dict[str, str]:
    """Give every Python file of the package by its name."""
    return {
        "__init__.py": _init_module(),
        "attributes.py": _attributes_module(registry),
        "entities.py": _entities_module(registry),
        "events.py": _events_module(registry),
        "metrics.py": _metrics_module(registry),
        "py.typed": "",
        "schema.py": _schema_module(registry),
        "spans.py": _spans_module(registry),
    }


def _init_module() -> str:
    content = (
        "`attributes`, `metrics`, `spans`, `events`, `entities` and `schema` hold constants, "
        "`registry.json` everything about them. Nothing is imported here."
    )
    return _docstring(["The names that otel-ml writes on the wire.", content, MANNER])


def _schema_module(registry: Registry) -> str:
    constant = f'SCHEMA_URL: Final = "{registry.manifest.schema_url}"\n'
    block = constant + _docstring([registry.manifest.description])
    return _module("The URL of the schema of the conventions.", _CONSTANT_IMPORTS, [block])


def _spans_module(registry: Registry) -> str:
    blocks = [
        _constant("SPAN", span, f"Name: `{span.pattern}`. Kind: {span.kind}.")
        for span in registry.spans
    ]
    return _module("Types of the spans of the conventions.", _CONSTANT_IMPORTS, blocks)


def _events_module(registry: Registry) -> str:
    blocks = [
        _constant("EVENT", event, f"Severity: {event.severity}.") for event in registry.events
    ]
    return _module("Names of the events of the conventions.", _CONSTANT_IMPORTS, blocks)


def _entities_module(registry: Registry) -> str:
    blocks = [
        *(_constant("ENTITY", entity, _identified_by(entity)) for entity in registry.entities),
        _identities(registry.entities),
    ]
    title = "Types of the entities of the conventions, and what identifies each."
    return _module(title, _ENTITY_IMPORTS, blocks)


def _identified_by(entity: Entity) -> str:
    return f"Identified by {_enumerated(f'`{key}`' for key in entity.identity)}."


def _identities(entities: Iterable[Entity]) -> str:
    entries = "".join(
        f"    ENTITY_{_constant_name(entity.name)}: {_tuple(entity.identity)},\n"
        for entity in entities
    )
    opening = "IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {\n"
    about = "Keys of the attributes that together identify an entity, by its type."
    return opening + entries + "}\n" + _docstring([about])


def _tuple(texts: Iterable[str]) -> str:
    return f"({''.join(f'{_quoted(text)}, ' for text in texts).rstrip()})"


def _constant(prefix: str, signal: Signal, facts: str) -> str:
    name = f"{prefix}_{_constant_name(signal.name)}"
    paragraphs = [signal.brief, signal.note, facts, deprecation(signal.deprecated)]
    return f'{name}: Final = "{signal.name}"\n' + _docstring(paragraphs)


def _attributes_module(registry: Registry) -> str:
    blocks = [_attribute(registry, attribute) for attribute in registry.attributes]
    blocks += [_values(attribute) for attribute in registry.attributes if attribute.type.is_enum]
    title = "Keys of the attributes of the conventions, and the known values of enumerations."
    return _module(title, _ATTRIBUTE_IMPORTS, blocks)


def _attribute(registry: Registry, attribute: Attribute) -> str:
    usage = " ".join(_requirements(registry, attribute.key))
    origin = f"Copied from {attribute.upstream}." if attribute.upstream else ""
    about = [attribute.brief, attribute.note, usage, _example(attribute), origin]
    head = f'{_constant_name(attribute.key)}: Final = "{attribute.key}"\n'
    return head + _docstring([*about, deprecation(attribute.deprecated)])


def _example(attribute: Attribute) -> str:
    if attribute.type.is_enum:
        return f"Known values: `{_class_name(attribute.key)}`."
    return f"Example: `{example_text(attribute.examples[0])}`."


def _requirements(registry: Registry, key: str) -> Iterator[str]:
    for stated, signals in registry.users(key).items():
        sentence = f"{level_name(stated.level)} on {_listed(signals)}"
        condition = stated.condition
        yield f"{sentence} {condition[0].lower()}{condition[1:]}" if condition else f"{sentence}."


def _listed(signals: Sequence[Signal]) -> str:
    others = [f"`{signal.name}`" for signal in signals if not isinstance(signal, Metric)]
    metrics = [f"`{signal.name}`" for signal in signals if isinstance(signal, Metric)]
    if len(metrics) > _MOST_NAMES:
        metrics = [f"{len(metrics)} metrics"]
    return _enumerated([*others, *metrics])


def _enumerated(texts: Iterable[str]) -> str:
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last


def _values(attribute: Attribute) -> str:
    head = f"class {_class_name(attribute.key)}(str, Enum):\n"
    about = _docstring([f"Known values of `{attribute.key}`."], indent=4)
    return head + about + "".join(_member(member) for member in attribute.type.members)


def _member(member: EnumMember) -> str:
    value = f"\n    {member.id.upper()} = {_quoted(member.value)}\n"
    return value + _docstring([member.brief], indent=4)


def _metrics_module(registry: Registry) -> str:
    created = [metric for metric in registry.metrics if _is_created(metric)]
    blocks = [
        *(_constant("METRIC", metric, _metric_facts(metric)) for metric in registry.metrics),
        _METRIC_DEFINITION.lstrip(),
        _definitions(registry.metrics),
        _HISTOGRAM_FACTORY.lstrip(),
        *(_factory(metric) for metric in created),
    ]
    title = "Names and definitions of the metrics of the conventions; factories for the SDK's."
    return _module(title, _METRIC_IMPORTS + _instrument_imports(created), blocks)


def _instrument_imports(created: Iterable[Metric]) -> str:
    types = {_FACTORIES[metric.instrument][0] for metric in created} | {"Histogram", "Meter"}
    return f"\n    from opentelemetry.metrics import {', '.join(sorted(types))}\n"


def _metric_facts(metric: Metric) -> str:
    kind = f"{metric.instrument.capitalize()}, {metric.value_type}, unit `{metric.unit}`."
    return f"{kind} In Prometheus `{metric.prometheus_name}`."


def _is_created(metric: Metric) -> bool:
    # A gauge is observed by a callback that only its owner has: nothing to create here.
    return metric.emitter == "sdk" and metric.instrument in _FACTORIES


def _definitions(metrics: Iterable[Metric]) -> str:
    entries = "".join(_definition(metric) for metric in metrics)
    opening = "DEFINITIONS: Final[Mapping[str, MetricDefinition]] = {\n"
    return opening + entries + '}\n"""Every metric by its name."""\n'


def _definition(metric: Metric) -> str:
    constant = f"METRIC_{_constant_name(metric.name)}"
    facts = (metric.instrument, metric.unit, metric.brief, metric.value_type)
    boundaries = repr(tuple(float(edge) for edge in metric.boundaries))
    arguments = [constant, *(_quoted(fact) for fact in facts), boundaries]
    inner = "".join(f"        {argument},\n" for argument in arguments)
    return f"    {constant}: MetricDefinition(\n{inner}    ),\n"


def _factory(metric: Metric) -> str:
    returned, method = _FACTORIES[metric.instrument]
    definition = f"DEFINITIONS[METRIC_{_constant_name(metric.name)}]"
    head = f"def create_{metric.name.replace('.', '_')}(meter: Meter) -> {returned}:\n"
    about = _docstring([f"Create `{metric.name}`."], indent=4)
    if metric.instrument == "histogram":
        return head + about + f"    return _create_histogram(meter, {definition})\n"
    unpacked = f"    name, _, unit, description, _, _ = {definition}\n"
    return head + about + unpacked + f"    return meter.{method}(name, unit, description)\n"


def _module(title: str, imports: str, blocks: Iterable[str]) -> str:
    head = _docstring([title, MANNER])
    return f"{head}\nfrom __future__ import annotations\n\n{imports}\n\n" + "\n\n".join(blocks)


def _docstring(paragraphs: Iterable[str], indent: int = 0) -> str:
    margin = " " * indent
    told = [_escaped(paragraph) for paragraph in paragraphs if paragraph]
    if len(told) == 1 and len(told[0]) < _WIDTH - indent:
        return f'{margin}"""{told[0]}"""\n'
    wrapped = "\n\n".join(_wrapped(paragraph, margin) for paragraph in told)
    return f'{margin}"""\n{wrapped}\n{margin}"""\n'


def _wrapped(paragraph: str, margin: str) -> str:
    wrapper = textwrap.TextWrapper(_WIDTH, initial_indent=margin, subsequent_indent=margin)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.fill(paragraph)


def _escaped(text: str) -> str:
    # A quote at the end, or three in a row, would end the docstring early.
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return escaped[:-1] + '\\"' if escaped.endswith('"') else escaped


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
