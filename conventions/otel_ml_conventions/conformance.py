"""
Whether telemetry keeps to the conventions: what was observed, compared with `registry.json`.

Only what is ours is judged: signals of the registry, and `ml.*` attributes wherever they stand.
What others add to our signals under names of their own is their business.

A span does not say its type, so it is told in this order:

1. By its name. The pattern of a type, such as `{ml.operation.name} {ml.model.name}`, is filled with
   the span's own attributes, absent ones left out; if that is the span's name, it has that type.
   `explain fraud` fits two patterns: the one with a fixed word is meant, then the one of which more
   required attributes are there.
2. By its attributes, where the name fits nothing but `ml.operation.name` is there or the schema URL
   of its scope is ours: the type that begins with the operation, or of which most required
   attributes are there. Its name is then wrong.
3. Otherwise it has none: an error if the schema URL is ours, and a span of somebody else if not, of
   which only the `ml.*` attributes are judged.

Enumerations are open in the registry's syntax, because a receiver must survive a value it does not
know. A producer must not invent one, so here an unknown value of an `ml.*` attribute is a
violation; values of attributes that come from upstream are not judged.
"""

from __future__ import annotations

import json
from enum import Enum
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Finding", "Judgement", "Level", "Registry", "Rule", "wire_type"]

_OURS: Final = "ml."
_OPERATION: Final = "ml.operation.name"
_TEMPLATE: Final = "template["
_OVERFLOW: Final = "otel.metric.overflow"
_MAX_LENGTH: Final = 1024
"""Characters of a text or items of an array from which on it is called large."""
_MAX_LARGE_LENGTH: Final = 65_536
"""The same where the registry says `value_size: large`."""
_MAX_SHOWN: Final = 80
_SEVERITIES: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SEVERITIES_PER_NAME: Final = 4
_WIRE_TYPES: Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "int",
    float: "double",
    bytes: "bytes",
    dict: "map",
    type(None): "empty",
}


class Level(str, Enum):
    """How much a finding weighs."""

    VIOLATION = "violation"
    """The registry forbids it."""
    ADVICE = "advice"
    """It is allowed, and there is something better."""


class Rule(str, Enum):
    """What is broken."""

    UNKNOWN_ATTRIBUTE = "unknown_attribute"
    UNKNOWN_SPAN = "unknown_span"
    UNKNOWN_METRIC = "unknown_metric"
    UNKNOWN_EVENT = "unknown_event"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_VALUE = "unknown_value"
    INVALID_JSON = "invalid_json"
    NOT_ALLOWED = "not_allowed"
    MISSING_REQUIRED = "missing_required"
    WRONG_NAME = "wrong_name"
    WRONG_KIND = "wrong_kind"
    WRONG_UNIT = "wrong_unit"
    WRONG_INSTRUMENT = "wrong_instrument"
    WRONG_VALUE_TYPE = "wrong_value_type"
    WRONG_SEVERITY = "wrong_severity"
    SCHEMA_URL_ON_RESOURCE = "schema_url_on_resource"
    MISSING_SCHEMA_URL = "missing_schema_url"
    DEPRECATED = "deprecated"
    LARGE_VALUE = "large_value"

    @property
    def level(self) -> Level:
        """How much a finding of this rule weighs."""
        return Level.ADVICE if self in _ADVICE else Level.VIOLATION


_ADVICE: Final = frozenset({Rule.MISSING_SCHEMA_URL, Rule.DEPRECATED, Rule.LARGE_VALUE})


class Finding(NamedTuple):
    """
    One departure from the conventions; equal ones are one finding that occurs several times.

    Attributes:
        signal: What it was found on: `span ml.inference`, `metric ml.drift.score`, `resource`.
        attribute: The attribute it is about; empty where it is about the signal itself.
        rule: What is broken.
        expected: What the registry asks for.
        found: What there was instead; never a value that may be personal data.
    """

    signal: str
    attribute: str
    rule: Rule
    expected: str
    found: str

    @property
    def is_violation(self) -> bool:
        """Whether the registry forbids it."""
        return self.rule.level is Level.VIOLATION

    def __str__(self) -> str:
        place = f"{self.signal}, {self.attribute}" if self.attribute else self.signal
        said = f"{self.rule.value}: expected {self.expected}, found {self.found}"
        return f"{self.rule.level.value}: {place}: {said}"


