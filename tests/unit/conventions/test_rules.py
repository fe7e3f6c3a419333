"""The rules that the records of the registry must keep together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conventions.generate.reading import read_registry
from conventions.generate.rules import RULES, check

MANIFEST = "conventions/model/manifest.yaml"
ATTRIBUTES = "conventions/model/attributes.yaml"
SPANS = "conventions/model/spans.yaml"
METRICS = "conventions/model/metrics.yaml"
EVENTS = "conventions/model/events.yaml"
ENTITIES = "conventions/model/entities.yaml"
UPSTREAM = "conventions/upstream/attributes.yaml"


def _attribute(key: str) -> str:
    """Give an attribute that nothing is wrong with, in itself."""
    return (
        f"  - key: {key}\n    type: string\n    stability: development\n    brief: B.\n"
        "    examples: [x]\n"
    )


def _deprecated(key: str) -> str:
    """Give an attribute that needs no signal, to stand before the last one."""
    note = "    deprecated: {reason: obsoleted, note: Gone.}\n"
    return _attribute(key) + note + "  - key: ml.brush"


# What is wrong: the rule, the file, the line to be named, what stands there, what somebody wrote instead.
BROKEN = {
    "a metric in capitals": (
        "naming",
        METRICS,
        "- name: ml.painting.Strokes",
        "ml.painting.strokes",
        "ml.painting.Strokes",
    ),
    "a hyphen in a key": (
        "naming",
        ATTRIBUTES,
        "- key: ml.old-brush",
        "  - key: ml.brush",
        _deprecated("ml.old-brush"),
    ),
    "a member that is no identifier": (
        "naming",
        ATTRIBUTES,
        "- id: 2-cold",
        "id: cold",
        "id: 2-cold",
    ),
    "an event in somebody else's namespace": (
        "root",
        EVENTS,
        "- name: gen_ai.paint.spilled",
        "ml.paint.spilled",
        "gen_ai.paint.spilled",
    ),
    "a metric defined twice": (
        "duplicate",
        METRICS,
        "- name: ml.painting.strokes # again",
        "ml.painting.active",
        "ml.painting.strokes # again",
    ),
    "a key of our own that upstream has": (
        "duplicate",
        UPSTREAM,
        "- key: ml.colour.hue",
        "  - key: error.type",
        _attribute("ml.colour.hue") + "  - key: error.type",
    ),
    "a key in the namespace of another": (
        "namespace",
        ATTRIBUTES,
        "- key: ml.canvas.size",
        "  - key: ml.brush",
        _deprecated("ml.canvas.size"),
    ),
    "a metric in the namespace of another": (
        "namespace",
        METRICS,
        "- name: ml.painting.strokes.broad",
        "ml.painting.active",
        "ml.painting.strokes.broad",
    ),
    "two keys that are one constant": (
        "constant",
        ATTRIBUTES,
        "- key: ml.colour_hue",
        "  - key: ml.brush",
        _deprecated("ml.colour_hue"),
    ),
    "a reference to no attribute": (
        "unresolved",
        EVENTS,
        "- ref: ml.color.name",
        "ml.colour.name",
        "ml.color.name",
    ),
    "a reference to no group": (
        "unresolved",
        METRICS,
        "- ref_group: attributes.ml.color",
        "attributes.ml.colour",
        "attributes.ml.color",
    ),
    "an association with no entity": (
        "unresolved",
        SPANS,
        "- type: ml.painting",
        "[ml.palette]",
        "[ml.pallet]",
    ),
    "a span name of an attribute that the span lacks": (
        "unresolved",
        SPANS,
        "- type: ml.painting",
        '"paint {ml.colour.name}"',
        '"paint {ml.colour}"',
    ),
    "two groups with the same attribute": (
        "group-collision",
        SPANS,
        "- ref_group: attributes.ml.kind",
        "spans:\n",
        """\
  - id: attributes.ml.kind
    visibility: internal
    attributes:
      - ref: ml.colour.kind
        requirement_level: opt_in
spans:
  - type: ml.sketch
    kind: internal
    name: {note: sketch}
    brief: One sketch.
    stability: development
    requirement_level: opt_in
    annotations: {emitted_by: sdk}
    attributes:
      - ref_group: attributes.ml.colour # first
      - ref_group: attributes.ml.kind
