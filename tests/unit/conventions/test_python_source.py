"""The Python that is generated: what it says is what the YAML says."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from conventions.generate.json_document import registry_document
from conventions.generate.model import Registry
from conventions.generate.python_source import package_modules
from conventions.generate.reading import read_registry
from conventions.generate.rules import check

MANIFEST = "conventions/model/manifest.yaml"
METRICS = "conventions/model/metrics.yaml"
ATTRIBUTES = "conventions/model/attributes.yaml"
ENTITIES = "conventions/model/entities.yaml"
NASTY = 'Says "no", \\ and `|`, \\n, in """triple""" quotes, süß.'


@pytest.fixture
def generate(
    tmp_path: Path, write_registry: Callable[..., Path]
) -> Callable[..., tuple[Registry, Path]]:
    """Write the small registry with one edit, and its package, and give both."""

    def run(*edit: str) -> tuple[Registry, Path]:
        registry, findings = read_registry(write_registry(*edit))
        assert [*findings, *check(registry)] == []
        for name, text in package_modules(registry).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return registry, tmp_path

    return run


def _module(folder: Path, name: str) -> Any:
    path = folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"generated_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_attribute_is_a_constant(generate: Callable[..., tuple[Registry, Path]]) -> None:
    """`ML_COLOUR_NAME` is `"ml.colour.name"`, for ours and for upstream's."""
    _, folder = generate()

    attributes = _module(folder, "attributes")

    constants = {name: value for name, value in vars(attributes).items() if name.isupper()}
    assert constants == {
        "ML_COLOUR_NAME": "ml.colour.name",
        "ML_COLOUR_KIND": "ml.colour.kind",
        "ML_COLOUR_HUE": "ml.colour.hue",
        "ML_COLOUR_MIX": "ml.colour.mix",
        "ML_PAINTER_NAME": "ml.painter.name",
        "ML_CANVAS": "ml.canvas",
        "ML_BRUSH": "ml.brush",
        "ERROR_TYPE": "error.type",
    }