class Judgement(NamedTuple):
    """
    What is to be said of one span, metric, event or resource.

    Attributes:
        signal: Its kind and name, as in a `Finding`.
        attributes: Its attributes by their names in the registry; only those of its signal.
        findings: In the order of its attributes, what is missing last.
    """

    signal: str
    attributes: frozenset[str]
    findings: tuple[Finding, ...]


class _Attribute(NamedTuple):
    """What the registry says of one attribute; of a template, its type without that word."""

    key: str
    type: str
    is_template: bool
    values: frozenset[object]
    deprecated: str | None
    max_length: int


class _Signal(NamedTuple):
    """What the registry says of one signal, *asked* being the attributes it may have."""

    label: str
    facts: Mapping[str, Any]
    asked: frozenset[str]
    required: tuple[str, ...]


class Registry:
    """
    The registry, as a judge: pure, the same facts give the same findings.

    Attributes are given as they come off the wire: a text is a `str`, an array a `list`, a map a
    `dict`, no value `None`.

    Args:
        document: What `registry.json` holds; by default the one of this package.
    """

    def __init__(self, document: Mapping[str, Any] | None = None) -> None:
        stated = _own_document() if document is None else document
        self._family = str(stated["schema_url"]).rpartition("/")[0] + "/"
        self._attributes = {key: _attribute(key, of) for key, of in stated["attributes"].items()}
        self._templates = [item for item in self._attributes.values() if item.is_template]
        self._spans = _signals("span", stated["spans"])
        self._metrics = _signals("metric", stated["metrics"])
        self._events = _signals("event", stated["events"])
        self._of_entities = frozenset(
            key for entity in stated["entities"].values() for key in entity["attributes"]
        )

    def signals(self) -> dict[str, dict[str, str]]:
        """Return every signal by kind and name, with the level at which it asks for each attribute."""
        return {
            signal.label: {
                key: str(reference.get("requirement_level", ""))
                for key, reference in signal.facts["attributes"].items()
            }
            for group in (self._spans, self._metrics, self._events)
            for signal in group.values()
        }

    def judge_resource(self, attributes: Mapping[str, object], schema_url: str) -> Judgement:
        """Judge a resource: of `ml.*` it has what describes an entity, and never our schema URL."""
        label = "resource"
        findings = list(self._judged(label, attributes, self._of_entities))
        if schema_url.startswith(self._family):
            # Two resources with different schema URLs cannot be merged: one of them is dropped.
            findings.append(
                Finding(label, "", Rule.SCHEMA_URL_ON_RESOURCE, "it on scopes only", schema_url)
            )
        told = frozenset(attributes).intersection(self._of_entities)
        return Judgement(label, told, tuple(findings))

    def judge_span(
        self, name: str, kind: str, attributes: Mapping[str, object], schema_url: str
    ) -> Judgement:
        """Judge a span of *kind* (`internal`, `server` ...), *schema_url* being its scope's."""
        is_ours = schema_url.startswith(self._family)
        signal = self._by_name(name, attributes, is_ours=is_ours)
        findings: list[Finding] = []
        if signal is None:
            signal = self._by_attributes(attributes, is_ours=is_ours)
            if signal is not None:
                expected = _quoted(_filled(signal, attributes))
                findings.append(Finding(signal.label, "", Rule.WRONG_NAME, expected, _quoted(name)))
        if signal is None:
            unknown = self._unknown("span", Rule.UNKNOWN_SPAN, name, self._spans)
            return self._foreign("span", attributes, (unknown,) if is_ours else ())
        if kind != signal.facts["kind"]:
            findings.append(Finding(signal.label, "", Rule.WRONG_KIND, signal.facts["kind"], kind))
        findings += self._about_signal(signal, schema_url)
        findings += self._judged(signal.label, attributes, signal.asked, is_span=True)
        findings += _missing(signal, attributes)
        return self._judgement(signal, attributes, findings)

    def judge_metric(
        self,
        name: str,
        unit: str,
        instrument: str,
        points: Iterable[tuple[str, Mapping[str, object]]],
        schema_url: str,
    ) -> Judgement:
        """
        Judge a metric with all its points.

        Args:
            name: Its name.
            unit: Its unit.
            instrument: `counter`, `updowncounter`, `gauge`, `histogram`, or what else it is.
            points: Of each the type of its value (`int`, `double`, empty where it has several
                values) and its attributes.
            schema_url: That of its scope.
        """
        signal = self._metrics.get(name)
        if signal is None:
            unknown = self._unknown("metric", Rule.UNKNOWN_METRIC, name, self._metrics)
            first = (unknown,) if name.startswith(_OURS) else ()
            found = [self._foreign("metric", attributes) for _, attributes in points]
            return Judgement(
                "metric", frozenset(), (*first, *(item for each in found for item in each.findings))
            )
        findings = [
            *self._about_signal(signal, schema_url),
            *_about_metric(signal, unit, instrument),
        ]
        seen: set[str] = set()
        for value_type, attributes in points:
            point = self._judged_point(signal, value_type, attributes)
            findings += point.findings
            seen |= point.attributes
        return Judgement(signal.label, frozenset(seen), tuple(findings))

    def _judged_point(
        self, signal: _Signal, value_type: str, attributes: Mapping[str, object]
    ) -> Judgement:
        findings = list(self._judged(signal.label, attributes, signal.asked))
        expected = signal.facts.get("value_type", "")
        if value_type and value_type != expected:
            findings.append(
                Finding(signal.label, "", Rule.WRONG_VALUE_TYPE, f"{expected} points", value_type)
            )
        if _OVERFLOW not in attributes:  # The one point for all that an SDK has no room for.
            findings += _missing(signal, attributes)
        return self._judgement(signal, attributes, findings)

    def judge_event(
        self, name: str, severity: int | None, attributes: Mapping[str, object], schema_url: str
    ) -> Judgement:
        """Judge an event with the number of its *severity*, None where it is the event of a span."""
        signal = self._events.get(name)
        if signal is None:
            unknown = self._unknown("event", Rule.UNKNOWN_EVENT, name, self._events)
            return self._foreign("event", attributes, (unknown,) if name.startswith(_OURS) else ())
        findings = list(self._about_signal(signal, schema_url))
        expected = str(signal.facts.get("severity", ""))
        if severity is not None and _severity_name(severity) != expected:
            found = f"{_severity_name(severity) or 'none'} ({severity})"
            findings.append(Finding(signal.label, "", Rule.WRONG_SEVERITY, expected, found))
        findings += self._judged(signal.label, attributes, signal.asked)
        findings += _missing(signal, attributes)
        return self._judgement(signal, attributes, findings)

    def judge_log_record(self, attributes: Mapping[str, object]) -> Judgement:
        """Judge a log record that is no event."""
        return self._foreign("log record", attributes)

    def _by_name(
        self, name: str, attributes: Mapping[str, object], *, is_ours: bool
    ) -> _Signal | None:
        fitting = [
            signal
            for signal in self._spans.values()
            if _filled(signal, attributes) == name
            and (is_ours or any(key in attributes for key in _placeholders(signal)))
        ]
        # `max` takes the first of equals: the one that the registry names first.
        return max(
            fitting,
            key=lambda signal: (bool(_first_word(signal)), _share_present(signal, attributes)),
            default=None,
        )

    def _by_attributes(self, attributes: Mapping[str, object], *, is_ours: bool) -> _Signal | None:
        operation = attributes.get(_OPERATION)
        if operation is None and not is_ours:
            return None
        fitting = [
            signal for signal in self._spans.values() if _share_present(signal, attributes) > 0
        ]
        return max(
            fitting,
            key=lambda signal: (
                _first_word(signal) == operation,
                _share_present(signal, attributes),
                sum(key in attributes for key in signal.required),
            ),
            default=None,
        )

    def _about_signal(self, signal: _Signal, schema_url: str) -> Iterator[Finding]:
        stated = signal.facts.get("deprecated")
        if stated:
            yield Finding(signal.label, "", Rule.DEPRECATED, _instead(stated), "it in use")
        if not schema_url.startswith(self._family):
            found = _quoted(schema_url) if schema_url else "none"
            expected = f"{self._family}... on its scope"
            yield Finding(signal.label, "", Rule.MISSING_SCHEMA_URL, expected, found)

    def _judged(
        self,
        label: str,
        attributes: Mapping[str, object],
        asked: frozenset[str] | None,
        *,
        is_span: bool = False,
    ) -> Iterator[Finding]:
        """Yield what is to be said of *attributes*; *asked* is None on signals of somebody else."""
        for key, value in attributes.items():
            is_ours = key.startswith(_OURS)
            stated = self._stated(key)
            if stated is None:
                if is_ours:
                    expected = "a name of the registry"
                    shown = _quoted(key)
                    yield Finding(label, shown[1:-1], Rule.UNKNOWN_ATTRIBUTE, expected, shown)
                continue
            if not is_ours and (asked is None or stated.key not in asked):
                continue
            if asked is not None and stated.key not in asked:
                expected = "it on signals that ask for it"
                yield Finding(label, key, Rule.NOT_ALLOWED, expected, "it here")
            yield from _about_value(label, key, value, stated, is_span=is_span)

    def _stated(self, key: str) -> _Attribute | None:
        stated = self._attributes.get(key)
        if stated is not None:
            return stated
        return next((item for item in self._templates if key.startswith(f"{item.key}.")), None)

    def _judgement(
        self, signal: _Signal, attributes: Mapping[str, object], findings: list[Finding]
    ) -> Judgement:
        stated = (self._stated(key) for key in attributes)
        seen = frozenset(item.key for item in stated if item is not None)
        return Judgement(signal.label, seen & signal.asked, tuple(findings))

    def _foreign(
        self, label: str, attributes: Mapping[str, object], first: tuple[Finding, ...] = ()
    ) -> Judgement:
        findings = self._judged(f"other {label}", attributes, None)
        return Judgement(label, frozenset(), (*first, *findings))

    @staticmethod
    def _unknown(kind: str, rule: Rule, name: str, known: Mapping[str, _Signal]) -> Finding:
        expected = f"one of the {len(known)} {kind}s of the registry"
        return Finding(f"{kind} {_quoted(name)[1:-1]}", "", rule, expected, _quoted(name))