""",
    ),
    "an attribute on no signal": (
        "unused",
        ATTRIBUTES,
        "- key: ml.broom",
        "  - key: ml.brush",
        _attribute("ml.broom") + "  - key: ml.brush",
    ),
    "a metric's brief without a period": (
        "brief",
        METRICS,
        "- name: ml.painting.strokes",
        "Number of strokes.",
        "Number of strokes",
    ),
    "a member's brief without a period": (
        "brief",
        ATTRIBUTES,
        "- id: warm",
        "Towards red.",
        "Towards red",
    ),
    "a signal without a level": (
        "signal-level",
        EVENTS,
        "- name: ml.paint.spilled",
        "    requirement_level: recommended\n",
        "",
    ),
    "a stable signal of attributes that are not": (
        "stability",
        EVENTS,
        "- name: ml.paint.spilled",
        "stability: development",
        "stability: stable",
    ),
    "a reference without a level": (
        "requirement",
        EVENTS,
        "- ref: ml.colour.name",
        "        requirement_level: required\n",
        "",
    ),
    "a condition that is no sentence": (
        "requirement",
        SPANS,
        "- ref: error.type",
        "If the painting failed.",
        "on failure",
    ),
    "a metric attribute of any type": (
        "any",
        METRICS,
        "- ref: ml.canvas",
        "ref: ml.colour.hue",
        "ref: ml.canvas",
    ),
    "an entity attribute of any type": (
        "any",
        ENTITIES,
        "- ref: ml.canvas",
        "ref: ml.colour.mix",
        "ref: ml.canvas",
    ),
    "a metric attribute of too many values": (
        "cardinality",
        METRICS,
        "- ref: ml.colour.hue",
        "        requirement_level: opt_in",
        "        requirement_level: recommended",
    ),
    "personal data by default": (
        "sensitivity",
        SPANS,
        "- ref: ml.painter.name",
        "requirement_level: opt_in",
        "requirement_level: recommended",
    ),
    "a metric without a value type": (
        "value-type",
        METRICS,
        "- name: ml.painting.duration",
        "code_generation:\n        metric_value_type: double",
        "code_generation: double",
    ),
    "a metric of a value type that does not exist": (
        "value-type",
        METRICS,
        "- name: ml.painting.duration",
        "metric_value_type: double",
        "metric_value_type: float",
    ),
    "a histogram without buckets": (
        "buckets",
        METRICS,
        "- name: ml.painting.duration",
        "      bucket_boundaries: [0.1, 1, 10]\n",
        "",
    ),
    "a counter with buckets": (
        "buckets",
        METRICS,
        "- name: ml.painting.duration",
        "histogram",
        "counter",
    ),
    "buckets that do not rise": (
        "buckets",
        METRICS,
        "- name: ml.painting.duration",
        "[0.1, 1, 10]",
        "[0.1, 1, 1]",
    ),
    "a bucket without end": (
        "buckets",
        METRICS,
        "- name: ml.painting.duration",
        "[0.1, 1, 10]",
        "[0.1, 1, .inf]",
    ),
    "buckets that are no list": (
        "buckets",
        METRICS,
        "- name: ml.painting.duration",
        "[0.1, 1, 10]",
        "many",
    ),
    "a unit that is a bare word": (
        "unit",
        METRICS,
        "- name: ml.painting.strokes",
        '"{stroke}"',
        "stroke",
    ),
    "a gauge that Prometheus would call a ratio": (
        "unit",
        METRICS,
        "- name: ml.painting.dry",
        "Share of paintings",
        "Number of paintings",
    ),
    "a share that Prometheus would not call a ratio": (
        "unit",
        METRICS,
        "- name: ml.painting.dry",
        'unit: "1"',
        'unit: "{painting}"',
    ),
    "a counter of nothing": (
        "unit",
        METRICS,
        "- name: ml.painting.strokes",
        '"{stroke}"',
        '"1"',
    ),
    "a counter called total": (
        "unit",
        METRICS,
        "- name: ml.painting.strokes_total",
        "ml.painting.strokes",
        "ml.painting.strokes_total",
    ),
    "an enumeration of nothing": (
        "enum",
        ATTRIBUTES,
        "- key: ml.broom",
        "  - key: ml.brush",
        _deprecated("ml.broom").replace("string", "{members: []}").replace("[x]", "[]"),
    ),
    "a member given twice": (
        "enum",
        ATTRIBUTES,
        "- id: cold",
        "value: cold",
        "value: warm",
    ),
    "a member id given twice": (
        "enum",
        ATTRIBUTES,
        "- id: warm # again",
        "id: cold",
        "id: warm # again",
    ),
    "an attribute without an example": (
        "examples",
        ATTRIBUTES,
        "- key: ml.painter.name",
        '    examples: ["Ada"]\n',
        "",
    ),
    "an example of another type": (
        "examples",
        ATTRIBUTES,
        "- key: ml.brush",
        "examples: [3]",
        "examples: [3.5]",
    ),
    "a truth as an example of a number": (
        "examples",
        ATTRIBUTES,
        "- key: ml.colour.hue",
        "examples: [0.25]",
        "examples: [true]",
    ),
    "a truth as an example of a count": (
        "examples",
        ATTRIBUTES,
        "- key: ml.brush",
        "examples: [3]",
        "examples: [true]",
    ),
    "an example that is no array": (
        "examples",
        ATTRIBUTES,
        "- key: ml.colour.mix",
        "[[0.5, 0.5, 0.0]]",
        "[0.5, [0.5]]",
    ),
    "an example of another type on a signal": (
        "examples",
        SPANS,
        "- ref: ml.painter.name",
        "- ref: ml.painter.name\n",
        "- ref: ml.painter.name\n        examples: [true]\n",
    ),
    "a typing error that would let personal data through": (
        "annotation",
        ATTRIBUTES,
        "- key: ml.painter.name",
        "sensitivity: PII",
        "sensibility: PII",
    ),
    "an annotation of a value that nobody knows": (
        "annotation",
        ATTRIBUTES,
        "- key: ml.canvas",
        "value_size: large",
        "value_size: huge",
    ),
    "an annotation that an event does not have": (
        "annotation",
        EVENTS,
        "- name: ml.paint.spilled",
        "severity: WARN",
        "severity: WARN\n      bucket_boundaries: [1]",
    ),
    "a signal that nobody writes": (
        "emitted-by",
        EVENTS,
        "- name: ml.paint.spilled",
        "emitted_by: processor",
        "emitted_by: nobody",
    ),
    "an event without a severity": (
        "severity",
        EVENTS,
        "- name: ml.paint.spilled",
        "      severity: WARN\n",
        "",
    ),
    "an integer that no wire can carry": (
        "examples",
        ATTRIBUTES,
        "- key: ml.brush",
        "examples: [3]",
        "examples: [9223372036854775808]",
    ),
    "a double that is not a number": (
        "examples",
        ATTRIBUTES,
        "- key: ml.colour.hue",
        "[0.25]",
        "[.nan]",
    ),
    "an integer that no double can hold": (
        "examples",
        ATTRIBUTES,
        "- key: ml.colour.hue",
        "[0.25]",
        f"[1{'0' * 400}]",
    ),
    "an example of any type that JSON cannot say": (
        "examples",
        ATTRIBUTES,
        "- key: ml.canvas",
        """['{"size":2}']""",
        "[{size: .inf}]",
    ),
    "a severity on a span": (
        "annotation",
        SPANS,
        "- type: ml.painting",
        "emitted_by: sdk",
        "emitted_by: sdk\n      severity: WARN",
    ),
    "a member more stable than its enumeration": (
        "stability",
        ATTRIBUTES,
        "- id: warm",
        "brief: Towards red.\n          stability: development",
        "brief: Towards red.\n          stability: beta",
    ),
    "an entity that nothing identifies": (
        "identity",
        ENTITIES,
        "- type: ml.palette",
        """\
    identity:
      - ref: ml.colour.name
        requirement_level: required
