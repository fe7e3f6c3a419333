"""What was observed, compared with a small registry written for these tests."""

from __future__ import annotations

from typing import Any

import pytest

from otel_ml_conventions.conformance import Finding, Judgement, Level, Registry, Rule, wire_type

URL = "https://conventions.example/ours/1.0.0"
PREDICT = {"ml.operation.name": "predict", "ml.model.name": "fraud"}


def asked(**levels: str) -> dict[str, Any]:
    """Return references by level, their keys without `ml.` and with underscores for dots."""
    return {f"ml.{key.replace('_', '.')}": {"requirement_level": at} for key, at in levels.items()}


IDENTITY = asked(operation_name="required", model_name="required")
DOCUMENT: dict[str, Any] = {
    "schema_url": URL,
    "attributes": {
        "ml.operation.name": {
            "type": "string",
            "members": [{"value": value} for value in ("predict", "explain", "fit")],
        },
        "ml.model.name": {"type": "string"},
        "ml.batch.size": {"type": "int"},
        "ml.label": {"type": "string"},
        "ml.labels": {"type": "string[]"},
        "ml.confidence": {"type": "double"},
        "ml.flag": {"type": "boolean"},
        "ml.codes": {"type": "int", "members": [{"value": 1}, {"value": 2}]},
        "ml.content": {"type": "any", "annotations": {"value_size": "large"}},
        "ml.parameter": {"type": "template[string]"},
        "ml.old": {"type": "string", "deprecated": {"reason": "renamed", "renamed_to": "ml.label"}},
        "ml.step": {"type": "string"},
        "ml.elsewhere": {"type": "string"},
        "error.type": {"type": "string", "members": [{"value": "_OTHER"}], "upstream": "x"},
    },
    "spans": {
        "ml.inference": {
            "kind": "internal",
            "name": "{ml.operation.name} {ml.model.name}",
            "attributes": IDENTITY
            | asked(
                batch_size="recommended",
                label="recommended",
                labels="recommended",
                confidence="recommended",
                flag="recommended",
                codes="recommended",
                content="opt_in",
                parameter="opt_in",
                old="recommended",
            )
            | {"error.type": {"requirement_level": "conditionally_required"}},
        },
        "ml.explain": {
            "kind": "internal",
            "name": "explain {ml.model.name}",
            "attributes": IDENTITY | asked(label="required"),
        },
        "ml.step": {
            "kind": "internal",
            "name": "{ml.operation.name} {ml.step}",
            "attributes": IDENTITY | asked(step="required"),
        },
        "ml.verdict": {
            "kind": "internal",
            "name": "verdict {ml.model.name}",
            "attributes": asked(model_name="required"),
        },
    },
    "metrics": {
        "ml.calls": {
            "instrument": "counter",
            "unit": "{call}",
            "value_type": "int",
            "attributes": IDENTITY,
        },
        "ml.age": {
            "instrument": "gauge",
            "unit": "s",
            "value_type": "double",
            "deprecated": {"reason": "obsoleted"},
            "attributes": {},
        },
    },
    "events": {"ml.alarm": {"severity": "WARN", "attributes": asked(model_name="required")}},
    "entities": {"ml.model": {"attributes": asked(model_name="required")}},
}
REGISTRY = Registry(DOCUMENT)


def span(name: str = "predict fraud", kind: str = "internal", **more: object) -> Judgement:
    """Judge the span of a call with *more* attributes, written as in `asked`."""
    given = {f"ml.{key.replace('_', '.')}": value for key, value in more.items()}
    return REGISTRY.judge_span(name, kind, PREDICT | given, URL)


def rules(judgement: Judgement) -> list[tuple[str, Rule]]:
    """Return attribute and rule of each finding."""
    return [(finding.attribute, finding.rule) for finding in judgement.findings]


