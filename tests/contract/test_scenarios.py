"""Every name of the registry is emitted by a scenario, as the conventions say, or it is known why not."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from conventions.scenarios.__main__ import FOLDER, main, names, scenario, text
from conventions.scenarios.comparison import differences
from conventions.scenarios.coverage import emitted_names, read_awaited, registered_names
from conventions.scenarios.expectation import ExpectationError, read_expectation
from conventions.scenarios.matching import matches
from conventions.scenarios.observed import observe
from conventions.scenarios.telemetry import emitted
from otel_ml_conventions.conformance import Judgement, Registry
from otel_ml_conventions.otlp_messages import judge_request

AWAITED = FOLDER / "awaited.yaml"
REGISTRY = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text())


@cache
def requests_of(name: str) -> tuple[Any, ...]:
    """Return what the scenario *name* emits; each runs once."""
    return tuple(emitted(scenario(name).run))


def judgements_of(name: str) -> list[Judgement]:
    """Return what the conventions say of it."""
    return [
        judged for request in requests_of(name) for judged in judge_request(Registry(), request)
    ]


@pytest.mark.filterwarnings(
    "ignore:X does not have valid feature names"
)  # what scikit-learn says of the failing call
@pytest.mark.parametrize("name", names())
def test_a_scenario_emits_what_it_says(name: str) -> None:
    """Exactly the spans and events of `expected.yaml`, and the metrics that it names."""
    expected = read_expectation(FOLDER / name / "expected.yaml")
    assert differences(expected, observe(requests_of(name))) == []


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", names())
def test_a_scenario_keeps_to_the_conventions(name: str) -> None:
    """No violation, and no advice either."""
    found = [str(finding) for judged in judgements_of(name) for finding in judged.findings]
    assert found == []


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_every_name_of_the_registry_is_emitted_or_awaited() -> None:
    """A name that nobody writes is no convention; the list of those to come is exact, so that it can only shrink."""
    signals = [(j.signal, j.attributes) for name in names() for j in judgements_of(name)]
    emitted_by_scenarios = emitted_names(REGISTRY, signals)
    registered, awaited = registered_names(REGISTRY), set(read_awaited(AWAITED))

    assert not registered - emitted_by_scenarios - awaited, (
        f"no scenario emits these: write one, or add them to {AWAITED.name} with the reason"
    )
    assert not awaited & emitted_by_scenarios, f"these are emitted: take them out of {AWAITED.name}"
    assert not awaited - registered, f"not in the registry: take them out of {AWAITED.name}"


def test_a_scenario_can_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name the list; with one what it emits, in the form of an expectation."""
    assert main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == names()

    shown = yaml.safe_load(text(observe(requests_of("one_sample"))))
    assert shown["spans"][0]["attributes"]["ml.prediction.confidence"] == pytest.approx(0.75)


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names that there are, and status 2."""
    assert main(["nonsense"]) == 2
    assert "known: " in capsys.readouterr().err


def expected(folder: Path, changes: str) -> Path:
    """Return the path of an expectation that says *changes*."""
    path = folder / "expected.yaml"
    path.write_text(changes)
    return path


SPAN = "spans: [{name: predict LogisticRegression, attributes: {ATTRIBUTES}}]"


@pytest.mark.parametrize(
    ("said", "difference"),
    [
        ("spans: []", "span 'predict LogisticRegression': found, but not expected"),
        ("spans: [{name: other, attributes: {}}]", "span 'other': expected, found none"),
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
            "metrics: [{name: ml.inference.duration, unit: ms, instrument: gauge, points: []}]",
            "unit: expected 'ms', found 's'",
        ),
        (
            "metrics: [{name: ml.inference.duration, unit: s, instrument: gauge, points: []}]",
            "instrument: expected 'gauge', found 'histogram'",
        ),
        (
            "metrics: [{name: ml.inference.duration, unit: s, instrument: histogram, points: []}]",
            "a point with",
        ),
        (
            "metrics: [{name: ml.sdk.dropped, unit: '{record}', instrument: counter, points: [{attributes: {}, value: 1}]}]",
            "value: expected 1, found 0",
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
    ("said", "error"),
    [
        ("spans: {}", "expected a list"),
        ("spams: []", "unknown key 'spams'; known: spans, metrics, events, absent"),
        ("spans: [{name: a}]", "spans[0]: 'attributes' is missing"),
        ("spans: [{attributes: {}, name: a, colour: b}]", "unknown key 'colour'"),
        ("spans: [{name: a, attributes: []}]", "expected a mapping"),
        (
            "spans: [{name: a, attributes: {b: {anny: int}}}]",
            "attributes.b: expected a value or one of any,",
        ),
        ("spans: [{name: a, attributes: {b: {any: integer}}}]", "expected a type of string,"),
        ("[]", "expected a mapping"),
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
        ([1, {"any": "int"}], [1, 7], True),
        ([1], [1, 2], False),
        ({"pattern": "a+"}, "aaa", True),
        ({"pattern": "a+"}, "aab", False),
        ({"between": [0, 1]}, 1.0, True),
        ({"between": [0, 1]}, 1.01, False),
        ({"between": [0, 1]}, "0", False),
        ({"json": {"a": 1}}, '{"a": 1}', True),
        ({"json": {"a": 1}}, '{"a": 2}', False),
        ({"map": {"a": 1}}, {"a": 1}, True),
        ({"any": "double[]"}, [1.0], True),
        ({"any": "double[]"}, [1], False),
        ({"any": "boolean"}, 1, False),
    ],
)
def test_a_value_matches_or_not(wanted: object, found: object, *, is_so: bool) -> None:
    """Type and value, or what the matcher says."""
    assert matches(wanted, found) is is_so


@pytest.mark.parametrize(
    "groups",
    ["[{names: [a b]}]", "[{because: '', names: [a b]}]", "[{because: x, names: []}]", "[a]"],
)
def test_nothing_is_awaited_without_a_reason(tmp_path: Path, groups: str) -> None:
    """The list says why for each name."""
    with pytest.raises(ExpectationError, match="because"):
        read_awaited(expected(tmp_path, groups))


def test_nothing_is_awaited_twice(tmp_path: Path) -> None:
    """Whoever takes a name out has to look once."""
    with pytest.raises(ExpectationError, match="twice"):
        read_awaited(expected(tmp_path, "[{because: x, names: [a b, a b]}]"))