def wire_type(value: object) -> str:
    """
    Return the type of a value off the wire, in the registry's words.

    `[]` is an array without items, which may be of any type; `bytes`, `map`, `empty` and arrays of
    several types are words of ours for what the registry has no attribute of.
    """
    if not isinstance(value, list):
        return _WIRE_TYPES[type(value)]
    kinds = sorted({wire_type(item) for item in value})
    if not kinds:
        return "[]"
    return f"{kinds[0]}[]" if len(kinds) == 1 else f"({'|'.join(kinds)})[]"


def _own_document() -> Mapping[str, Any]:
    text = files("otel_ml_conventions").joinpath("registry.json").read_text("utf-8")
    document: Mapping[str, Any] = json.loads(text)
    return document


def _attribute(key: str, stated: Mapping[str, Any]) -> _Attribute:
    is_large = stated.get("annotations", {}).get("value_size") == "large"
    is_template = stated["type"].startswith(_TEMPLATE)
    return _Attribute(
        key,
        stated["type"][len(_TEMPLATE) : -1] if is_template else stated["type"],
        is_template,
        frozenset(member["value"] for member in stated.get("members", ()))
        if key.startswith(_OURS)
        else frozenset(),
        _instead(stated["deprecated"]) if "deprecated" in stated else None,
        _MAX_LARGE_LENGTH if is_large else _MAX_LENGTH,
    )


