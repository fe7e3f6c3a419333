"""
What a scenario must emit: `expected.yaml`, read strictly.

```yaml
common:                             # attributes that several have in common; expects nothing
  call: &call {ml.model.name: churn}
spans:                              # all of them, in any order
  - name: predict churn
    kind: internal                  # default
    status: unset                   # default
    message: ""                     # default; what the status says in words
    parent: GET /score              # default: none among the scenario's spans
    times: 1                        # default
    attributes:                     # all of them
      <<: *call
      ml.batch.size: 1              # a value: equal, and of the same type (doubles within 1e-9)
      ml.call.stream: {pattern: "[0-9a-f]{16}"}         # the whole of a text
      ml.framework.version: {any: string}               # a type, or `any: int[]`
      ml.batch.confidence.min: {between: [0, 1]}        # a number, ends included
      ml.input.features: {json: {age: 42}}              # a text that holds this JSON
    events: []                      # default; like `events` below, without severity
metrics:                            # those of interest
  - name: ml.inference.predictions
    unit: "{prediction}"
    instrument: counter
    points:                         # all of them
      - attributes: *call
        value: 3                    # of a histogram `count` and, where it is known, `sum`
    more: false                     # default; true where it may have further points
events:                             # log records, all of them
  - name: ml.drift.detected
    severity: warn
    times: 1                        # default
    attributes: {}                  # all of them
absent: [ml.drift.score]            # metrics, and attributes of whatever, that must not be there
```

`&call`, `*call` and `<<: *call` are YAML's anchors and merge keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import yaml

from conventions.scenarios.matching import complaint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "Expectation",
    "ExpectationError",
    "ExpectedEvent",
    "ExpectedMetric",
    "ExpectedPoint",
    "ExpectedSpan",
    "read_expectation",
]

Times = Annotated[int, msgspec.Meta(ge=1)]
Number = int | float | dict[str, Any]


class ExpectationError(Exception):
    """An `expected.yaml` or `awaited.yaml` that cannot be read; the message names file, place, expectation and finding."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What allows no key that it does not know."""


class ExpectedEvent(_Strict, frozen=True):
    """A log record, or an event of a span."""

    name: str
    attributes: dict[str, Any]
    severity: Literal["", "trace", "debug", "info", "warn", "error", "fatal"] = ""
    times: Times = 1


class ExpectedSpan(_Strict, frozen=True):
    """A span with all its attributes and events."""

    name: str
    attributes: dict[str, Any]
    kind: Literal["internal", "server", "client", "producer", "consumer"] = "internal"
    status: Literal["unset", "ok", "error"] = "unset"
    message: str = ""
    parent: str = ""
    events: tuple[ExpectedEvent, ...] = ()
    times: Times = 1


class ExpectedPoint(_Strict, frozen=True):
    """A point of a metric; of what is not said, nothing is expected."""

    attributes: dict[str, Any]
    value: Number | None = None
    count: Number | None = None
    sum: Number | None = None


class ExpectedMetric(_Strict, frozen=True):
    """A metric with all its points, or with at least these."""

    name: str
    unit: str
    instrument: Literal["counter", "updowncounter", "gauge", "histogram"]
    points: tuple[ExpectedPoint, ...]
    more: bool = False


class Expectation(_Strict, frozen=True):
    """Everything that a scenario must emit, and what it must not."""

    common: dict[str, dict[str, Any]] = {}
    spans: tuple[ExpectedSpan, ...] = ()
    metrics: tuple[ExpectedMetric, ...] = ()
    events: tuple[ExpectedEvent, ...] = ()
    absent: tuple[str, ...] = ()


def read_expectation(path: Path) -> Expectation:
    """
    Return what *path* expects.

    Raises:
        ExpectationError: For the first thing that is missing, unknown or of the wrong kind.
    """
    try:
        document = yaml.safe_load(path.read_bytes())
        expected = msgspec.convert(document or {}, Expectation)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        found = " ".join(str(error).split())
        raise ExpectationError(f"{path}: {found} (the format: {Path(__file__).name})") from None
    for place, value in _values("$", msgspec.to_builtins(expected)):
        found = complaint(value)
        if found:
            raise ExpectationError(f"{path}: {place}: {found}")
    return expected


def _values(place: str, record: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Give every value that may be a matcher, with its place."""
    for key, held in record.items():
        if key in {"spans", "metrics", "events", "points"}:
            for index, one in enumerate(held):
                yield from _values(f"{place}.{key}[{index}]", one)
        elif key == "attributes":
            yield from ((f"{place}.{key}.{name}", value) for name, value in held.items())
        elif key in {"value", "count", "sum"}:
            yield f"{place}.{key}", held