def test_a_span_that_keeps_to_the_registry_has_no_findings() -> None:
    """All types, an opt-in, a template and a conditional attribute; its attributes are told for the coverage."""
    judgement = REGISTRY.judge_span(
        "predict fraud",
        "internal",
        {
            **PREDICT,
            "ml.batch.size": 3,
            "ml.labels": ["a", "b"],
            "ml.confidence": 0.5,
            "ml.flag": True,
            "ml.codes": 2,
            "ml.content": '{"a":1}',
            "ml.parameter.max_depth": "8",
            "error.type": "TimeoutError",
            "their.own": b"\x00",
        },
        URL,
    )

    assert judgement.findings == ()
    assert judgement.signal == "span ml.inference"
    assert judgement.attributes == {
        *PREDICT,
        *("ml.batch.size", "ml.labels", "ml.confidence", "ml.flag", "ml.codes"),
        *("ml.content", "ml.parameter", "error.type"),
    }


def test_a_finding_names_signal_attribute_rule_expectation_and_finding() -> None:
    """One line that says what to mend, and a record for programs."""
    (finding,) = span(batch_size=2.0).findings

    assert finding == Finding(
        "span ml.inference", "ml.batch.size", Rule.WRONG_TYPE, "int", "double"
    )
    assert str(finding) == (
        "violation: span ml.inference, ml.batch.size: wrong_type: expected int, found double"
    )


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("batch_size", True, "boolean"),
        ("batch_size", "3", "string"),
        ("batch_size", None, "empty"),
        ("confidence", 1, "int"),
        ("label", ["a"], "string[]"),
        ("label", [], "[]"),  # no items of any type are no text
        ("labels", "a", "string"),
        ("labels", [1.5], "double[]"),
        ("labels", ["a", 1], "(int|string)[]"),
        ("labels", [["a"]], "string[][]"),
        ("flag", 1, "int"),
        ("content", None, "empty"),
        ("content", b"{}", "bytes"),
        ("parameter_depth", 8, "int"),
    ],
)
def test_a_wrong_type_is_found(key: str, value: object, found: str) -> None:
    """Types are strict: an integer is no double, a boolean no integer, and nothing is no value."""
    (finding,) = span(**{key: value}).findings

    assert (finding.rule, finding.found) == (Rule.WRONG_TYPE, found)


@pytest.mark.parametrize("value", [[], ["a"], ["a", "a"]])
def test_an_empty_array_is_of_any_type(value: list[str]) -> None:
    """The wire does not say what an array without items would hold."""
    assert span(labels=value).findings == ()


@pytest.mark.parametrize("value", [{"a": 1}, {}, [], [{"a": 1}], '{"a":null}', "[]", 1.5])
def test_an_attribute_of_any_type_takes_maps_arrays_and_json(value: object) -> None:
    """A map, an array, a number, or a text that any JSON parser reads."""
    assert span(content=value).findings == ()


@pytest.mark.parametrize(
    "text", ['{"a":NaN}', "[Infinity]", "{'a': 1}", '{"a":', "", "[" * 100_000]
)
def test_a_text_of_any_type_is_json_that_everybody_reads(text: str) -> None:
    """Python writes NaN into JSON, and other parsers stop there."""
    assert ("ml.content", Rule.INVALID_JSON) in rules(span(content=text))


@pytest.mark.parametrize(("key", "value"), [("operation_name", "guess"), ("codes", 3)])
def test_an_unknown_value_of_ours_is_a_violation(key: str, value: object) -> None:
    """A producer must not invent values, although a receiver must bear them."""
    name = "guess fraud" if key == "operation_name" else "predict fraud"

    (finding,) = span(name, **{key: value}).findings

    assert (finding.rule, finding.is_violation) == (Rule.UNKNOWN_VALUE, True)
    assert repr(value) == finding.found


def test_values_of_upstream_attributes_are_not_judged() -> None:
    """`error.type` names a few values and means any."""
    judgement = REGISTRY.judge_span("predict fraud", "internal", PREDICT | {"error.type": "X"}, URL)

    assert judgement.findings == ()