""",
        "    identity: []\n",
    ),
    "an identity that is only there if asked for": (
        "identity",
        ENTITIES,
        "- ref: ml.colour.name",
        "requirement_level: required",
        "requirement_level: opt_in",
    ),
    "a description that is the identity": (
        "identity",
        ENTITIES,
        "- ref: ml.colour.name # again",
        "ml.colour.mix",
        "ml.colour.name # again",
    ),
    "something renamed to nothing": (
        "deprecated",
        ATTRIBUTES,
        "reason: renamed",
        "brief: Who paints.",
        """\
brief: Who paints.
    deprecated:
      reason: renamed
      renamed_to: ml.artist.name""",
    ),
    "something renamed without its new name": (
        "deprecated",
        EVENTS,
        "deprecated: {reason: renamed}",
        "brief: Paint was spilled.",
        "brief: Paint was spilled.\n    deprecated: {reason: renamed}",
    ),
    "an event renamed to a metric": (
        "deprecated",
        EVENTS,
        "deprecated: {reason: renamed, renamed_to: ml.painting.dry}",
        "brief: Paint was spilled.",
        """\
brief: Paint was spilled.
    deprecated: {reason: renamed, renamed_to: ml.painting.dry}""",
    ),
    "something renamed to itself": (
        "deprecated",
        EVENTS,
        "deprecated: {reason: renamed, renamed_to: ml.paint.spilled}",
        "brief: Paint was spilled.",
        """\
