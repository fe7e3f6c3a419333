"""The examples in other languages keep to the registry, and the page shows what is in the files."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from otel_ml_conventions.metrics import DEFINITIONS
from otel_ml_conventions.schema import SCHEMA_URL

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "emit-from-another-language.md"
EXAMPLES = ROOT / "examples" / "other_languages"
SOURCES = {
    "go": EXAMPLES / "go" / "main.go",
    "java": EXAMPLES / "java" / "src" / "main" / "java" / "example" / "Scoring.java",
}
REGISTRY = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text())


@pytest.fixture(name="source", params=sorted(SOURCES))
def _source(request: pytest.FixtureRequest) -> str:
    """The text of one example."""
    return SOURCES[request.param].read_text()


@pytest.mark.parametrize("language", sorted(SOURCES))
def test_the_page_shows_the_file_that_was_run(language: str) -> None:
    """Whoever copies from the page copies what has been compiled and judged."""
    assert f"```{language}\n{SOURCES[language].read_text()}```" in PAGE.read_text()


def test_every_name_is_in_the_registry(source: str) -> None:
    """No attribute and no metric of another name."""
    named = set(re.findall(r'"((?:ml|error)\.[a-z_.]+)"', source))
    assert named <= REGISTRY["attributes"].keys() | REGISTRY["metrics"].keys()
    assert len(named) >= 15


def test_what_is_required_is_written(source: str) -> None:
    """Of the span and of each metric that is used."""
    span = REGISTRY["spans"]["ml.inference"]["attributes"]
    required = {name for name, said in span.items() if said["requirement_level"] == "required"}
    assert required
    assert all(f'"{name}"' in source for name in required)


def test_the_schema_url_is_ours(source: str) -> None:
    """The version that this registry has; it is named once, for the scopes."""
    assert re.findall(r'"(https://[^"]+)"', source) == [SCHEMA_URL]


@pytest.mark.parametrize(
    "name", ["ml.inference.duration", "ml.inference.predictions", "ml.prediction.confidence"]
)
def test_metrics_have_their_units_and_buckets(source: str, name: str) -> None:
    """As the registry gives them, number by number."""
    said = source[source.index(f'("{name}"') :]
    definition = DEFINITIONS[name]
    assert f'"{definition.unit}"' in said[:400]
    if definition.boundaries:
        listed = re.search(r"(?:Boundaries\(|List\.of\()([\d., \n]+)\)", said)
        assert listed is not None
        edges = [float(edge) for edge in listed[1].replace("\n", " ").split(",")]
        assert edges == list(definition.boundaries)


def test_values_of_enumerations_are_known(source: str) -> None:
    """Operation, framework and task are values that the registry has."""
    for key in ("ml.operation.name", "ml.framework.name", "ml.task.type"):
        (value,) = re.findall(rf'"{re.escape(key)}", "([a-z_]+)"', source)
        assert value in {member["value"] for member in REGISTRY["attributes"][key]["members"]}


@pytest.mark.parametrize("page", [PAGE, PAGE.with_name("check-conformance.md")])
def test_the_coverage_on_the_pages_is_of_the_registry_that_there_is(page: Path) -> None:
    """How many signals there are, and how many attributes each of those named may carry."""
    text = page.read_text()
    kinds = {kind: REGISTRY[f"{kind}s"] for kind in ("span", "metric", "event")}
    (signals,) = re.findall(r"coverage: \d+ of (\d+) signals", text)
    assert int(signals) == sum(map(len, kinds.values()))
    told = re.findall(r"  (span|metric|event) ([a-z_.]+): [\d,]+ x, \d+ of (\d+) attributes", text)
    assert told
    for kind, name, attributes in told:
        assert int(attributes) == len(kinds[kind][name]["attributes"]), name