def test_an_upstream_attribute_of_a_wrong_type_is_found_on_our_signals_only() -> None:
    """What others write on spans of their own is their business."""
    wrong = {"error.type": 7}

    ours = REGISTRY.judge_span("predict fraud", "internal", PREDICT | wrong, URL)
    theirs = REGISTRY.judge_span("GET /", "server", wrong, "")

    assert rules(ours) == [("error.type", Rule.WRONG_TYPE)]
    assert theirs.findings == ()


def test_an_unknown_name_and_one_that_does_not_belong_are_told_apart() -> None:
    """A typing error is not in the registry, a misplaced attribute is."""
    assert rules(span(labelname="a", elsewhere="b")) == [
        ("ml.labelname", Rule.UNKNOWN_ATTRIBUTE),
        ("ml.elsewhere", Rule.NOT_ALLOWED),
    ]


def test_what_is_missing_is_found() -> None:
    """Only what is required always; whether a condition holds cannot be seen."""
    judgement = REGISTRY.judge_span("predict", "internal", {"ml.operation.name": "predict"}, URL)

    assert judgement.signal == "span ml.inference"
    assert rules(judgement) == [("ml.model.name", Rule.MISSING_REQUIRED)]


def test_a_deprecated_name_and_a_large_value_are_advice() -> None:
    """They break nothing; the new name is told, and no length, so that a thousand are one finding."""
    findings = span(old="a", label="x" * 1025).findings

    assert [(f.rule, f.rule.level) for f in findings] == [
        (Rule.DEPRECATED, Level.ADVICE),
        (Rule.LARGE_VALUE, Level.ADVICE),
    ]
    assert findings[0].expected == "ml.label instead"


def test_the_limit_of_a_value_is_that_of_its_annotation() -> None:
    """What the registry calls large may be 64 times as long, and not longer."""
    assert span(label="x" * 1024, content=f'"{"x" * 65_534}"').findings == ()
    assert rules(span(content=f'"{"x" * 65_535}"')) == [("ml.content", Rule.LARGE_VALUE)]


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("predict fraud", {}, "span ml.inference"),
        ("explain fraud", {"ml.operation.name": "explain", "ml.label": "x"}, "span ml.explain"),
        ("predict scaler", {"ml.step": "scaler"}, "span ml.step"),
        ("predict fraud", {"ml.step": "fraud"}, "span ml.inference"),
        ("verdict fraud", {}, "span ml.verdict"),
    ],
    ids=["pattern", "fixed-word", "other-placeholder", "both", "no-operation"],
)
def test_the_type_of_a_span_is_told_by_its_name(
    name: str, more: dict[str, str], expected: str
) -> None:
    """The pattern that gives the name; of two, the one with a fixed word, then the one named first."""
    assert REGISTRY.judge_span(name, "internal", PREDICT | more, "").signal == expected


def test_a_span_with_another_name_is_known_by_its_attributes() -> None:
    """Somebody has renamed it: the right name is told."""
    judgement = span("my prediction")

    assert judgement.signal == "span ml.inference"
    (finding,) = judgement.findings
    assert finding[2:] == (Rule.WRONG_NAME, "'predict fraud'", "'my prediction'")


def test_of_a_renamed_span_the_operation_tells_the_type() -> None:
    """`explain` begins the name of one type only."""
    attributes = {"ml.operation.name": "explain", "ml.model.name": "m"}

    assert REGISTRY.judge_span("why", "internal", attributes, "").signal == "span ml.explain"


def test_a_span_of_our_scope_that_is_of_no_type_is_a_violation() -> None:
    """Under our schema URL there is nothing that the registry does not know."""
    judgement = REGISTRY.judge_span("warm up", "internal", {}, URL)

    assert rules(judgement) == [("", Rule.UNKNOWN_SPAN)]


def test_on_somebody_elses_span_only_our_attributes_are_judged() -> None:
    """A web request may say which model it used; it must say it rightly."""
    right = REGISTRY.judge_span("POST /x", "server", {"ml.model.name": "m", "http.x": 1}, "other")
    wrong = REGISTRY.judge_span(
        "POST /x", "server", {"ml.model.name": 1, "ml.modelname": "m"}, "other"
    )

    assert (right.signal, right.findings) == ("span", ())
    assert rules(wrong) == [
        ("ml.model.name", Rule.WRONG_TYPE),
        ("ml.modelname", Rule.UNKNOWN_ATTRIBUTE),
    ]
    assert {finding.signal for finding in wrong.findings} == {"other span"}


