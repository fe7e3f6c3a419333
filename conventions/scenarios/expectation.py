"""
What a scenario must emit: `expected.yaml`, read strictly.

```yaml
spans:                              # all of them, in any order
  - name: predict churn
    kind: internal                  # default
    status: unset                   # default
    parent: GET /score              # default: none among the scenario's spans
    times: 1                        # default
    attributes:                     # all of them
      ml.batch.size: 1              # a value: equal, and of the same type (numbers within 1e-9)
      ml.call.stream: {pattern: "[0-9a-f]{16}"}
      ml.framework.version: {any: string}
      ml.batch.confidence.min: {between: [0, 1]}
      ml.input.features: {json: {age: 42}}
    events: []                      # default; like `events` below, without severity
metrics:                            # those of interest; each with all of its points
  - name: ml.inference.predictions
    unit: "{prediction}"
    instrument: counter
    points:
      - attributes: {ml.model.name: churn}
        value: 3                    # of a histogram `count` and, where it is known, `sum`
    more: false                     # default; true where it may have further points
events:                             # log records, all of them
  - name: ml.drift.detected
    severity: warn
    times: 1
    attributes: {}
absent: [ml.drift.score]            # names of metrics, and of attributes anywhere, that must not be there
```

YAML's anchors and merge keys (`<<: *identity`) say what several have in common once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import yaml

from conventions.scenarios.matching import MATCHERS, TYPES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ExpectationError", "read_expectation"]

_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "": {"spans": [], "metrics": [], "events": [], "absent": []},
    "spans": {
        "name": ...,
        "kind": "internal",
        "status": "unset",
        "message": "",
        "parent": "",
        "times": 1,
        "attributes": ...,
        "events": [],
    },
    "metrics": {"name": ..., "unit": ..., "instrument": ..., "points": ..., "more": False},
    "points": {"attributes": ..., "value": None, "count": None, "sum": None},
    "events": {"name": ..., "severity": "", "times": 1, "attributes": ...},
}
"""The keys of each record, with their defaults; `...` where there is none."""
_NESTED: Final = ("spans", "metrics", "points", "events")


class ExpectationError(Exception):
    """An `expected.yaml` that cannot be read; the message names file, place, expectation and finding."""


def read_expectation(path: Path) -> Mapping[str, Any]:
    """
    Return what *path* expects, with defaults filled in.

    Raises:
        ExpectationError: For the first thing that is missing, unknown or of the wrong kind.
    """
    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ExpectationError(f"{path}: {' '.join(str(error).split())}") from None
    return _record("", {} if document is None else document, str(path))


def _record(kind: str, found: object, place: str) -> dict[str, Any]:
    fields = _FIELDS[kind]
    if not isinstance(found, Mapping):
        raise ExpectationError(f"{place}: expected a mapping, found {found!r:.60}")
    for key in found:
        if key not in fields:
            known = ", ".join(fields)
            raise ExpectationError(f"{place}: unknown key {key!r}; known: {known}")
    record = {key: found.get(key, default) for key, default in fields.items()}
    for key, value in record.items():
        if value is ...:
            raise ExpectationError(f"{place}: {key!r} is missing")
        if key in _NESTED:
            record[key] = _records(key, value, f"{place}: {key}")
    _check_matchers(record.get("attributes", {}), f"{place}: attributes")
    return record


def _records(kind: str, found: object, place: str) -> list[dict[str, Any]]:
    if not isinstance(found, list):
        raise ExpectationError(f"{place}: expected a list, found {found!r:.60}")
    return [_record(kind, record, f"{place}[{index}]") for index, record in enumerate(found)]


def _check_matchers(attributes: object, place: str) -> None:
    if not isinstance(attributes, Mapping):
        raise ExpectationError(f"{place}: expected a mapping, found {attributes!r:.60}")
    for name, expected in attributes.items():
        if isinstance(expected, Mapping):
            _check_matcher(expected, f"{place}.{name}")


def _check_matcher(matcher: Mapping[str, Any], place: str) -> None:
    known = ", ".join(MATCHERS)
    if len(matcher) != 1 or not set(matcher) <= set(MATCHERS):
        raise ExpectationError(f"{place}: expected a value or one of {known}, found {matcher}")
    if "any" in matcher and matcher["any"] not in TYPES:
        raise ExpectationError(f"{place}: expected a type of {', '.join(TYPES)}, found {matcher}")
