"""In what the telemetry of a scenario departs from what was expected."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from conventions.scenarios.matching import matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conventions.scenarios.observed import Observed, Point

__all__ = ["differences"]


def differences(expected: Mapping[str, Any], observed: Observed) -> list[str]:
    """Return, one line each, in what *observed* departs from *expected*; nothing if it does not."""
    return [
        *_records("span", expected["spans"], observed.spans),
        *_records("event", expected["events"], observed.events),
        *_metrics(expected["metrics"], observed),
        *_present(expected["absent"], observed),
    ]


def _records(kind: str, expected: Sequence[Any], found: Sequence[Any]) -> Iterator[str]:
    """Pair what agrees, and tell the differences of the rest, paired by name."""
    missing, left = [], list(found)
    for record in chain.from_iterable(repeat(one, one["times"]) for one in expected):
        same = next((one for one in left if not _record(record, one)), None)
        if same is None:
            missing.append(record)
        else:
            left.remove(same)
    for record in missing:
        name = record["name"]
        other = next((one for one in left if one.name == name), None)
        if other is None:
            yield f"{kind} {name!r}: expected, found none (or not as often)"
        else:
            left.remove(other)
            yield from (f"{kind} {name!r}: {difference}" for difference in _record(record, other))
    yield from (f"{kind} {one.name!r}: found, but not expected" for one in left)


def _record(record: Mapping[str, Any], one: Any) -> list[str]:
    fields = ("name", "kind", "status", "message", "parent", "severity")
    return [
        *(
            f"{field}: expected {record[field]!r}, found {getattr(one, field)!r}"
            for field in fields
            if field in record and record[field] != getattr(one, field)
        ),
        *_attributes(record["attributes"], one.attributes),
        *(_records("event", record["events"], one.events) if "events" in record else ()),
    ]


def _attributes(expected: Mapping[str, Any], found: Mapping[str, object]) -> Iterator[str]:
    for name, value in expected.items():
        if name not in found:
            yield f"{name}: expected {value!r}, found nothing"
        elif not matches(value, found[name]):
            yield f"{name}: expected {value!r}, found {found[name]!r}"
    for name in found.keys() - expected.keys():
        yield f"{name}: found {found[name]!r}, but not expected"


def _metrics(expected: Sequence[Any], observed: Observed) -> Iterator[str]:
    metrics = {metric.name: metric for metric in observed.metrics}
    for record in expected:
        place = f"metric {record['name']!r}"
        metric = metrics.get(record["name"])
        if metric is None:
            yield f"{place}: expected, found none"
            continue
        for field in ("unit", "instrument"):
            if record[field] != getattr(metric, field):
                yield f"{place}: {field}: expected {record[field]!r}, found {getattr(metric, field)!r}"
        yield from (f"{place}: {line}" for line in _points(record, metric.points))


def _points(metric: Mapping[str, Any], found: Sequence[Point]) -> Iterator[str]:
    left = list(found)
    for record in metric["points"]:
        wanted = record["attributes"]
        same = next((p for p in left if not list(_attributes(wanted, p.attributes))), None)
        if same is None:
            yield f"expected a point with {wanted}, found {[dict(p.attributes) for p in left]}"
            continue
        left.remove(same)
        for field in ("value", "count", "sum"):
            if record[field] is not None and not matches(record[field], getattr(same, field)):
                yield f"{field}: expected {record[field]!r}, found {getattr(same, field)!r}"
    if not metric["more"]:
        yield from (f"a point with {dict(p.attributes)}, but not expected" for p in left)


def _present(absent: Sequence[str], observed: Observed) -> Iterator[str]:
    records: list[Any] = [*observed.spans, *observed.events]
    records += [event for span in observed.spans for event in span.events]
    present = {metric.name for metric in observed.metrics}
    present |= {name for record in records for name in record.attributes}
    points = [point for metric in observed.metrics for point in metric.points]
    present |= {name for point in points for name in point.attributes}
    yield from (f"{name}: found, but it must not be there" for name in absent if name in present)