def test_a_wrong_kind_is_found() -> None:
    """A call of a model is internal, even if the model is asked over the network."""
    (finding,) = span(kind="client").findings

    assert finding[2:] == (Rule.WRONG_KIND, "internal", "client")


@pytest.mark.parametrize(
    ("url", "expected"),
    [(URL, []), ("https://conventions.example/ours/2.0.0", []), ("", ["none"]), ("x", ["'x'"])],
    ids=["this", "other version", "none", "other family"],
)
def test_a_scope_without_our_schema_url_is_advice(url: str, expected: list[str]) -> None:
    """Readers find the conventions by it; any version of them will do."""
    judgement = REGISTRY.judge_span("predict fraud", "internal", PREDICT, url)

    assert [finding.found for finding in judgement.findings] == expected
    assert not any(finding.is_violation for finding in judgement.findings)


def test_the_schema_url_on_a_resource_is_a_violation() -> None:
    """An SDK that merges two resources with different schema URLs drops one of them."""
    assert rules(REGISTRY.judge_resource({"service.name": "x"}, URL)) == [
        ("", Rule.SCHEMA_URL_ON_RESOURCE)
    ]
    other = "https://opentelemetry.io/schemas/1.44.0"
    assert REGISTRY.judge_resource({"service.name": "x"}, other).findings == ()


def test_a_resource_has_what_describes_an_entity() -> None:
    """A process with one model may say so there, and nothing of its calls."""
    judgement = REGISTRY.judge_resource({"ml.model.name": "m", "ml.batch.size": 1}, "")

    assert rules(judgement) == [("ml.batch.size", Rule.NOT_ALLOWED)]
    assert judgement.attributes == {"ml.model.name"}


def test_a_metric_that_keeps_to_the_registry_has_no_findings() -> None:
    """Its unit, instrument, numbers and attributes are those of the registry."""
    judgement = REGISTRY.judge_metric("ml.calls", "{call}", "counter", [("int", PREDICT)], URL)

    assert judgement == Judgement("metric ml.calls", frozenset(PREDICT), ())


@pytest.mark.parametrize(
    ("unit", "instrument", "value_type", "rule"),
    [
        ("1", "counter", "int", Rule.WRONG_UNIT),
        ("", "counter", "int", Rule.WRONG_UNIT),
        ("{call}", "gauge", "int", Rule.WRONG_INSTRUMENT),
        ("{call}", "updowncounter", "int", Rule.WRONG_INSTRUMENT),
        ("{call}", "counter", "double", Rule.WRONG_VALUE_TYPE),
    ],
)
def test_a_metric_with_another_shape_is_found(
    unit: str, instrument: str, value_type: str, rule: Rule
) -> None:
    """A dashboard adds what must not be added, or finds nothing."""
    points = [(value_type, PREDICT)]

    judgement = REGISTRY.judge_metric("ml.calls", unit, instrument, points, URL)

    assert rules(judgement) == [("", rule)]


def test_every_point_of_a_metric_is_judged() -> None:
    """The second as well as the first; the attributes seen are those of all."""
    points = [("int", PREDICT), ("int", {"ml.model.name": "m", "ml.label": "x"})]

    judgement = REGISTRY.judge_metric("ml.calls", "{call}", "counter", points, URL)

    assert rules(judgement) == [
        ("ml.label", Rule.NOT_ALLOWED),
        ("ml.operation.name", Rule.MISSING_REQUIRED),
    ]
    assert judgement.attributes == set(PREDICT)


def test_the_point_for_all_that_had_no_room_lacks_nothing() -> None:
    """An SDK that is out of attribute sets writes one point with a single attribute."""
    points = [("int", {"otel.metric.overflow": True})]

    assert not REGISTRY.judge_metric("ml.calls", "{call}", "counter", points, URL).findings


