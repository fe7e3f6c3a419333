"""Every rule by its name, broken once in a registry that keeps all others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from conventions.generate.__main__ import main
from conventions.generate.findings import Rule

MANIFEST = "conventions/model/manifest.yaml"
ATTRIBUTES = "conventions/model/attributes.yaml"
SPANS = "conventions/model/spans.yaml"
METRICS = "conventions/model/metrics.yaml"
EVENTS = "conventions/model/events.yaml"
ENTITIES = "conventions/model/entities.yaml"
UPSTREAM = "conventions/upstream/attributes.yaml"
RELEASED = "conventions/released/0.1.0-dev/registry.json"
GENERATED = "conventions/otel_ml_conventions/spans.py"
LINE = re.compile(r"(?P<file>[^:]+):(?P<line>[1-9]\d*): (?P<rule>[a-z-]+): .+")


class Edit(NamedTuple):
    """A file, what stands in it, and what somebody writes instead."""

    file: str
    old: str
    new: str


NEXT_VERSION = Edit(MANIFEST, "paint-dev/0.1.0-dev", "paint-dev/0.2.0-dev")
STABLE_EVENT = (
    Edit(EVENTS, "stability: development", "stability: stable"),
    Edit(EVENTS, "requirement_level: required", "requirement_level: opt_in"),
)

BROKEN: dict[Rule, Edit] = {
    Rule.YAML: Edit(METRICS, "unit: s", "\tunit: s"),
    Rule.FILE_FORMAT: Edit(METRICS, "file_format: definition/2\n", "\nfile_format: definition/2\n"),
    Rule.TEXT: Edit(METRICS, "Number of strokes.", "Number of\u200bstrokes."),
    Rule.UNKNOWN_FIELD: Edit(METRICS, "unit: s", "unit: s\n    units: s"),
    Rule.MISSING_FIELD: Edit(METRICS, "    unit: s\n", ""),
    Rule.DUPLICATE_FIELD: Edit(METRICS, "unit: s", "unit: s\n    unit: s"),
    Rule.WRONG_TYPE: Edit(METRICS, "instrument: gauge", "instrument: thermometer"),
    Rule.NAMING: Edit(METRICS, "ml.painting.strokes", "ml.painting.Strokes"),
    Rule.ROOT: Edit(METRICS, "ml.painting.strokes", "gen_ai.painting.strokes"),
    Rule.DUPLICATE: Edit(METRICS, "ml.painting.strokes", "ml.painting.active"),
    Rule.NAMESPACE: Edit(METRICS, "ml.painting.strokes", "ml.painting.active.strokes"),
    Rule.CONSTANT: Edit(METRICS, "ml.painting.strokes", "ml.painting_active"),
    Rule.UNRESOLVED: Edit(EVENTS, "ref: ml.colour.name", "ref: ml.color.name"),
    Rule.GROUP_COLLISION: Edit(
        SPANS,
        "spans:\n",
        "  - id: attributes.ml.other\n    visibility: internal\n    attributes:\n"
        "      - {ref: ml.colour.kind, requirement_level: opt_in}\n"
        "spans:\n"
        "  - type: ml.sketch\n    kind: internal\n    name: {note: sketch}\n"
        "    brief: One sketch.\n    stability: development\n    requirement_level: opt_in\n"
        "    annotations: {emitted_by: sdk}\n"
        "    attributes:\n      - ref_group: attributes.ml.colour\n"
        "      - ref_group: attributes.ml.other\n",
    ),
    Rule.UNUSED: Edit(SPANS, "      - ref: ml.brush\n        requirement_level: opt_in\n", ""),
    Rule.UPSTREAM: Edit(MANIFEST, "schemas/1.44.0", "schemas/1.45.0"),
    Rule.BRIEF: Edit(METRICS, "Number of strokes.", "Number of strokes"),
    Rule.EXAMPLES: Edit(ATTRIBUTES, "examples: [0.25]", "examples: [a quarter]"),
    Rule.ENUM: Edit(ATTRIBUTES, "value: cold", "value: warm"),
    Rule.ANNOTATION: Edit(ATTRIBUTES, "sensitivity: PII", "sensitivity: pii"),
    Rule.SIGNAL_LEVEL: Edit(EVENTS, "    requirement_level: recommended\n", ""),
    Rule.REQUIREMENT: Edit(SPANS, "If the painting failed.", "on failure"),
    Rule.ANY: Edit(ENTITIES, "ref: ml.colour.mix", "ref: ml.canvas"),
    Rule.CARDINALITY: Edit(
        METRICS,
        "ml.colour.hue\n        requirement_level: opt_in",
        "ml.colour.hue\n        requirement_level: recommended",
    ),
    Rule.SENSITIVITY: Edit(
        SPANS,
        "ml.painter.name\n        requirement_level: opt_in",
        "ml.painter.name\n        requirement_level: required",
    ),
    Rule.VALUE_TYPE: Edit(METRICS, "metric_value_type: int", "metric_value_type: integer"),
    Rule.BUCKETS: Edit(METRICS, "[0.1, 1, 10]", "[0.1, 10, 1]"),
    Rule.UNIT: Edit(METRICS, '"{stroke}"', "strokes"),
    Rule.EMITTED_BY: Edit(EVENTS, "emitted_by: processor", "emitted_by: painter"),
    Rule.SEVERITY: Edit(EVENTS, "severity: WARN", "severity: WARNING"),
    Rule.IDENTITY: Edit(ENTITIES, "requirement_level: required", "requirement_level: opt_in"),
    Rule.STABILITY: Edit(EVENTS, "stability: development", "stability: stable"),
    Rule.DEPRECATED: Edit(
        EVENTS, "brief: Paint", "deprecated: {reason: obsoleted}\n    brief: Paint"
    ),
    Rule.SCHEMA_URL: Edit(MANIFEST, "paint-dev/0.1.0-dev", "paint-dev/latest"),
    Rule.RELEASE: Edit(RELEASED, "paint-dev/0.1.0-dev", "paint-dev/0.0.1-dev"),
    Rule.VERSION: Edit(METRICS, "Number of strokes.", "Number of strokes of the brush."),
    Rule.REMOVED: Edit(EVENTS, "ml.paint.spilled", "ml.paint.lost"),
    Rule.CHANGED: Edit(METRICS, '"{stroke}"', '"{touch}"'),
    Rule.LOWERED: Edit(EVENTS, "stability: stable", "stability: beta"),
    Rule.STABLE_SIGNAL: Edit(
        EVENTS, "      - ref: ml.colour.name\n", "      - ref: ml.colour.kind\n"
    ),
    Rule.STALE: Edit(GENERATED, "ml.painting", "ml.paintings"),
}
"""How each rule is broken."""
COMPARED = {
    Rule.RELEASE: (),
    Rule.VERSION: (),
    Rule.REMOVED: (),
    Rule.CHANGED: (),
    Rule.LOWERED: STABLE_EVENT,
    Rule.STABLE_SIGNAL: STABLE_EVENT,
}
"""The rules that need a release to compare with, and how what is released differs from the small registry."""


def _apply(root: Path, *edits: Edit) -> None:
    for file, old, new in edits:
        text = (root / file).read_text(encoding="utf-8")
        assert old in text
        (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def _release(root: Path, rule: Rule) -> None:
    _apply(root, *COMPARED[rule])
    for action in (["write"], ["release", "0.1.0-dev"]):
        assert main([*action, "--root", str(root)]) == 0
    if rule is not Rule.VERSION:
        _apply(root, NEXT_VERSION)


@pytest.mark.parametrize("rule", Rule, ids=lambda rule: rule.value)
def test_a_rule_that_is_broken_is_named(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str], rule: Rule
) -> None:
    """Whatever rule is broken, `check` returns 1 and says file, line, that rule and no other, and why."""
    root = write_registry()
    main(["write", "--root", str(root)])
    if rule in COMPARED:
        _release(root, rule)
    _apply(root, BROKEN[rule])
    capsys.readouterr()

    status = main(["check", "--root", str(root)])

    said = capsys.readouterr()
    found = [LINE.fullmatch(line) for line in said.err.splitlines()]
    assert status == 1
    assert said.out == ""
    assert {match["rule"] for match in found if match} == {rule.value}
    assert all(match and (root / match["file"]).is_file() for match in found)