brief: Paint was spilled.
    deprecated: {reason: renamed, renamed_to: ml.paint.spilled}""",
    ),
    "an attribute renamed to one of another type": (
        "deprecated",
        ATTRIBUTES,
        "deprecated: {reason: renamed, renamed_to: ml.colour.hue}",
        "brief: Who paints.",
        """\
brief: Who paints.
    deprecated: {reason: renamed, renamed_to: ml.colour.hue}""",
    ),
    "a metric renamed to one of another unit": (
        "deprecated",
        METRICS,
        "deprecated: {reason: renamed, renamed_to: ml.painting.active}",
        "brief: Number of strokes.",
        """\
brief: Number of strokes.
    deprecated: {reason: renamed, renamed_to: ml.painting.active}""",
    ),
    "a member renamed to a value of another enumeration": (
        "deprecated",
        ATTRIBUTES,
        "deprecated: {reason: renamed, renamed_to: lukewarm}",
        "brief: Towards blue.",
        """\
brief: Towards blue.
          deprecated: {reason: renamed, renamed_to: lukewarm}""",
    ),
    "something obsolete without a reason": (
        "deprecated",
        EVENTS,
        "deprecated: {reason: obsoleted}",
        "brief: Paint was spilled.",
        "brief: Paint was spilled.\n    deprecated: {reason: obsoleted}",
    ),
    "a successor of what is not renamed": (
        "deprecated",
        ATTRIBUTES,
        "deprecated: {reason: uncategorized, note: Split.",
        "brief: Who paints.",
        """\
brief: Who paints.
    deprecated: {reason: uncategorized, note: Split., renamed_to: ml.colour.name}""",
    ),
    "a schema URL without a version": (
        "schema-url",
        MANIFEST,
        "schema_url: https://paint.example",
        "paint-dev/0.1.0-dev",
        "paint-dev",
    ),
    "a version in development that does not say so": (
        "schema-url",
        MANIFEST,
        "schema_url: https://paint.example",
        "paint-dev/0.1.0-dev",
        "paint/0.1.0",
    ),
    "a family in development that does not say so": (
        "schema-url",
        MANIFEST,
        "schema_url: https://paint.example",
        "paint-dev/0.1.0-dev",
        "paint/0.1.0-dev",
    ),
    "a schema URL that would end its line of Python": (
        "schema-url",
        MANIFEST,
        "schema_url: 'https://paint",
        "https://paint.example/schemas/paint-dev/0.1.0-dev",
        """'https://paint"/paint-dev/0.1.0-dev'""",
    ),
}


STROKES = """\
  - name: ml.painting.strokes
    instrument: counter
    unit: "{stroke}"
    brief: Number of strokes.
    stability: development
    requirement_level: recommended
    annotations:
      emitted_by: sdk
      code_generation:
        metric_value_type: int
