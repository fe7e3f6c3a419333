"""Every name of the registry is emitted by a scenario, as the conventions say, or it is known why not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from conventions.scenarios.comparison import differences
from conventions.scenarios.coverage import (
    awaited_names,
    emitted_names,
    read_awaited,
    registered_names,
)
from conventions.scenarios.expectation import ExpectationError, read_expectation
from conventions.scenarios.folders import FOLDER, names, run_of
from conventions.scenarios.matching import complaint, matches
from conventions.scenarios.observed import observe
from conventions.scenarios.shown import text
from conventions.scenarios.telemetry import emitted
from otel_ml_conventions.conformance import Registry
from otel_ml_conventions.otlp_messages import judge_request

AWAITED = FOLDER / "awaited.yaml"
REGISTRY = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text())
OURS = {"conventions", "otel_ml", "otel_ml_conventions", "otel_ml_processor"}

# What scikit-learn says of the failing calls.
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")


@cache
def requests_of(name: str) -> tuple[Any, ...]:
    """Return what the scenario *name* emits; each runs once."""
    missing = missing_framework(name)
    if missing is not None:
        pytest.skip(f"{missing} is not installed: `make test-frameworks` runs this scenario")
    return tuple(emitted(run_of(name)))


def missing_framework(name: str) -> str | None:
    """Return the framework that the scenario *name* is about where it is not installed."""
    try:
        run_of(name)
    except ModuleNotFoundError as error:
        framework = str(error.name).partition(".")[0]
        if framework in OURS:
            raise
        return framework
    return None


def listed(found: Iterable[str]) -> str:
    """Return names as `awaited.yaml` has them."""
    return "".join(f"\n    - {name}" for name in sorted(found))


@pytest.mark.parametrize("name", names())
def test_a_scenario_emits_what_it_says(name: str) -> None:
    """Exactly the spans and events of `expected.yaml`, and the metrics that it names."""
    expected = read_expectation(FOLDER / name / "expected.yaml")
    assert differences(expected, observe(requests_of(name))) == []


@pytest.mark.parametrize("name", names())
def test_a_scenario_keeps_to_the_conventions(name: str) -> None:
    """No violation, and no advice either."""
    judge = Registry()
    judged = [found for request in requests_of(name) for found in judge_request(judge, request)]
    assert judged
    assert [str(finding) for found in judged for finding in found.findings] == []


def test_every_name_of_the_registry_is_emitted_or_awaited() -> None:
    """
    A name that nobody writes is no convention.

    Signals, attributes on each of their signals, values of enumerations, entities; the list of those to come is exact, so that it
    can only shrink. Names that only a framework can emit that is not installed here are awaited here.
    """
    can_run = [name for name in names() if missing_framework(name) is None]
    emitted_by_any = set().union(*(emitted_names(REGISTRY, requests_of(name)) for name in can_run))
    said = set(read_awaited(AWAITED))
    nobody_emits = registered_names(REGISTRY) - emitted_by_any - awaited_names(REGISTRY, said)
    signals = {name for name in nobody_emits if name.startswith(("span ", "metric ", "event "))}
    to_say = (nobody_emits - awaited_names(REGISTRY, signals)) | signals

    assert not said & emitted_by_any, (
        f"a scenario emits these; take them out of {AWAITED}:{listed(said & emitted_by_any)}"
    )
    assert not nobody_emits, (
        f"no scenario emits these; write one, or add to {AWAITED}:\n\n"
        f"- because: <what is not built yet>\n  names:{listed(to_say)}\n"
    )


def test_what_is_awaited_is_in_the_registry() -> None:
    """A name that was renamed or given up leaves the list with it."""
    said = set(read_awaited(AWAITED))
    known = registered_names(REGISTRY) | {f"attribute {key}" for key in REGISTRY["attributes"]}
    assert not said - known, (
        f"not in the registry; take them out of {AWAITED}:{listed(said - known)}"
    )


def test_a_scenario_can_be_run_by_itself() -> None:
    """As a program it prints what it emits, in the form of an expectation."""
    shown = subprocess.run(
        [sys.executable, FOLDER / "one_sample" / "scenario.py"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert yaml.safe_load(shown)["spans"][0]["attributes"]["ml.prediction.confidence"] == 0.75


def test_what_is_shown_can_be_expected(tmp_path: Path) -> None:
    """Whoever writes a scenario begins with what it prints, and works out which of it is right."""
    observed = observe(requests_of("failing_call_told"))
    assert differences(read_expectation(expected(tmp_path, text(observed))), observed) == []


def expected(folder: Path, said: str) -> Path:
    """Return the path of an expectation that says *said*."""
    path = folder / "expected.yaml"
    path.write_text(said)
    return path


SPAN = "spans: [{name: predict LogisticRegression, attributes: {ATTRIBUTES}}]"
DURATION = "name: ml.inference.duration"
DROPPED = "name: ml.sdk.dropped, unit: '{record}', instrument: counter"


@pytest.mark.parametrize(
    ("said", "difference"),
    [
        ("spans: []", "span 'predict LogisticRegression': found, but not expected"),
        ("spans: [{name: other, attributes: {}}]", "span 'other': expected, found none"),
        (
            "spans: [{name: predict LogisticRegression, times: 2, attributes: {}}]",
            "span 'predict LogisticRegression': expected, found none (or not as often)",
        ),
        (
            "spans: [{name: predict LogisticRegression, status: error, attributes: {}}]",
            "status: expected 'error', found 'unset'",
        ),
        (
            "spans: [{name: predict LogisticRegression, kind: server, attributes: {}}]",
            "kind: expected 'server', found 'internal'",
        ),
        (
            "spans: [{name: predict LogisticRegression, parent: score, attributes: {}}]",
            "parent: expected 'score', found ''",
        ),
        (
            "spans: [{name: predict LogisticRegression, attributes: {}, events: [{name: exception, attributes: {}}]}]",
            "event 'exception': expected, found none",
        ),
        (SPAN.replace("ATTRIBUTES", "ml.batch.size: 2"), "ml.batch.size: expected 2, found 1"),
        (SPAN.replace("ATTRIBUTES", "ml.batch.size: 1.0"), "ml.batch.size: expected 1.0, found 1"),
        (
            SPAN.replace("ATTRIBUTES", "ml.batch.size: {any: string}"),
            "ml.batch.size: expected {'any'",
        ),
        (SPAN.replace("ATTRIBUTES", "ml.model.id: a"), "ml.model.id: expected 'a', found nothing"),
        (SPAN.replace("ATTRIBUTES", ""), "ml.prediction.label: found 'leaves', but not expected"),
        (
            "events: [{name: ml.drift.detected, attributes: {}}]",
            "event 'ml.drift.detected': expected",
        ),
        ("absent: [ml.prediction.label]", "ml.prediction.label: found, but it must not be there"),
        ("absent: [ml.inference.duration]", "ml.inference.duration: found, but"),
        ("metrics: [{name: a, unit: s, instrument: gauge, points: []}]", "metric 'a': expected"),
        (
            f"metrics: [{{{DURATION}, unit: ms, instrument: histogram, points: []}}]",
            "unit: expected 'ms', found 's'",
        ),
        (
            f"metrics: [{{{DURATION}, unit: s, instrument: gauge, points: []}}]",
            "instrument: expected 'gauge', found 'histogram'",
        ),
        (
            f"metrics: [{{{DURATION}, unit: s, instrument: histogram, points: []}}]",
            "found a point with",
        ),
        (
            f"metrics: [{{{DURATION}, unit: s, instrument: histogram, more: true, points: [{{attributes: {{}}}}]}}]",
            "expected a point with {}",
        ),
        (
            f"metrics: [{{{DROPPED}, points: [{{attributes: {{}}, value: -1}}]}}]",
            "expected -1, found ",
        ),
        (
            f"metrics: [{{{DROPPED}, points: [{{attributes: {{}}, count: 1}}]}}]",
            "count: expected 1, found None",
        ),
    ],
)
def test_every_departure_from_an_expectation_is_told(
    tmp_path: Path, said: str, difference: str
) -> None:
    """What is missing, what is too much, and what is different: a scenario cannot pass by saying little."""
    found = differences(
        read_expectation(expected(tmp_path, said)), observe(requests_of("one_sample"))
    )
    assert any(difference in line for line in found), found


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("failing_call_told", "error.type"),
        ("failing_call_told", "exception.message"),
        ("failing_call_told", "ml.inference.duration"),
        ("drift", "ml.drift.description"),
        ("drift", "ml.drift.method"),
    ],
)
def test_what_must_not_be_there_is_looked_for_everywhere(
    tmp_path: Path, name: str, absent: str
) -> None:
    """On spans and their events, among metrics, on log records and on points."""
    found = differences(
        read_expectation(expected(tmp_path, f"absent: [{absent}]")), observe(requests_of(name))
    )
    assert f"{absent}: found, but it must not be there" in found


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("spans: {}", "Expected `array`, got `object` - at `$.spans`"),
        ("spams: []", "unknown field `spams`"),
        ("spans: [{name: a}]", "missing required field `attributes` - at `$.spans[0]`"),
        ("spans: [{attributes: {}, name: a, colour: b}]", "unknown field `colour`"),
        ("spans: [{attributes: {}, name: 1}]", "Expected `str`, got `int`"),
        ("spans: [{attributes: {}, name: a, status: bad}]", "Invalid enum value 'bad'"),
        ("spans: [{attributes: {}, name: a, times: 0}]", "Expected `int` >= 1"),
        ("spans: [{name: a, attributes: []}]", "Expected `object`, got `array`"),
        ("events: [{name: a, attributes: {}, severity: high}]", "Invalid enum value 'high'"),
        (
            "spans: [{name: a, attributes: {b: {anny: int}}}]",
            "$.spans[0].attributes.b: expected a value or one of any,",
        ),
        ("spans: [{name: a, attributes: {b: {any: integer}}}]", "expected a type of string,"),
        ("spans: [{name: a, attributes: {b: [{any: integer}]}}]", "expected a type of string,"),
        ("spans: [{name: a, attributes: {b: {pattern: '['}}}]", "expected a regular expression"),
        ("spans: [{name: a, attributes: {b: {between: 1}}}]", "expected [lowest, highest]"),
        (
            "metrics: [{name: a, unit: s, instrument: gauge, points: [{attributes: {}, value: {betwixt: [0, 1]}}]}]",
            "$.metrics[0].points[0].value: expected a value or one of",
        ),
        (
            "metrics: [{name: a, unit: s, instrument: sum, points: []}]",
            "Invalid enum value 'sum' - at `$.metrics[0].instrument`",
        ),
        ("absent: ml.drift.score", "Expected `array`, got `str` - at `$.absent`"),
        ("[1]", "Expected `object`, got `array`"),
        ("spans: [", "while parsing"),
    ],
)
def test_a_mistake_in_an_expectation_is_named(tmp_path: Path, said: str, error: str) -> None:
    """File, place, what was expected, what was found; a typing error never makes a scenario pass."""
    with pytest.raises(ExpectationError) as raised:
        read_expectation(expected(tmp_path, said))
    assert error in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_a_missing_expectation_is_named(tmp_path: Path) -> None:
    """A scenario without an expectation proves nothing."""
    with pytest.raises(ExpectationError, match=r"expected\.yaml"):
        read_expectation(tmp_path / "expected.yaml")


@pytest.mark.parametrize(
    ("wanted", "found", "is_so"),
    [
        (1, 1, True),
        (1, True, False),
        (0.3, 0.1 + 0.2, True),
        (0.3, 0.300001, False),
        (0.3, "0.3", False),
        (0.5, float("nan"), False),
        ([1, {"any": "int"}], [1, 7], True),
        ([1], [1, 2], False),
        ([1], 1, False),
        ({"pattern": "a+"}, "aaa", True),
        ({"pattern": "a+"}, "aab", False),
        ({"pattern": "1"}, 1, False),
        ({"between": [0, 1]}, 1.0, True),
        ({"between": [0, 1]}, 1.01, False),
        ({"between": [0, 1]}, "0", False),
        ({"between": [0, 1]}, True, False),
        ({"between": [0, 1]}, float("nan"), False),
        ({"json": {"a": 1}}, '{"a": 1}', True),
        ({"json": {"a": 1}}, '{"a": 2}', False),
        ({"json": {"a": 1}}, '{"a": 1', False),
        ({"json": {"a": 1}}, {"a": 1}, False),
        ({"map": {"a": 1}}, {"a": 1}, True),
        ({"map": {"a": 1}}, {"a": 2}, False),
        ({"any": "double[]"}, [1.0], True),
        ({"any": "double[]"}, [1], False),
        ({"any": "boolean"}, 1, False),
        ({"any": "string"}, "", True),
    ],
)
def test_a_value_matches_or_not(wanted: object, found: object, *, is_so: bool) -> None:
    """Type and value, or what the matcher says; a matcher of whatever is found never raises."""
    assert complaint(wanted) == ""
    assert matches(wanted, found) is is_so


REGISTERED = {
    "schema_url": "https://example.invalid/schemas/a-dev/0.1.0-dev",
    "attributes": {
        "ml.a": {"type": "string", "members": [{"value": "x"}, {"value": "y"}]},
        "ml.b": {"type": "string"},
        "ml.c": {"type": "string"},
        "error.type": {"type": "string", "upstream": "https://example.invalid"},
    },
    "spans": {"ml.s": {"attributes": {"ml.a": {}, "ml.b": {}, "error.type": {}}}},
    "metrics": {"ml.m": {"attributes": {"ml.a": {}}}},
    "events": {},
    "entities": {"ml.e": {"identity": ["ml.c"], "attributes": {"ml.c": {}}}},
}
ALL_NAMES = {
    "span ml.s",
    "metric ml.m",
    "attribute ml.a on span ml.s",
    "attribute ml.b on span ml.s",
    "attribute error.type on span ml.s",
    "attribute ml.a on metric ml.m",
    "attribute ml.c",
    "member ml.a=x",
    "member ml.a=y",
    "entity ml.e",
}


def test_everything_that_can_be_emitted_has_a_name() -> None:
    """An attribute on each signal that may have it, by itself where there is none."""
    assert registered_names(REGISTERED) == ALL_NAMES


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (set(), ALL_NAMES),
        ({"member ml.a=x"}, ALL_NAMES - {"member ml.a=x"}),
        ({"attribute ml.a on metric ml.m"}, ALL_NAMES - {"attribute ml.a on metric ml.m"}),
        (
            {"span ml.s"},
            {
                "metric ml.m",
                "attribute ml.a on metric ml.m",
                "attribute ml.c",
                "member ml.a=x",
                "member ml.a=y",
                "entity ml.e",
            },
        ),
        (
            {"attribute ml.a"},
            ALL_NAMES
            - {
                "attribute ml.a on span ml.s",
                "attribute ml.a on metric ml.m",
                "member ml.a=x",
                "member ml.a=y",
            },
        ),
        ({"span ml.s", "metric ml.m"}, {"attribute ml.c", "entity ml.e"}),
    ],
)
def test_a_whole_is_awaited_with_its_parts(said: set[str], left: set[str]) -> None:
    """A signal with its attributes, an attribute wherever it may be, and its values once it is awaited everywhere; nothing more."""
    assert registered_names(REGISTERED) - awaited_names(REGISTERED, said) == left


def test_what_is_emitted_is_named_on_its_signal() -> None:
    """Signal, attribute, attribute on the signal, value: as a span of the real instrumentor has them, and no other."""
    found = emitted_names(REGISTRY, requests_of("one_sample"))
    assert {
        "span ml.inference",
        "attribute ml.task.type",
        "attribute ml.task.type on span ml.inference",
        "attribute ml.task.type on metric ml.inference.duration",
        "member ml.task.type=binary_classification",
    } <= found
    assert not {"span ml.verdict", "member ml.task.type=regression", "entity ml.model"} & found


@pytest.mark.parametrize(
    "groups",
    [
        "[{names: [a b]}]",
        "[{because: '', names: [a b]}]",
        "[{because: x, names: []}]",
        "[{because: x, names: [a b], without: ''}]",
        "[{because: x, names: [a b], with: json}]",
        "[a]",
    ],
)
def test_nothing_is_awaited_without_a_reason(tmp_path: Path, groups: str) -> None:
    """The list says why for each name."""
    with pytest.raises(ExpectationError, match="because"):
        read_awaited(expected(tmp_path, groups))


@pytest.mark.parametrize(("module", "awaited"), [("json", {}), ("no_such_module", {"a b": "x"})])
def test_what_needs_a_framework_is_awaited_without_it(
    tmp_path: Path, module: str, awaited: dict[str, str]
) -> None:
    """Where it is installed, a scenario has to emit the name."""
    group = f"[{{because: x, without: {module}, names: [a b]}}]"
    assert read_awaited(expected(tmp_path, group)) == awaited


def test_nothing_is_awaited_twice(tmp_path: Path) -> None:
    """Whoever takes a name out has to look once."""
    with pytest.raises(ExpectationError, match="twice"):
        read_awaited(expected(tmp_path, "[{because: x, names: [a b, a b]}]"))