def _signals(kind: str, stated: Mapping[str, Any]) -> dict[str, _Signal]:
    return {
        name: _Signal(
            f"{kind} {name}",
            facts,
            frozenset(facts["attributes"]),
            tuple(
                key
                for key, reference in facts["attributes"].items()
                if reference.get("requirement_level") == "required"
            ),
        )
        for name, facts in stated.items()
    }


def _instead(deprecated: Mapping[str, str]) -> str:
    renamed_to = deprecated.get("renamed_to")
    return f"{renamed_to} instead" if renamed_to else "it no longer"


def _words(signal: _Signal) -> list[str]:
    return str(signal.facts["name"]).split(" ")


def _placeholders(signal: _Signal) -> list[str]:
    return [word[1:-1] for word in _words(signal) if word.startswith("{")]


def _first_word(signal: _Signal) -> str:
    """Return the fixed word that the names of these spans begin with; empty where there is none."""
    word = _words(signal)[0]
    return "" if word.startswith("{") else word


def _filled(signal: _Signal, attributes: Mapping[str, object]) -> str:
    words = (
        str(attributes.get(word[1:-1], "")) if word.startswith("{") else word
        for word in _words(signal)
    )
    return " ".join(word for word in words if word)


def _share_present(signal: _Signal, attributes: Mapping[str, object]) -> float:
    present = sum(key in attributes for key in signal.required)
    return present / max(1, len(signal.required))