"""
CANVAS_IS_GONE = """\
brief: What is painted.
    deprecated: {reason: obsoleted, note: Walls are painted now.}"""
DEPRECATED_BRUSH = """\
brief: Strokes by brush.
    deprecated: {reason: obsoleted, note: Nobody counts them.}"""


def _read(root: Path) -> list[tuple[str, int, str]]:
    registry, unreadable = read_registry(root)
    assert unreadable == []
    return [(item.place.file, item.place.line, item.rule) for item in check(registry)]


@pytest.mark.parametrize(("rule", "file", "named", "old", "new"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_found_where_it_is_broken(
    write_registry: Callable[..., Path], rule: str, file: str, named: str, old: str, new: str
) -> None:
    """Each rule, broken once, is one finding that names file, line and rule."""
    root = write_registry(file, old, new)
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    expected = next(
        number for number, line in enumerate(lines, 1) if line.strip().startswith(named)
    )

    assert _read(root) == [(file, expected, rule)]


def test_a_successor_that_is_deprecated_itself_is_found(
    write_registry: Callable[..., Path],
) -> None:
    """Whoever reads an old name is led to the one in use in one step, and never in a circle."""
    root = write_registry(
        METRICS,
        "brief: Number of strokes.",
        "brief: Number of strokes.\n    deprecated: {reason: renamed, renamed_to: ml.painting.coats}",
    )
    _append(root / METRICS, _metric("ml.painting.coats", renamed_to="ml.painting.strokes"))

    assert [rule for _, _, rule in _read(root)] == ["deprecated", "deprecated"]


def test_a_rename_that_changes_nothing_but_the_name_is_sound(
    write_registry: Callable[..., Path],
) -> None:
    """The old name may stay beside the new one as long as anybody writes it."""
    root = write_registry()
    _append(root / METRICS, _metric("ml.painting.touches", renamed_to="ml.painting.strokes"))

    assert _read(root) == []


def _metric(name: str, renamed_to: str) -> str:
    deprecated = f"    deprecated: {{reason: renamed, renamed_to: {renamed_to}}}\n"
    return STROKES.replace("ml.painting.strokes", name) + deprecated


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


@pytest.mark.parametrize(("level", "found"), [("opt_in", []), ("recommended", ["deprecated"])])
def test_what_is_deprecated_is_not_needed(
    write_registry: Callable[..., Path], level: str, found: list[str]
) -> None:
    """A signal in use may keep an old attribute beside the new one, and then only as opt-in."""
    root = write_registry(ATTRIBUTES, "brief: Strokes by brush.", DEPRECATED_BRUSH)
    text = (root / SPANS).read_text(encoding="utf-8")
    asked = f"- ref: ml.brush\n        requirement_level: {level}"
    (root / SPANS).write_text(
        text.replace("- ref: ml.brush\n        requirement_level: opt_in", asked), encoding="utf-8"
    )

    assert [rule for _, _, rule in _read(root)] == found


def test_a_deprecated_signal_may_need_what_is_deprecated(
    write_registry: Callable[..., Path],
) -> None:
    """Old telemetry stays described as it was."""
    gone = "deprecated: {reason: obsoleted, note: Nobody paints.}"
    root = write_registry(ATTRIBUTES, "brief: What is painted.", CANVAS_IS_GONE)
    text = (root / SPANS).read_text(encoding="utf-8")
    (root / SPANS).write_text(
        text.replace("brief: One painting.", f"{gone}\n    brief: One painting."), encoding="utf-8"
    )

    assert _read(root) == []


def test_a_registry_is_no_stabler_than_what_is_in_it(write_registry: Callable[..., Path]) -> None:
    """Who publishes as alpha has nothing in development, of attributes and of signals."""
    root = write_registry(MANIFEST, "stability: development", "stability: alpha")
    text = (root / MANIFEST).read_text(encoding="utf-8")
    (root / MANIFEST).write_text(text.replace("-dev", "-alpha"), encoding="utf-8")

    found = _read(root)

    assert {rule for _, _, rule in found} == {"stability"}
    assert {file for file, _, _ in found} == {ATTRIBUTES, SPANS, METRICS, EVENTS, ENTITIES}
    assert len(found) == 7 + 1 + 4 + 1 + 1


@pytest.mark.parametrize(
    ("stability", "url"),
    [
        ("alpha", "https://paint.example/schemas/paint-alpha/0.1.0-alpha"),
        ("beta", "https://paint.example/schemas/big-paint-beta/0.1.0-beta"),
        ("release_candidate", "https://paint.example:8080/paint-rc/10.0.0-rc"),
        ("stable", "http://paint.example/schemas/paint/1.2.3"),
    ],
)
def test_each_stability_has_its_suffix(
    write_registry: Callable[..., Path], stability: str, url: str
) -> None:
    """The family and the version of a schema URL both say how stable the registry is."""
    root = write_registry(
        MANIFEST, "https://paint.example/schemas/paint-dev/0.1.0-dev\n", f"{url}\n"
    )
    text = (root / MANIFEST).read_text(encoding="utf-8")
    (root / MANIFEST).write_text(text.replace("stability: development", f"stability: {stability}"))

    assert "schema-url" not in [rule for _, _, rule in _read(root)]


def test_a_copy_of_another_version_than_the_dependency_is_found(
    write_registry: Callable[..., Path],
) -> None:
    """What is copied from upstream comes from the version that the manifest depends on."""
    root = write_registry(MANIFEST, "schemas/1.44.0", "schemas/1.45.0")

    assert _read(root) == [(UPSTREAM, 3, "upstream")]


def test_the_registry_that_is_broken_here_keeps_all_rules(
    write_registry: Callable[..., Path],
) -> None:
    """Every finding of the other tests is due to what they broke."""
    assert _read(write_registry()) == []


def test_a_template_of_any_type_stays_off_metrics_too(
    write_registry: Callable[..., Path],
) -> None:
    """What a prefix stands for has a fixed type on metrics like everything else."""
    root = write_registry(ATTRIBUTES, "template[int]", "template[any]")
    text = (root / METRICS).read_text(encoding="utf-8")
    (root / METRICS).write_text(text.replace("ref: ml.colour.hue", "ref: ml.brush"))

    assert [rule for _, _, rule in _read(root)] == ["any"]


def test_a_stable_signal_may_offer_what_may_still_change(
    write_registry: Callable[..., Path],
) -> None:
    """An opt-in attribute in development does not hold back the signal that offers it."""
    root = write_registry(EVENTS, "stability: development", "stability: stable")
    text = (root / EVENTS).read_text(encoding="utf-8")
    (root / EVENTS).write_text(text.replace("level: required", "level: opt_in"))

    assert _read(root) == []


def test_no_rule_goes_unbroken(write_registry: Callable[..., Path]) -> None:
    """A rule that no broken registry triggers would prove nothing by its silence."""
    edits = [(file, old, new) for _, file, _, old, new in BROKEN.values()]
    edits.append((MANIFEST, "schemas/1.44.0", "schemas/1.45.0"))
    edits.append((MANIFEST, "stability: development", "stability: alpha"))
    edits.append((ATTRIBUTES, "brief: What is painted.", CANVAS_IS_GONE))

    broken = set()
    for edit in edits:
        registry, _ = read_registry(write_registry(*edit))
        broken |= {rule.__name__ for rule in RULES if list(rule(registry))}

    assert broken == {rule.__name__ for rule in RULES}


def test_findings_come_in_the_order_of_the_files(write_registry: Callable[..., Path]) -> None:
    """Several findings are listed by file and line, whichever rule finds them."""
    root = write_registry(METRICS, "brief: Number of strokes.", "brief: Strokes")
    text = (root / METRICS).read_text(encoding="utf-8")
    (root / METRICS).write_text(text.replace("ml.painting.active", "ml.painting.total"))

    assert [line for _, line, _ in _read(root)] == [16, 26]


def test_one_fault_is_said_once(write_registry: Callable[..., Path]) -> None:
    """A fault in a group is one finding, however many signals include the group."""
    root = write_registry(
        SPANS,
        "- ref: ml.colour.kind\n        requirement_level: recommended",
        "- ref: ml.colour.kind",
    )

    assert _read(root) == [(SPANS, 8, "requirement")]
