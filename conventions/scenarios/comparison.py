"""In what the telemetry of a scenario departs from what was expected."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

from conventions.scenarios.matching import matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conventions.scenarios.expectation import Expectation, ExpectedMetric
    from conventions.scenarios.observed import Observed, Point

__all__ = ["differences"]

_FIELDS: Final = ("name", "kind", "status", "message", "parent", "severity")


def differences(expected: Expectation, observed: Observed) -> list[str]:
    """Return, one line each, in what *observed* departs from *expected*; nothing if it does not."""
    return [
        *_records("span", expected.spans, observed.spans),
        *_records("event", expected.events, observed.events),
        *_metrics(expected.metrics, observed),
        *_present(expected.absent, observed),
    ]


def _records(kind: str, expected: Sequence[Any], found: Sequence[Any]) -> Iterator[str]:
    """Pair what agrees, and tell the differences of the rest, paired by name."""
    missing, left = [], list(found)
    for wanted in chain.from_iterable(repeat(one, one.times) for one in expected):
        same = next((one for one in left if not _record(wanted, one)), None)
        if same is None:
            missing.append(wanted)
        else:
            left.remove(same)
    for wanted in missing:
        other = next((one for one in left if one.name == wanted.name), None)
        if other is None:
            yield f"{kind} {wanted.name!r}: expected, found none (or not as often)"
        else:
            left.remove(other)
            yield from (f"{kind} {wanted.name!r}: {line}" for line in _record(wanted, other))
    yield from (f"{kind} {one.name!r}: found, but not expected" for one in left)


def _record(wanted: Any, one: Any) -> list[str]:
    return [
        *(
            f"{field}: expected {getattr(wanted, field)!r}, found {getattr(one, field)!r}"
            for field in _FIELDS
            if hasattr(wanted, field) and getattr(wanted, field) != getattr(one, field)
        ),
        *_attributes(wanted.attributes, one.attributes),
        *(_records("event", wanted.events, one.events) if hasattr(wanted, "events") else ()),
    ]


def _attributes(expected: Mapping[str, Any], found: Mapping[str, object]) -> Iterator[str]:
    for name, value in expected.items():
        if name not in found:
            yield f"{name}: expected {value!r}, found nothing"
        elif not matches(value, found[name]):
            yield f"{name}: expected {value!r}, found {found[name]!r}"
    for name in sorted(found.keys() - expected.keys()):
        yield f"{name}: found {found[name]!r}, but not expected"


def _metrics(expected: Sequence[ExpectedMetric], observed: Observed) -> Iterator[str]:
    metrics = {metric.name: metric for metric in observed.metrics}
    for wanted in expected:
        place = f"metric {wanted.name!r}"
        metric = metrics.get(wanted.name)
        if metric is None:
            yield f"{place}: expected, found none"
            continue
        for field in ("unit", "instrument"):
            if getattr(wanted, field) != getattr(metric, field):
                yield f"{place}: {field}: expected {getattr(wanted, field)!r}, found {getattr(metric, field)!r}"
        yield from (f"{place}: {line}" for line in _points(wanted, metric.points))


def _points(metric: ExpectedMetric, found: Sequence[Point]) -> Iterator[str]:
    left = list(found)
    for wanted in metric.points:
        same = next(
            (p for p in left if not list(_attributes(wanted.attributes, p.attributes))), None
        )
        if same is None:
            others = [dict(point.attributes) for point in left]
            yield f"expected a point with {wanted.attributes}, found {others}"
            continue
        left.remove(same)
        yield from (f"{wanted.attributes}: {line}" for line in _numbers(wanted, same))
    if not metric.more:
        yield from (f"found a point with {dict(p.attributes)}, but not expected" for p in left)


def _numbers(wanted: Any, point: Point) -> Iterator[str]:
    for field in ("value", "count", "sum"):
        expected, found = getattr(wanted, field), getattr(point, field)
        if expected is not None and not matches(expected, found):
            yield f"{field}: expected {expected!r}, found {found!r}"


def _present(absent: Sequence[str], observed: Observed) -> Iterator[str]:
    present = {metric.name for metric in observed.metrics}.union(*observed.attributes())
    yield from (f"{name}: found, but it must not be there" for name in absent if name in present)