def test_an_unknown_metric_is_a_violation_if_its_name_is_ours() -> None:
    """Others may measure what they like; our attributes on their points are judged."""
    ours = REGISTRY.judge_metric("ml.cals", "{call}", "counter", [], URL)
    theirs = REGISTRY.judge_metric("http.x", "s", "gauge", [("int", {"ml.modelname": "m"})], "")

    assert rules(ours) == [("", Rule.UNKNOWN_METRIC)]
    assert ours.findings[0].signal == "metric ml.cals"
    assert rules(theirs) == [("ml.modelname", Rule.UNKNOWN_ATTRIBUTE)]


def test_a_deprecated_metric_is_advice() -> None:
    """Signals go out of use as attributes do."""
    (finding,) = REGISTRY.judge_metric("ml.age", "s", "gauge", [("double", {})], URL).findings

    assert finding[2:4] == (Rule.DEPRECATED, "it no longer")


@pytest.mark.parametrize(
    ("severity", "found"), [(0, "none (0)"), (9, "INFO (9)"), (99, "none (99)")]
)
def test_an_event_of_another_severity_is_found(severity: int, found: str) -> None:
    """Severity decides what is kept and who is woken."""
    judgement = REGISTRY.judge_event("ml.alarm", severity, {"ml.model.name": "m"}, URL)

    assert [finding[2:] for finding in judgement.findings] == [(Rule.WRONG_SEVERITY, "WARN", found)]


@pytest.mark.parametrize("severity", [13, 16, None])
def test_an_event_that_keeps_to_the_registry_has_no_findings(severity: int | None) -> None:
    """WARN has four numbers, and an event of a span has none."""
    judgement = REGISTRY.judge_event("ml.alarm", severity, {"ml.model.name": "m"}, URL)

    assert judgement == Judgement("event ml.alarm", frozenset({"ml.model.name"}), ())


def test_an_unknown_event_is_a_violation_if_its_name_is_ours() -> None:
    """`exception` and the like are none of our business."""
    assert rules(REGISTRY.judge_event("ml.alram", 13, {}, URL)) == [("", Rule.UNKNOWN_EVENT)]
    assert REGISTRY.judge_event("exception", None, {}, URL).findings == ()
    assert rules(REGISTRY.judge_log_record({"ml.label": 1})) == [("ml.label", Rule.WRONG_TYPE)]


def test_what_others_wrote_is_shown_on_one_short_line() -> None:
    """Names and values come from anybody: no line breaks, no colours, no flood."""
    hostile = "ml.\x1b[31m\nred" + "x" * 500

    judgement = REGISTRY.judge_span("predict fraud", "internal", PREDICT | {hostile: 1}, URL)

    line = str(judgement.findings[0])
    assert line.isprintable()
    assert len(line) < 300


def test_personal_data_is_never_shown() -> None:
    """A finding about content says what is wrong with it, not what it holds."""
    judgement = REGISTRY.judge_span(
        "predict fraud", "internal", PREDICT | {"ml.content": "secret", "ml.label": ["secret"]}, URL
    )

    assert len(judgement.findings) == 2
    assert "secret" not in "".join(map(str, judgement.findings))


def test_the_same_facts_give_the_same_findings() -> None:
    """In the order of the attributes, what is missing last, every time."""
    bad = {"ml.zzz": 1, "ml.batch.size": "x", "ml.aaa": 1}

    judged = [REGISTRY.judge_span("x", "client", bad, URL) for _ in range(3)]

    assert judged[0] == judged[1] == judged[2]


def test_values_have_the_registry_s_words_for_their_types() -> None:
    """Also those that no attribute of the registry may have."""
    values = ["", True, 1, 1.0, b"", {}, None, [], [1], [None], [[1.0], []]]

    assert [wire_type(value) for value in values] == (
        [
            "string",
            "boolean",
            "int",
            "double",
            "bytes",
            "map",
            "empty",
            "[]",
            "int[]",
            "empty[]",
            "([]|double[])[]",
        ]
    )
