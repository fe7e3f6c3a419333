"""The generated files in the repository say what the registry says, no less and no more."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from conventions.generate.__main__ import main
from otel_ml_conventions import attributes, entities, events, metrics, schema, spans

REPOSITORY = Path(__file__).parents[2]
PAGES = REPOSITORY / "docs" / "reference" / "conventions"
SIGNALS = {"spans": "type", "metrics": "name", "events": "name", "entities": "type"}
RENDERER = MarkdownIt("commonmark").enable("table")


def _stated(*folders: str) -> dict[str, list[dict[str, Any]]]:
    """Read the YAML as any YAML reader would, file after file."""
    stated: dict[str, list[dict[str, Any]]] = {}
    for folder in folders:
        for path in sorted((REPOSITORY / "conventions" / folder).glob("*.yaml")):
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            for name, items in content.items() if path.name != "manifest.yaml" else ():
                stated.setdefault(name, []).extend(items if isinstance(items, list) else [])
    return stated


STATED = _stated("model", "upstream")
DOCUMENT = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text("utf-8"))


def _references(signal: dict[str, Any]) -> dict[str, Any]:
    """Give level or {level: condition} by key, groups unfolded."""
    groups = {group["id"]: group["attributes"] for group in STATED["attribute_groups"]}
    asked: dict[str, Any] = {}
    stated = (signal.get(field, []) for field in ("attributes", "identity", "description"))
    for item in chain.from_iterable(stated):
        members = groups[item["ref_group"]] if "ref_group" in item else [item]
        asked.update({member["ref"]: member["requirement_level"] for member in members})
    return asked


def _asked(signal: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {item["requirement_level"]: item["condition"]}
        if "condition" in item
        else item["requirement_level"]
        for key, item in signal["attributes"].items()
    }


def _constants(module: ModuleType, prefix: str = "") -> dict[str, str]:
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and name.startswith(prefix) and isinstance(value, str)
    }


def test_the_generated_files_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    """The registry keeps every rule, and `write` would change nothing."""
    status = main(["check"])

    assert (status, capsys.readouterr().err) == (0, "")


def test_the_document_has_every_attribute_as_the_yaml_states_it() -> None:
    """Type, values, brief, stability and annotations survive the way into `registry.json`."""
    expected = {
        item["key"]: {
            "type": item["type"] if isinstance(item["type"], str) else "string",
            "values": [m["value"] for m in item["type"]["members"]]
            if isinstance(item["type"], dict)
            else [],
            "brief": item["brief"],
            "stability": item["stability"],
            "annotations": item.get("annotations", {}),
        }
        for item in STATED["attributes"]
    }

    assert expected == {
        key: {
            "type": item["type"],
            "values": [member["value"] for member in item.get("members", [])],
            "brief": item["brief"],
            "stability": item["stability"],
            "annotations": item.get("annotations", {}),
        }
        for key, item in DOCUMENT["attributes"].items()
    }


@pytest.mark.parametrize("kind", SIGNALS)
def test_the_document_has_every_signal_with_its_attributes(kind: str) -> None:
    """Every span, metric, event and entity asks in `registry.json` for the same as in the YAML."""
    expected = {signal[SIGNALS[kind]]: _references(signal) for signal in STATED[kind]}

    assert {name: _asked(signal) for name, signal in DOCUMENT[kind].items()} == expected


def test_the_definitions_of_metrics_are_those_of_the_yaml() -> None:
    """Instrument, unit, description, value type and buckets survive the way into Python."""
    expected = {
        item["name"]: (
            item["name"],
            item["instrument"],
            item["unit"],
            item["brief"],
            item["annotations"]["code_generation"]["metric_value_type"],
            tuple(item["annotations"].get("bucket_boundaries", ())),
        )
        for item in STATED["metrics"]
    }

    assert {name: tuple(item) for name, item in metrics.DEFINITIONS.items()} == expected


@pytest.mark.parametrize(
    ("module", "prefix", "names"),
    [
        (attributes, "", [item["key"] for item in STATED["attributes"]]),
        (metrics, "METRIC_", [item["name"] for item in STATED["metrics"]]),
        (spans, "SPAN_", [item["type"] for item in STATED["spans"]]),
        (events, "EVENT_", [item["name"] for item in STATED["events"]]),
        (entities, "ENTITY_", [item["type"] for item in STATED["entities"]]),
    ],
    ids=["attributes", "metrics", "spans", "events", "entities"],
)
def test_every_name_is_a_constant_and_every_constant_a_name(
    module: ModuleType, prefix: str, names: list[str]
) -> None:
    """The constant of a name is the name in capitals, with underscores for dots."""
    assert _constants(module, prefix) == {
        prefix + name.upper().replace(".", "_"): name for name in names
    }


def test_an_entity_is_identified_by_what_the_yaml_says() -> None:
    """The keys that tell two entities apart are the same in the YAML, in Python and for programs."""
    expected = {
        item["type"]: tuple(reference["ref"] for reference in item["identity"])
        for item in STATED["entities"]
    }

    assert expected == entities.IDENTITY
    assert expected == {
        name: tuple(entity["identity"]) for name, entity in DOCUMENT["entities"].items()
    }


def test_the_schema_url_is_that_of_the_manifest() -> None:
    """What the scopes carry is what the registry calls itself."""
    manifest = (REPOSITORY / "conventions/model/manifest.yaml").read_text(encoding="utf-8")

    assert yaml.safe_load(manifest)["schema_url"] == schema.SCHEMA_URL == DOCUMENT["schema_url"]


def _links_and_anchors(page: Path) -> tuple[list[str], list[str]]:
    """Give where the links of a page lead, and the anchors that a reader makes of its headings."""
    tokens = RENDERER.parse(page.read_text(encoding="utf-8"))
    children = [child for token in tokens for child in token.children or ()]
    links = [str(child.attrs["href"]) for child in children if child.type == "link_open"]
    headings = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "heading_open"]
    texts = ["".join(child.content for child in each.children or ()) for each in headings]
    anchors = [re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts]
    return links, anchors


def test_every_link_of_the_pages_leads_to_a_heading() -> None:
    """Whatever name is mentioned, one click leads to what it means."""
    read = {page.resolve(): _links_and_anchors(page) for page in PAGES.rglob("*.md")}

    dead = []
    for page, (links, _) in read.items():
        for link in [link for link in links if not link.startswith("https://")]:
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if target not in read or (anchor and anchor not in read[target][1]):
                dead.append(f"{page.name}: {link}")

    assert dead == []


def test_every_name_is_in_the_index() -> None:
    """The index of the pages leads to every attribute, span, metric, event and entity, once."""
    links, _ = _links_and_anchors(PAGES / "index.md")

    names = [name for kind in ("attributes", *SIGNALS) for name in DOCUMENT[kind]]

    assert sorted(link.rpartition("#")[2] for link in links) == sorted(
        name.replace(".", "") for name in names
    )
