"""Reading the YAML of the registry: what each record must look like."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from conventions.generate.reading import read_registry

MANIFEST = "conventions/model/manifest.yaml"
ATTRIBUTES = "conventions/model/attributes.yaml"
SPANS = "conventions/model/spans.yaml"
METRICS = "conventions/model/metrics.yaml"
ENTITIES = "conventions/model/entities.yaml"
UPSTREAM = "conventions/upstream/attributes.yaml"

# What is wrong: the rule, the file, what stands there, what somebody wrote instead. HERE marks the line to be named.
BROKEN = {
    "the format is not on the first line": (
        "file-format",
        ATTRIBUTES,
        "file_format",
        "# HERE\nfile_format",
    ),
    "a list that is a mapping": (
        "wrong-type",
        ENTITIES,
        "identity:\n      - ref: ml.colour.name\n        requirement_level: required",
        "identity: {ref: ml.colour.name} # HERE",
    ),
    "a field with a typing error": (
        "unknown-field",
        ATTRIBUTES,
        "    brief: Who paints.",
        "    brief: Who paints.\n    noet: Oh. # HERE",
    ),
    "an attribute without a type": (
        "missing-field",
        ATTRIBUTES,
        "key: ml.painter.name\n    type: string",
        "key: ml.painter.name # HERE",
    ),
    "an attribute without a stability": (
        "missing-field",
        ATTRIBUTES,
        "key: ml.colour.name\n    type: string\n    stability: development",
        "key: ml.colour.name # HERE\n    type: string",
    ),
    "a metric without a unit": (
        "missing-field",
        METRICS,
        "name: ml.painting.duration\n    instrument: histogram\n    unit: s",
        "name: ml.painting.duration # HERE\n    instrument: histogram",
    ),
    "an entity without an identity": (
        "missing-field",
        ENTITIES,
        "  - type: ml.palette\n",
        "  - {type: ml.two, brief: B., stability: development} # HERE\n  - type: ml.palette\n",
    ),
    "a field given twice": (
        "duplicate-field",
        ATTRIBUTES,
        "    brief: Who",
        "    type: int # HERE\n    brief: Who",
    ),
    "a type that does not exist": (
        "wrong-type",
        ATTRIBUTES,
        "type: string",
        "type: str # HERE",
    ),
    "a template of a type that does not exist": (
        "wrong-type",
        ATTRIBUTES,
        "template[int]",
        "template[enum] # HERE",
    ),
    "a number for a text": (
        "wrong-type",
        ATTRIBUTES,
        "brief: Who paints.",
        "brief: 7 # HERE",
    ),
    "nothing for a text": (
        "wrong-type",
        ATTRIBUTES,
        "brief: Who paints.",
        "brief: # HERE",
    ),
    "one example that is no list": (
        "wrong-type",
        ATTRIBUTES,
        '["Ada"]',
        "Ada # HERE",
    ),
    "an example that is no plain value": (
        "wrong-type",
        ATTRIBUTES,
        '["Ada"]',
        "[!!python/name:os.system x] # HERE",
    ),
    "annotations that are no mapping": (
        "wrong-type",
        ATTRIBUTES,
        "annotations:\n      sensitivity: PII",
        "annotations: PII # HERE",
    ),
    "a value that YAML takes for false": (
        "wrong-type",
        ATTRIBUTES,
        "value: cold",
        "value: no # HERE",
    ),
    "a stability of older days": (
        "wrong-type",
        ATTRIBUTES,
        "stability: development\n    brief: Who",
        "stability: experimental # HERE\n    brief: Who",
    ),
    "a requirement level that does not exist": (
        "wrong-type",
        SPANS,
        "requirement_level: opt_in",
        "requirement_level: optional # HERE",
    ),
    "a condition that is not stated": (
        "wrong-type",
        SPANS,
        "requirement_level: opt_in",
        "requirement_level: conditionally_required # HERE",
    ),
    "two requirement levels": (
        "wrong-type",
        SPANS,
        "recommended: If it is known.",
        "recommended: If it is known. # HERE\n          opt_in: Never.",
    ),
    "yes for true": (
        "wrong-type",
        SPANS,
        "sampling_relevant: true",
        "sampling_relevant: yes # HERE",
    ),
    "a span kind that does not exist": (
        "wrong-type",
        SPANS,
        "kind: internal",
        "kind: inner # HERE",
    ),
    "a span name that is no mapping": (
        "wrong-type",
        SPANS,
        'name:\n      note: "paint {ml.colour.name}"',
        'name: "paint {ml.colour.name}" # HERE',
    ),
    "a span name without its pattern": (
        "missing-field",
        SPANS,
        'name:\n      note: "paint {ml.colour.name}"',
        "name: {} # HERE",
    ),
    "a unit that YAML takes for a number": (
        "wrong-type",
        METRICS,
        'unit: "1"',
        "unit: 1 # HERE",
    ),
    "an instrument that does not exist": (
        "wrong-type",
        METRICS,
        "instrument: gauge",
        "instrument: meter # HERE",
    ),
    "an attribute of a metric that is relevant to sampling": (
        "unknown-field",
        METRICS,
        "- ref: ml.colour.hue\n",
        "- ref: ml.colour.hue\n        sampling_relevant: true # HERE\n",
    ),
    "a typing error in an upstream copy": (
        "unknown-field",
        UPSTREAM,
        "    brief: Class of the error.",
        "    brief: Class of the error.\n    kind: x # HERE",
    ),
    "a manifest with an unknown field": (
        "unknown-field",
        MANIFEST,
        "description: What",
        "name: paint # HERE\ndescription: What",
    ),
    "quotes that do not close": (
        "yaml",
        ENTITIES,
        "brief: The colours at hand.",
        "brief: {The colours ] # HERE",
    ),
    "a tab for blanks": (
        "yaml",
        ENTITIES,
        "    brief: The colours",
        "\tbrief: The colours # HERE",
    ),
    "an alias of nothing": (
        "yaml",
        ATTRIBUTES,
        "brief: Who paints.",
        "brief: *who # HERE",
    ),
    "an alias of what it stands in": (
        "yaml",
        ATTRIBUTES,
        '["Ada"]',
        "&all [*all] # HERE",
    ),
    "a second document": (
        "yaml",
        ATTRIBUTES,
        "  - key: ml.painter.name",
        "--- # HERE\n  - key: ml.painter.name",
    ),
    "a merge of another mapping": (
        "unknown-field",
        ATTRIBUTES,
        "    brief: Who paints.",
        "    brief: Who paints.\n    <<: {note: N.} # HERE",
    ),
    "a field whose name is a list": (
        "unknown-field",
        ATTRIBUTES,
        "    brief: Who paints.",
        "    brief: Who paints.\n    [note, brief]: N. # HERE",
    ),
    "an annotation given twice": (
        "duplicate-field",
        ATTRIBUTES,
        "      sensitivity: PII",
        "      sensitivity: PII\n      sensitivity: none # HERE",
    ),
    "a date for a text": (
        "wrong-type",
        ATTRIBUTES,
        '["Ada"]',
        "[2026-03-01] # HERE",
    ),
    "a date deep inside an example of any type": (
        "wrong-type",
        ATTRIBUTES,
        """['{"size":2}']""",
        "[{painted: [2026-03-01]}] # HERE",
    ),
    "bytes for an example of any type": (
        "wrong-type",
        ATTRIBUTES,
        """['{"size":2}']""",
        "[!!binary AAAA] # HERE",
    ),
    "a zero byte": (
        "text",
        ATTRIBUTES,
        "brief: Who paints.",
        'brief: "Who\\0paints." # HERE',
    ),
    "half of a character": (
        "text",
        ATTRIBUTES,
        '["Ada"]',
        '["\\ud83d"] # HERE',
    ),
    "a mark that turns the text around": (
        "text",
        ATTRIBUTES,
        "brief: Who paints.",
        "brief: Who \u202epaints. # HERE",
    ),
    "a control character as it is": (
        "text",
        ATTRIBUTES,
        "brief: Who paints.",
        "brief: Who \x07paints. # HERE",
    ),
    "an entity that is identified by a group": (
        "unknown-field",
        ENTITIES,
        "- ref: ml.colour.mix\n",
        "- ref_group: attributes.ml.colour # HERE\n        ref: ml.colour.mix\n",
    ),
}


@pytest.mark.parametrize(("rule", "file", "old", "new"), BROKEN.values(), ids=BROKEN)
def test_a_record_of_the_wrong_shape_is_found_where_it_stands(
    write_registry: Callable[..., Path], rule: str, file: str, old: str, new: str
) -> None:
    """Whatever does not fit the syntax is one finding that names file, line and rule."""
    root = write_registry(file, old, new)
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    marked = next(number for number, line in enumerate(lines, 1) if "HERE" in line)

    _, findings = read_registry(root)

    assert [(item.place.file, item.place.line, item.rule) for item in findings] == [
        (file, marked, rule)
    ]


def test_findings_come_in_the_order_of_the_lines(write_registry: Callable[..., Path]) -> None:
    """What a record lacks is listed at its first line, before what is wrong further down in it."""
    root = write_registry(
        ATTRIBUTES,
        'brief: Who paints.\n    examples: ["Ada"]',
        "examples: Ada",
    )

    _, findings = read_registry(root)

    assert [(item.place.line, item.rule) for item in findings] == [
        (33, "missing-field"),
        (36, "wrong-type"),
    ]


def test_a_finding_reads_as_one_line_that_an_editor_can_open(
    write_registry: Callable[..., Path],
) -> None:
    """File, line, rule, what was expected and what was found."""
    root = write_registry(METRICS, "instrument: histogram", "instrument: meter")

    _, [finding] = read_registry(root)

    assert str(finding) == (
        f"{METRICS}:4: wrong-type: expected one of counter, updowncounter, gauge, histogram; "
        "got 'meter'"
    )


def test_the_registry_that_is_broken_here_is_whole_by_itself(
    write_registry: Callable[..., Path],
) -> None:
    """Every finding of the other tests is due to what they broke."""
    registry, findings = read_registry(write_registry())

    assert findings == []
    assert [attribute.key for attribute in registry.attributes] == [
        "ml.colour.name",
        "ml.colour.kind",
        "ml.colour.hue",
        "ml.colour.mix",
        "ml.painter.name",
        "ml.canvas",
        "ml.brush",
        "error.type",
    ]


def test_an_empty_file_is_a_finding(write_registry: Callable[..., Path]) -> None:
    """A file without content is said to be empty rather than ignored."""
    root = write_registry()
    (root / ATTRIBUTES).write_text("file_format: definition/2", encoding="utf-8")
    (root / METRICS).write_text("", encoding="utf-8")

    _, findings = read_registry(root)

    assert [str(finding) for finding in findings] == [f"{METRICS}:1: yaml: the file is empty"]


def test_bytes_that_are_no_text_are_a_finding(write_registry: Callable[..., Path]) -> None:
    """A file that is not UTF-8 is named, not a crash."""
    root = write_registry()
    (root / METRICS).write_bytes(b"file_format: definition/2\nmetrics: \xff\xfe\n")

    _, findings = read_registry(root)

    assert [(item.place.file, item.rule) for item in findings] == [(METRICS, "yaml")]


def test_the_line_of_the_first_byte_that_is_no_text_is_named(
    write_registry: Callable[..., Path],
) -> None:
    """A file saved in another encoding says where it shows."""
    root = write_registry()
    text = (root / METRICS).read_text(encoding="utf-8").replace("of strokes", "of Pinselzüge", 1)
    (root / METRICS).write_bytes(text.encode("latin-1"))

    _, findings = read_registry(root)

    assert [str(finding) for finding in findings] == [
        f"{METRICS}:19: yaml: not UTF-8; save the file as UTF-8"
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_wide_encoding_is_a_finding(write_registry: Callable[..., Path], encoding: str) -> None:
    """YAML would guess it; the tools of others would not."""
    root = write_registry()
    text = (root / METRICS).read_text(encoding="utf-8")
    (root / METRICS).write_text(text, encoding=encoding)

    _, findings = read_registry(root)

    assert [(item.place.file, item.rule) for item in findings] == [(METRICS, "yaml")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file_format: definition/2\n#" + "x" * 1_000_000, "expected at most 1000000; split"),
        ("file_format: definition/2\nmetrics: " + "[" * 21 + "]" * 21, "nested more than 20 deep"),
        ("file_format: definition/2\nmetrics: " + "[" * 9999, "nested more than 20 deep"),
        ("a: &a [" + "x," * 400 + "]\nb: [" + "*a," * 400 + "]", "more than 100000 values"),
        (
            "a: &a [x,x]\n"
            + "".join(
                f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghijk")
            ),
            "more than 100000 values",
        ),
    ],
    ids=["many bytes", "a tower", "a tower without end", "many aliases", "aliases of aliases"],
)
def test_a_file_that_would_take_for_ever_is_a_finding(
    write_registry: Callable[..., Path], content: str, said: str
) -> None:
    """What is huge, or becomes huge when it is read, is refused with one line."""
    root = write_registry()
    (root / METRICS).write_text(content, encoding="utf-8")

    _, [finding] = read_registry(root)

    assert (finding.place.file, finding.rule) == (METRICS, "yaml")
    assert said in finding.message


def test_what_an_alias_repeats_is_read_where_it_is_repeated(
    write_registry: Callable[..., Path],
) -> None:
    """Two attributes may share their annotations by an anchor."""
    root = write_registry(
        ATTRIBUTES,
        "    annotations:\n      sensitivity: PII\n",
        "    annotations: &personal {sensitivity: PII}\n",
    )
    text = (root / ATTRIBUTES).read_text(encoding="utf-8")
    shared = text.replace(
        "    annotations:\n      value_size: large\n", "    annotations: *personal\n"
    )
    (root / ATTRIBUTES).write_text(shared, encoding="utf-8")

    registry, findings = read_registry(root)

    assert findings == []
    assert registry.attribute_by_key["ml.canvas"].annotations == {"sensitivity": "PII"}


def test_an_entity_knows_what_identifies_it(write_registry: Callable[..., Path]) -> None:
    """Identity and description are both attributes of the entity, told apart by their keys."""
    registry, _ = read_registry(write_registry())

    [palette] = registry.entities

    assert palette.identity == ("ml.colour.name",)
    assert [reference.ref for reference in registry.resolve(palette.attributes)] == [
        "ml.colour.name",
        "ml.colour.mix",
    ]


def test_a_missing_manifest_is_an_error(tmp_path: Path) -> None:
    """A folder that holds no registry is misuse, and the message names the file."""
    with pytest.raises(FileNotFoundError, match=r"manifest\.yaml"):
        read_registry(tmp_path)


def test_names_may_stand_in_any_file(write_registry: Callable[..., Path]) -> None:
    """Growing the registry is adding YAML: a new file in the folder is read like the others."""
    root = write_registry()
    spans = (root / SPANS).read_text(encoding="utf-8")
    (root / SPANS).unlink()
    (root / "conventions/model/everything_else.yaml").write_text(spans, encoding="utf-8")

    registry, findings = read_registry(root)

    assert findings == []
    assert [span.name for span in registry.spans] == ["ml.painting"]


def test_a_reference_refines_what_its_group_says(write_registry: Callable[..., Path]) -> None:
    """What a signal says of an attribute is laid over what the group says; the rest stays."""
    registry, _ = read_registry(write_registry())

    resolved = registry.resolve(registry.spans[0].attributes)

    names = {reference.ref: reference for reference in resolved}
    assert next(iter(names)) == "ml.colour.name"
    assert names["ml.colour.name"].sampling_relevant
    assert names["ml.colour.name"].requirement_level is not None
    assert names["ml.colour.name"].requirement_level.level == "required"


def test_groups_that_include_each_other_come_to_an_end(
    write_registry: Callable[..., Path],
) -> None:
    """A circle of groups is unfolded once."""
    root = write_registry(
        SPANS,
        "    attributes:\n      - ref: ml.colour.name\n        requirement_level: required\n",
        "    attributes:\n      - ref_group: attributes.ml.colour\n",
    )

    registry, _ = read_registry(root)

    resolved = registry.resolve(registry.spans[0].attributes)
    assert [reference.ref for reference in resolved][:2] == ["ml.colour.kind", "ml.colour.name"]