def test_every_enumeration_is_a_class_of_texts(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """A member is the value that goes on the wire, so that it can be set as it is."""
    _, folder = generate()

    kinds = _module(folder, "attributes").MlColourKindValues

    assert [(kind.name, kind.value) for kind in kinds] == [("WARM", "warm"), ("COLD", "cold")]
    assert kinds.COLD == "cold"


def test_a_docstring_tells_brief_requirement_and_example(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """A reader of the constant learns what it means, where it is asked for, how it looks."""
    _, folder = generate()

    text = (folder / "attributes.py").read_text(encoding="utf-8")

    start = text.index('ERROR_TYPE: Final = "error.type"')
    assert text[start:].startswith(
        '''ERROR_TYPE: Final = "error.type"
"""
Class of the error.

Conditionally required on `ml.painting` if the painting failed.

Example: `ValueError`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""
'''
    )


def test_any_text_survives_the_way_into_python(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """Quotes, backslashes and other alphabets in a brief come out of the module as they went in."""
    brief = f"brief: {json.dumps(NASTY)}"
    _, folder = generate(METRICS, "brief: Number of strokes.", brief)

    described = _module(folder, "metrics").DEFINITIONS["ml.painting.strokes"].description
    texts = [node.value for node in _constants(folder / "metrics.py")]

    assert described == NASTY
    assert any(text.strip().startswith(f"{NASTY}\n") for text in texts if text != NASTY)


def _constants(path: Path) -> list[Any]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_a_description_that_ends_in_a_quote_does_not_end_the_docstring(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """A quote before the closing quotes is escaped, so that the module still compiles."""
    _, folder = generate(MANIFEST, "What painters do.", """'What is called "painting"'""")

    texts = [node.value for node in _constants(folder / "schema.py")]

    assert 'What is called "painting"' in texts


def test_every_metric_has_a_definition(generate: Callable[..., tuple[Registry, Path]]) -> None:
    """Name, instrument, unit, description, value type and buckets, as the YAML states them."""
    _, folder = generate()

    definitions = _module(folder, "metrics").DEFINITIONS

    assert {name: tuple(definition) for name, definition in definitions.items()} == {
        "ml.painting.duration": (
            "ml.painting.duration",
            "histogram",
            "s",
            "Duration of paintings.",
            "double",
            (0.1, 1.0, 10.0),
        ),
        "ml.painting.strokes": (
            "ml.painting.strokes",
            "counter",
            "{stroke}",
            "Number of strokes.",
            "int",
            (),
        ),
        "ml.painting.active": (
            "ml.painting.active",
            "updowncounter",
            "{painting}",
            "Number of paintings begun and not ended.",
            "int",
            (),
        ),
        "ml.painting.dry": (
            "ml.painting.dry",
            "gauge",
            "1",
            "Share of paintings that are dry.",
            "double",
            (),
        ),
    }


def test_the_instruments_of_the_sdk_come_out_as_defined(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """A factory makes a real instrument with name, unit, description and the advised buckets."""
    _, folder = generate()
    metrics = _module(folder, "metrics")
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")

    metrics.create_ml_painting_duration(meter).record(0.5)
    metrics.create_ml_painting_strokes(meter).add(3)
    metrics.create_ml_painting_active(meter).add(-1)

    data: Any = reader.get_metrics_data()
    found = {item.name: item for item in data.resource_metrics[0].scope_metrics[0].metrics}
    assert {name: (item.unit, item.description) for name, item in found.items()} == {
        "ml.painting.duration": ("s", "Duration of paintings."),
        "ml.painting.strokes": ("{stroke}", "Number of strokes."),
        "ml.painting.active": ("{painting}", "Number of paintings begun and not ended."),
    }
    [duration] = found["ml.painting.duration"].data.data_points
    assert duration.explicit_bounds == (0.1, 1.0, 10.0)
    assert found["ml.painting.strokes"].data.is_monotonic
    assert not found["ml.painting.active"].data.is_monotonic


class OldMeter(NoOpMeter):
    """The meter of an API from before buckets could be advised."""

    def create_histogram(self, name: str, unit: str = "", description: str = "") -> Any:  # type: ignore[override]  # the old signature
        """Give what it was asked for."""
        return (name, unit, description)


def test_a_histogram_is_made_where_buckets_cannot_be_advised(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """On an older OpenTelemetry API the histogram has the default buckets, and nothing is raised."""
    _, folder = generate()

    made = _module(folder, "metrics").create_ml_painting_duration(OldMeter("test"))

    assert made == ("ml.painting.duration", "s", "Duration of paintings.")


def test_only_what_the_sdk_writes_and_can_create_has_a_factory(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """A gauge is observed by a callback that its owner has, the processor writes without a meter."""
    _, folder = generate()

    factories = [name for name in vars(_module(folder, "metrics")) if name.startswith("create_")]

    assert factories == [
        "create_ml_painting_duration",
        "create_ml_painting_strokes",
        "create_ml_painting_active",
    ]


def test_what_the_processor_writes_has_no_factory(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """A histogram that the SDK does not write is defined and not created."""
    _, folder = generate(METRICS, "emitted_by: sdk", "emitted_by: processor")

    metrics = _module(folder, "metrics")

    assert "ml.painting.duration" in metrics.DEFINITIONS
    assert not hasattr(metrics, "create_ml_painting_duration")


def test_spans_events_and_schema_are_named(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """Span types, event names and the schema URL are constants too."""
    _, folder = generate()

    assert _module(folder, "spans").SPAN_ML_PAINTING == "ml.painting"
    assert _module(folder, "events").EVENT_ML_PAINT_SPILLED == "ml.paint.spilled"
    assert _module(folder, "schema").SCHEMA_URL == (
        "https://paint.example/schemas/paint-dev/0.1.0-dev"
    )


def test_an_entity_is_a_constant_with_its_identity(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """Who sets an entity knows its type and the keys without which it is none."""
    _, folder = generate()

    entities = _module(folder, "entities")

    assert entities.ENTITY_ML_PALETTE == "ml.palette"
    assert entities.IDENTITY == {"ml.palette": ("ml.colour.name",)}
    assert "Identified by `ml.colour.name`." in (folder / "entities.py").read_text("utf-8")


def test_an_entity_may_be_identified_by_several_attributes(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """They are told in the order of the YAML."""
    kind = "      - ref: ml.colour.kind\n        requirement_level: required\n"
    _, folder = generate(ENTITIES, "    description:", f"{kind}    description:")

    identity = _module(folder, "entities").IDENTITY["ml.palette"]

    assert identity == ("ml.colour.name", "ml.colour.kind")


def test_the_document_tells_the_identity_of_an_entity_from_its_description(
    write_registry: Callable[..., Path],
) -> None:
    """A program finds all attributes of an entity, and which of them identify it."""
    registry, _ = read_registry(write_registry())

    palette = json.loads(registry_document(registry))["entities"]["ml.palette"]

    assert palette["identity"] == ["ml.colour.name"]
    assert list(palette["attributes"]) == ["ml.colour.name", "ml.colour.mix"]


def test_the_document_says_which_values_are_deprecated(
    write_registry: Callable[..., Path],
) -> None:
    """A program can tell a value that is still known from one that should be written."""
    deprecated = "deprecated: {reason: renamed, renamed_to: warm}"
    root = write_registry(
        ATTRIBUTES, "brief: Towards blue.", f"brief: Towards blue.\n          {deprecated}"
    )
    registry, _ = read_registry(root)

    attributes = json.loads(registry_document(registry))["attributes"]

    _, cold = attributes["ml.colour.kind"]["members"]
    assert cold["deprecated"] == {"reason": "renamed", "renamed_to": "warm"}


def test_what_is_deprecated_says_what_to_use(
    generate: Callable[..., tuple[Registry, Path]],
) -> None:
    """The docstring of a name that was renamed names its successor."""
    _, folder = generate(
        ATTRIBUTES,
        "brief: Who paints.",
        "brief: Who paints.\n    deprecated: {reason: renamed, renamed_to: ml.colour.name}",
    )

    text = (folder / "attributes.py").read_text(encoding="utf-8")

    assert "Deprecated: use `ml.colour.name`." in text


def test_the_document_says_what_each_signal_asks_for(
    write_registry: Callable[..., Path],
) -> None:
    """A span in `registry.json` has every attribute, groups unfolded, with level and condition."""
    registry, _ = read_registry(write_registry())

    document = json.loads(registry_document(registry))

    assert document["spans"]["ml.painting"] == {
        "kind": "internal",
        "name": "paint {ml.colour.name}",
        "brief": "One painting.",
        "stability": "development",
        "requirement_level": "recommended",
        "emitted_by": "sdk",
        "entity_associations": ["ml.palette"],
        "attributes": {
            "ml.colour.name": {"requirement_level": "required", "sampling_relevant": True},
            "ml.colour.kind": {"requirement_level": "recommended"},
            "ml.colour.hue": {"requirement_level": "recommended"},
            "ml.colour.mix": {
                "requirement_level": "recommended",
                "condition": "If it is known.",
            },
            "ml.painter.name": {"requirement_level": "opt_in"},
            "ml.canvas": {"requirement_level": "recommended"},
            "ml.brush": {"requirement_level": "opt_in"},
            "error.type": {
                "requirement_level": "conditionally_required",
                "condition": "If the painting failed.",
            },
        },
    }


def test_the_document_says_what_each_attribute_is(
    write_registry: Callable[..., Path],
) -> None:
    """Type, members, examples, annotations and origin are there for programs."""
    registry, _ = read_registry(write_registry())

    attributes = json.loads(registry_document(registry))["attributes"]

    assert attributes["ml.colour.kind"] == {
        "type": "string",
        "members": [
            {
                "id": "warm",
                "value": "warm",
                "brief": "Towards red.",
                "stability": "development",
            },
            {
                "id": "cold",
                "value": "cold",
                "brief": "Towards blue.",
                "stability": "development",
            },
        ],
        "brief": "Temperature of the colour.",
        "stability": "development",
    }
    assert attributes["ml.canvas"]["annotations"] == {"value_size": "large"}
    assert attributes["error.type"]["upstream"] == "https://opentelemetry.io/schemas/1.44.0"
    assert attributes["ml.brush"]["type"] == "template[int]"


def test_the_document_keeps_a_zero_that_an_example_states(
    write_registry: Callable[..., Path],
) -> None:
    """What is empty is left out; a zero in a list of examples is not empty."""
    root = write_registry(ATTRIBUTES, "examples: [3]", "examples: [0]")

    registry, _ = read_registry(root)

    assert json.loads(registry_document(registry))["attributes"]["ml.brush"]["examples"] == [0]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("ml.painting.duration", "ml_painting_duration_seconds"),
        ("ml.painting.strokes", "ml_painting_strokes_total"),
        ("ml.painting.active", "ml_painting_active"),
        ("ml.painting.dry", "ml_painting_dry_ratio"),
    ],
)
def test_a_metric_says_what_prometheus_calls_it(
    write_registry: Callable[..., Path], metric: str, expected: str
) -> None:
    """The name to query for is the one that Prometheus makes of name, unit and instrument."""
    registry, _ = read_registry(write_registry())

    document = json.loads(registry_document(registry))

    assert document["metrics"][metric]["prometheus_name"] == expected


def test_a_gauge_of_another_unit_is_no_ratio_in_prometheus(
    write_registry: Callable[..., Path],
) -> None:
    """A unit in braces leaves no trace in the name."""
    registry, _ = read_registry(write_registry(METRICS, 'unit: "1"', 'unit: "{painting}"'))

    document = json.loads(registry_document(registry))

    assert document["metrics"]["ml.painting.dry"]["prometheus_name"] == "ml_painting_dry"