def _missing(signal: _Signal, attributes: Mapping[str, object]) -> Iterator[Finding]:
    for key in signal.required:
        if key not in attributes:
            expected = "it, it is required"
            yield Finding(signal.label, key, Rule.MISSING_REQUIRED, expected, "nothing")


def _about_metric(signal: _Signal, unit: str, instrument: str) -> Iterator[Finding]:
    if unit != signal.facts["unit"]:
        expected = _quoted(signal.facts["unit"])
        yield Finding(signal.label, "", Rule.WRONG_UNIT, expected, _quoted(unit))
    if instrument != signal.facts["instrument"]:
        expected = signal.facts["instrument"]
        yield Finding(signal.label, "", Rule.WRONG_INSTRUMENT, expected, instrument)


def _about_value(
    label: str, key: str, value: object, stated: _Attribute, *, is_span: bool
) -> Iterator[Finding]:
    expected, found = stated.type, wire_type(value)
    if not _is_of_type(found, expected):
        yield Finding(label, key, Rule.WRONG_TYPE, expected, found)
    elif stated.values and not stated.values.issuperset(
        value if isinstance(value, list) else (value,)
    ):
        values = f"one of {', '.join(sorted(map(str, stated.values)))}"
        yield Finding(label, key, Rule.UNKNOWN_VALUE, values, _quoted(value))
    elif is_span and expected == "any" and isinstance(value, str) and not _is_json(value):
        yield Finding(label, key, Rule.INVALID_JSON, "JSON text", "a text that is none")
    length = len(value) if isinstance(value, (str, bytes, list, dict)) else 0
    if length > stated.max_length:
        # Without its length: a finding for every length would be thousands of the same.
        expected = f"at most {stated.max_length} characters or items"
        yield Finding(label, key, Rule.LARGE_VALUE, expected, "more")
    if stated.deprecated is not None:
        yield Finding(label, key, Rule.DEPRECATED, stated.deprecated, "it in use")


def _is_of_type(found: str, expected: str) -> bool:
    if expected == "any":
        return found not in {"empty", "bytes"}
    return found == expected or (found == "[]" and expected.endswith("[]"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # Python reads NaN and Infinity, nobody else does.


def _severity_name(number: int) -> str:
    index = (number - 1) // _SEVERITIES_PER_NAME
    return _SEVERITIES[index] if 0 <= index < len(_SEVERITIES) else ""


def _quoted(value: object) -> str:
    """Return what somebody else wrote, on one line, without control characters, and short."""
    text = ascii(value) if not isinstance(value, str) or not value.isprintable() else f"'{value}'"
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 4]}...'"
