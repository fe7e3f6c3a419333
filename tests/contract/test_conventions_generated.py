"""The generated files in the repository say what the registry says, no less and no more."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from conventions.generate.__main__ import main
from otel_ml_conventions import attributes, events, metrics, schema, spans

REPOSITORY = Path(__file__).parents[2]
SIGNALS = {"spans": "type", "metrics": "name", "events": "name"}


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
    for item in signal.get("attributes", []):
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
    """Every span, metric and event asks in `registry.json` for the same as in the YAML."""
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
    ],
    ids=["attributes", "metrics", "spans", "events"],
)
def test_every_name_is_a_constant_and_every_constant_a_name(
    module: ModuleType, prefix: str, names: list[str]
) -> None:
    """The constant of a name is the name in capitals, with underscores for dots."""
    assert _constants(module, prefix) == {
        prefix + name.upper().replace(".", "_"): name for name in names
    }


def test_the_schema_url_is_that_of_the_manifest() -> None:
    """What the scopes carry is what the registry calls itself."""
    manifest = (REPOSITORY / "conventions/model/manifest.yaml").read_text(encoding="utf-8")

    assert yaml.safe_load(manifest)["schema_url"] == schema.SCHEMA_URL == DOCUMENT["schema_url"]
