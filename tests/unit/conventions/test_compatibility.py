"""What a registry may do to the names of its last release."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conventions.generate.__main__ import judge, main

MANIFEST = "conventions/model/manifest.yaml"
ATTRIBUTES = "conventions/model/attributes.yaml"
SPANS = "conventions/model/spans.yaml"
METRICS = "conventions/model/metrics.yaml"
EVENTS = "conventions/model/events.yaml"
ENTITIES = "conventions/model/entities.yaml"
RELEASED = "conventions/released/0.1.0-dev/registry.json"

BRUSH = """\
  - key: ml.brush
    type: template[int]
    stability: development
    brief: Strokes by brush.
    examples: [3]
"""
BRUSH_ON_THE_SPAN = "      - ref: ml.brush\n        requirement_level: opt_in\n"


def _edit(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new), encoding="utf-8")


def _raise_version(root: Path, version: str = "0.2.0-dev") -> None:
    _edit(root, MANIFEST, "paint-dev/0.1.0-dev", f"paint-dev/{version}")


def _said(root: Path) -> list[str]:
    return [str(finding) for finding in judge(root)[1]]


@pytest.fixture
def released(write_registry: Callable[..., Path]) -> Path:
    """The small registry, released as 0.1.0-dev."""
    root = write_registry()
    _edit(root, EVENTS, "stability: development", "stability: stable")
    _edit(root, EVENTS, "requirement_level: required", "requirement_level: opt_in")
    for action in (["write"], ["release", "0.1.0-dev"]):
        assert main([*action, "--root", str(root)]) == 0
    return root


@pytest.fixture
def next_one(released: Path) -> Path:
    """The same, on its way to 0.2.0-dev."""
    _raise_version(released)
    return released


def test_without_a_release_nothing_is_promised(write_registry: Callable[..., Path]) -> None:
    """Before the first release names come and go."""
    assert _said(write_registry(METRICS, "ml.painting.strokes", "ml.painting.touches")) == []


def test_what_was_just_released_keeps_its_promises(released: Path) -> None:
    """A registry beside itself has nothing to answer for, and needs no new version yet."""
    assert _said(released) == []


def test_a_name_that_is_gone_is_named_where_it_was_released(next_one: Path) -> None:
    """The finding leads to the line of the released file that still has the name."""
    _edit(next_one, ATTRIBUTES, BRUSH, "")
    _edit(next_one, SPANS, BRUSH_ON_THE_SPAN, "")

    lines = (next_one / RELEASED).read_text(encoding="utf-8").splitlines()
    line = lines.index('  "ml.brush": {') + 1

    assert _said(next_one) == [
        (
            f"{RELEASED}:{line}: removed: attribute 'ml.brush' of release "
            "0.1.0-dev is gone; keep it and deprecate it, with renamed_to if it only has another name"
        )
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (SPANS, "type: ml.painting", "type: ml.sketching"),
        (METRICS, "name: ml.painting.strokes", "name: ml.painting.touches"),
        (EVENTS, "name: ml.paint.spilled", "name: ml.paint.lost"),
        (ATTRIBUTES, "id: cold", "id: chilly"),
    ],
)
def test_no_kind_of_name_can_go(next_one: Path, file: str, old: str, new: str) -> None:
    """Spans, metrics, events and members of enumerations stay like attributes do."""
    _edit(next_one, file, old, new)

    [finding] = _said(next_one)

    assert ": removed: " in finding
    assert f"{old.split()[1]!r}" in finding


def test_an_entity_cannot_go(next_one: Path) -> None:
    """An entity stays as well, with the signals that are associated with another."""
    _edit(next_one, ENTITIES, "type: ml.palette", "type: ml.easel")
    _edit(next_one, SPANS, "[ml.palette]", "[ml.easel]")

    [finding] = _said(next_one)

    assert ": removed: entity 'ml.palette' " in finding


def test_a_rename_that_keeps_the_old_name_is_allowed(next_one: Path) -> None:
    """The old name stays, deprecated, and leads to the new one."""
    renamed = "    deprecated: {reason: renamed, renamed_to: ml.brush_strokes}\n"
    _edit(next_one, ATTRIBUTES, BRUSH, BRUSH + renamed + BRUSH.replace("brush", "brush_strokes", 1))
    on_both = BRUSH_ON_THE_SPAN + BRUSH_ON_THE_SPAN.replace("brush", "brush_strokes")
    _edit(next_one, SPANS, BRUSH_ON_THE_SPAN, on_both)

    assert _said(next_one) == []


def test_new_names_and_better_words_are_allowed(next_one: Path) -> None:
    """Adding a name, a member and an example, or telling it better, breaks nobody."""
    _edit(next_one, METRICS, "brief: Number of strokes.", "brief: Number of strokes of the brush.")
    _edit(next_one, ATTRIBUTES, '["Ada"]', '["Ada", "Bob"]')
    _edit(
        next_one,
        ATTRIBUTES,
        "        - id: cold\n",
        "        - {id: hot, value: hot, brief: Red., stability: development}\n        - id: cold\n",
    )
    more = BRUSH_ON_THE_SPAN.replace("brush", "easel")
    _edit(next_one, ATTRIBUTES, BRUSH, BRUSH + BRUSH.replace("brush", "easel"))
    _edit(next_one, SPANS, BRUSH_ON_THE_SPAN, BRUSH_ON_THE_SPAN + more)

    assert _said(next_one) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            ATTRIBUTES,
            "type: template[int]",
            "type: int",
            "type of 'ml.brush' was 'template[int]' in release 0.1.0-dev and is 'int'",
        ),
        (
            ATTRIBUTES,
            "value: cold",
            "value: Cold",
            "value of 'ml.colour.kind=cold' was 'cold' in release 0.1.0-dev and is 'Cold'",
        ),
        (SPANS, "kind: internal", "kind: client", "kind of 'ml.painting' was 'internal'"),
        (
            SPANS,
            '"paint {ml.colour.name}"',
            '"{ml.colour.name}"',
            "name of 'ml.painting' was 'paint {ml.colour.name}'",
        ),
        (METRICS, '"{stroke}"', '"{touch}"', "unit of 'ml.painting.strokes' was '{stroke}'"),
        (
            METRICS,
            "instrument: updowncounter",
            "instrument: gauge",
            "instrument of 'ml.painting.active' was 'updowncounter'",
        ),
        (
            METRICS,
            "metric_value_type: double\n    attributes:\n      - ref: ml.colour.hue",
            "metric_value_type: int\n    attributes:\n      - ref: ml.colour.hue",
            "value_type of 'ml.painting.dry' was 'double'",
        ),
        (EVENTS, "severity: WARN", "severity: ERROR", "severity of 'ml.paint.spilled' was 'WARN'"),
    ],
)
def test_a_name_cannot_come_to_mean_something_else(
    next_one: Path, file: str, old: str, new: str, said: str
) -> None:
    """What the wire shows under a name stays: the finding says what it was and what it is."""
    _edit(next_one, file, old, new)

    [finding] = _said(next_one)

    assert finding.startswith(f"{file}:")
    assert ": changed: " in finding
    assert said in finding


def test_an_identity_cannot_change(next_one: Path) -> None:
    """What tells two entities apart decides which of them stored telemetry is about."""
    kind = "      - ref: ml.colour.kind\n        requirement_level: required\n"
    _edit(next_one, ENTITIES, "    description:", f"{kind}    description:")

    [finding] = _said(next_one)

    assert "changed: identity of 'ml.palette' was ['ml.colour.name']" in finding


@pytest.mark.parametrize(
    ("stability", "broken"), [("beta", True), ("development", True), ("stable", False)]
)
def test_a_promise_of_stability_is_not_taken_back(
    next_one: Path, stability: str, broken: bool
) -> None:
    """A released stability is the least that later releases have."""
    _edit(next_one, EVENTS, "stability: stable", f"stability: {stability}")

    lowered = [finding for finding in _said(next_one) if ": lowered: " in finding]

    assert len(lowered) == broken


def test_a_stability_may_rise(next_one: Path) -> None:
    """Names grow up."""
    _edit(next_one, ATTRIBUTES, "stability: development", "stability: beta")

    assert _said(next_one) == []


def test_in_development_attributes_come_and_go_with_their_levels(next_one: Path) -> None:
    """What is not stable may ask for more, for less and for other things."""
    _edit(next_one, SPANS, "ml.canvas\n        requirement_level: recommended", CANVAS_REQUIRED)
    _edit(next_one, SPANS, "      - ref: ml.colour.mix\n" + MIX_LEVEL, "")

    assert _said(next_one) == []


CANVAS_REQUIRED = "ml.canvas\n        requirement_level: required"
MIX_LEVEL = "        requirement_level:\n          recommended: If it is known.\n"


def _publish(root: Path, file: str, *edits: tuple[str, str]) -> None:
    """Release the small registry with everything stable that *file* says, and go on from there."""
    for upstream_or_own in (ATTRIBUTES, file):
        _edit(root, upstream_or_own, "stability: development", "stability: stable")
    for old, new in edits:
        _edit(root, file, old, new)
    for action in (["write"], ["release", "0.1.0-dev"]):
        assert main([*action, "--root", str(root)]) == 0
    _raise_version(root)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            SPANS,
            "      - ref: ml.canvas\n        requirement_level: recommended\n",
            "      - {ref: ml.painter.name, requirement_level: opt_in}\n",
            "'ml.canvas' was recommended and is absent",
        ),
        (
            SPANS,
            "ml.canvas\n        requirement_level: recommended",
            CANVAS_REQUIRED,
            "'ml.canvas' was recommended and is required",
        ),
        (
            SPANS,
            "ml.colour.name\n        requirement_level: required",
            "ml.colour.name\n        requirement_level: recommended",
            "'ml.colour.name' was required and is recommended",
        ),
        (
            METRICS,
            "metric_value_type: int\n  - name: ml.painting.active",
            (
                "metric_value_type: int\n    attributes:\n"
                "      - {ref: ml.colour.name, requirement_level: recommended}\n"
                "  - name: ml.painting.active"
            ),
            "'ml.colour.name' was absent and is recommended, which makes other series",
        ),
    ],
)
def test_a_stable_signal_asks_for_the_same(
    write_registry: Callable[..., Path], file: str, old: str, new: str, said: str
) -> None:
    """Attributes neither go, nor become or cease to be required, nor split the series of a metric."""
    root = write_registry()
    _publish(root, file)
    _edit(root, file, old, new)

    findings = [finding for finding in _said(root) if ": stable-signal: " in finding]

    assert findings
    assert all(said in finding for finding in findings)


@pytest.mark.parametrize(
    ("file", "before", "added"),
    [
        (
            METRICS,
            "metric_value_type: int\n  - name: ml.painting.active",
            (
                "metric_value_type: int\n    attributes:\n"
                "      - {ref: ml.colour.name, requirement_level: opt_in}\n"
                "  - name: ml.painting.active"
            ),
        ),
        (
            SPANS,
            "      - ref: ml.brush\n        requirement_level: opt_in\n",
            "      - ref: ml.brush\n        requirement_level: recommended\n",
        ),
    ],
)
def test_a_stable_signal_may_offer_more(
    write_registry: Callable[..., Path], file: str, before: str, added: str
) -> None:
    """A metric more on demand, a span more by default: that changes nothing for anybody."""
    root = write_registry()
    _publish(root, file)
    _edit(root, file, before, added)

    assert [finding for finding in _said(root) if ": stable-signal: " in finding] == []


def test_a_name_that_upstream_has_taken_over_is_still_there(next_one: Path) -> None:
    """When upstream adopts one of our attributes, ours becomes a copy of theirs."""
    brush = BRUSH.replace("development", "stable")
    _edit(next_one, ATTRIBUTES, BRUSH, "")
    upstream = next_one / "conventions/upstream/attributes.yaml"
    upstream.write_text(upstream.read_text(encoding="utf-8") + brush, encoding="utf-8")

    assert _said(next_one) == []


def test_upstream_names_are_no_promise_of_ours(next_one: Path) -> None:
    """An upstream attribute that no signal uses any more may leave the copies."""
    upstream = next_one / "conventions/upstream/attributes.yaml"
    upstream.write_text("file_format: definition/2\n", encoding="utf-8")
    failed = "conditionally_required: If the painting failed.\n"
    _edit(
        next_one,
        SPANS,
        f"      - ref: error.type\n        requirement_level:\n          {failed}",
        "",
    )

    assert _said(next_one) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "differs"),
    [
        (METRICS, "of strokes.", "of all strokes.", "the metric 'ml.painting.strokes'"),
        (ATTRIBUTES, '["Ada"]', '["Bob"]', "the attribute 'ml.painter.name'"),
        (MANIFEST, "What painters do.", "What artists do.", "its description"),
    ],
)
def test_a_version_has_one_content(
    released: Path, file: str, old: str, new: str, differs: str
) -> None:
    """The least change after a release needs a new version, because the schema URL is its name."""
    _edit(released, file, old, new)

    [finding] = _said(released)

    assert finding == (
        f"{MANIFEST}:1: version: version 0.1.0-dev is released, and the registry differs from it in "
        f"{differs}; raise the version in schema_url"
    )


def test_many_differences_are_counted(released: Path) -> None:
    """The first names are enough to know what has happened."""
    _edit(released, ATTRIBUTES, "brief: ", "brief: The ")

    [finding] = _said(released)

    assert "'ml.colour.hue' and 4 more; raise" in finding


def test_a_version_before_the_last_release_is_found(released: Path) -> None:
    """Versions rise."""
    _raise_version(released, "0.0.9-dev")

    assert _said(released) == [
        f"{MANIFEST}:1: version: version 0.0.9-dev is before the last release, 0.1.0-dev; raise it"
    ]


def test_a_version_that_cannot_be_ordered_is_one_finding(released: Path) -> None:
    """A broken schema URL is said to be broken, and not compared."""
    _raise_version(released, "latest")

    [finding] = _said(released)

    assert finding.startswith(f"{MANIFEST}:1: schema-url: ")


def test_all_that_is_broken_is_said_at_once(next_one: Path) -> None:
    """Rules of the registry by itself and beside its release are judged in one go."""
    _edit(next_one, METRICS, '"{stroke}"', "strokes")
    _edit(next_one, EVENTS, "brief: Paint was spilled.", "brief: Paint was spilled")

    assert [finding.split(": ")[1] for finding in _said(next_one)] == ["brief", "changed", "unit"]


def test_a_registry_that_breaks_other_rules_is_still_compared(next_one: Path) -> None:
    """A level that was forgotten on a stable signal is one finding by itself and one beside the release."""
    _edit(next_one, EVENTS, "        requirement_level: opt_in\n", "")

    assert [finding.split(": ")[1] for finding in _said(next_one)] == [
        "stable-signal",
        "requirement",
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"schema_url": 1}',
        b'{"schema_url": "https://paint.example/schemas/paint-dev/0.1.0-dev"}',
        (
            b'{"schema_url": "x/0.1.0-dev", "attributes": {"a": 1}, "spans": {}, "metrics": {}, '
            b'"events": {}, "entities": {}}'
        ),
    ],
)
def test_a_release_that_cannot_be_read_is_a_finding(next_one: Path, content: bytes) -> None:
    """An empty, cut, wrong or hostile file is said to be no release, and nothing crashes."""
    (next_one / RELEASED).write_bytes(content)

    assert _said(next_one) == [
        (
            f"{RELEASED}:1: release: is not the registry.json of version 0.1.0-dev; restore it from the "
            "history"
        )
    ]


def test_a_release_without_its_file_is_a_finding(next_one: Path) -> None:
    """A folder alone is no release."""
    (next_one / RELEASED).unlink()

    assert [finding.split(": ")[:2] for finding in _said(next_one)] == [
        [f"{RELEASED}:1", "release"]
    ]


@pytest.mark.parametrize("name", ["latest", "0.1", "v0.1.0", "0.1.0-dev2"])
def test_a_folder_that_is_no_version_is_a_finding(next_one: Path, name: str) -> None:
    """What cannot be ordered cannot be the last release."""
    (next_one / f"conventions/released/{name}").mkdir()

    assert _said(next_one) == [
        (
            f"conventions/released/{name}:1: release: {name!r} is no version; expected one like "
            "0.1.0-dev or 1.0.0"
        )
    ]


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ("0.9.0-dev", "0.10.0-dev"),
        ("0.2.0-dev", "0.2.0-alpha"),
        ("0.2.0-alpha", "0.2.0-beta"),
        ("1.0.0-rc", "1.0.0"),
    ],
)
def test_the_last_release_is_the_one_with_the_greatest_version(
    next_one: Path, lesser: str, greater: str
) -> None:
    """Versions are compared as numbers, then by how stable they say they are."""
    document = json.loads((next_one / RELEASED).read_text(encoding="utf-8"))
    for version, unit in ((lesser, "{old}"), (greater, "{new}")):
        _publish_by_hand(next_one, document, version, unit)

    changed = [finding for finding in _said(next_one) if ": changed: " in finding]

    assert len(changed) == 1
    assert f"was '{{new}}' in release {greater} and is '{{stroke}}'" in changed[0]


def _publish_by_hand(root: Path, document: dict[str, Any], version: str, unit: str) -> None:
    document["schema_url"] = f"https://paint.example/schemas/paint/{version}"
    document["metrics"]["ml.painting.strokes"]["unit"] = unit
    folder = root / f"conventions/released/{version}"
    folder.mkdir(exist_ok=True)
    (folder / "registry.json").write_text(json.dumps(document), encoding="utf-8")
