"""A profile as text for people."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from otel_ml_processor.assess.self_test import measured_false_alarm_rate
from otel_ml_processor.commands.bars import bars
from otel_ml_processor.commands.counts import counted
from otel_ml_processor.commands.profile_parts import parts_text
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.sketches.categories import MAX_OTHER_KNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.profile import CellReference, Profile, SelfTest

__all__ = ["CONFIDENCE", "PREDICTION", "column_picture", "profile_text", "promise_text"]

PREDICTION: Final = "(prediction)"
CONFIDENCE: Final = "(confidence)"
"""How the outputs are called among the features."""

_NAMES_SHOWN: Final = 3
_SLOTS: Final = ("missing", "non_finite", "unseen", "type_error")
_WIDEST_BAR: Final = 40
_LONGEST_NAME: Final = 24


def profile_text(profile: Profile, promise: float, reasons: Mapping[str, str] | None = None) -> str:
    """
    Return *profile* as lines: whose it is, one row per column, confidence, performance, its other parts, self-tests.

    *promise* is the rate of false alarms to compare the self-tests with. *reasons* says by column why it has its type.
    """
    source = profile.source
    version = f" {profile.version}" if profile.version else ""
    state = ["state       provisional: rows are still being added, nothing raises an alarm"]
    lines = [
        f"model       {profile.model}{version}",
        f"id          {profile.id}",
        f"created     {profile.created} from {source.kind} {source.uri} ({counted(source.rows, 'row')})",
        *(state if profile.provisional else []),
        *([f"schema      {', '.join(profile.schemas)}"] if profile.schemas else []),
        "",
        *_table(_rows(profile, reasons or {})),
        "",
    ]
    if profile.low_confidence is not None and profile.median_confidence is not None:
        low, median = profile.low_confidence, profile.median_confidence
        lines.append(f"confidence  5 % of the reference below {low:.4g}, median {median:.4g}")
    if profile.performance:
        scores = ", ".join(f"{name} {score:.4g}" for name, score in profile.performance.items())
        lines.append(f"performance {scores}")
    lines += parts_text(profile)
    lines.append(promise_text(profile.self_tests, promise))
    return "\n".join(lines) + "\n"


def column_picture(profile: Profile, name: str) -> str:
    """
    Return one column of *profile*, a line per cell with its rows, their share and a bar, then a line per count that is no cell.

    The bars of numbers are as long as rows are dense, for bins of equal mass hold equally many: together they show the distribution.

    Raises:
        ProfileError: If there is no such column.
    """
    columns = dict(_named(profile))
    if name not in columns:
        raise ProfileError(f"no column {name!r}; known: {', '.join(columns)}")
    column = columns[name]
    beside = {f"({slot})": getattr(column, slot) for slot in _SLOTS if getattr(column, slot)}
    cells, rows = _cell_names(column), sum(column.counts) + sum(beside.values())
    width = max(map(len, [*cells, *beside]))
    sizes = [count / extent for count, extent in zip(column.counts, _extents(column), strict=True)]
    drawn = ["\u2588" * round(_WIDEST_BAR * size / max(1e-300, *sizes)) for size in sizes]
    lines = [
        f"{cell.ljust(width)}  {count:>10,}  {100 * count / max(1, rows):5.1f} %  {bar}".rstrip()
        for cell, count, bar in zip(
            [*cells, *beside],
            [*column.counts, *beside.values()],
            [*drawn, *("" for _ in beside)],
            strict=True,
        )
    ]
    return "\n".join([f"{name}  {column.type}, {counted(rows, 'row')}", *lines]) + "\n"


def _extents(column: CellReference) -> list[float]:
    """Return how wide each bin of a numeric column is; of categories, and where that is not known, all are alike."""
    if column.type == "categorical" or column.min is None or column.max is None:
        return [1.0] * len(column.counts)
    if not column.edges:
        return [1.0]
    knots = [min(column.min, *column.edges), *column.edges, max(column.max, *column.edges)]
    narrowest = min((b - a for a, b in pairwise(column.edges)), default=knots[-1] - knots[0])
    return [max(b - a, narrowest, 1e-300) for a, b in pairwise(knots)]


def _cell_names(column: CellReference) -> list[str]:
    if column.type == "categorical":
        return [*(repr(n)[1:-1] for n in column.categories), "(other known)"]
    edges = [f"{edge:.6g}" for edge in column.edges]
    if not edges:
        return ["all"]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}"]


def promise_text(tests: Sequence[SelfTest], promise: float) -> str:
    """Return what the self-tests measured against the promised rate of false alarms, and whether it can be relied on."""
    if not tests:
        return f"promise {_percent(promise)}: not measured, the reference has too few rows"
    random_first = sorted(tests, key=lambda test: test.order != "random")
    measured = "; ".join(_measured(test, promise) for test in random_first)
    return f"promise {_percent(promise)}: {measured}"


def _measured(test: SelfTest, promise: float) -> str:
    rate = measured_false_alarm_rate(test, promise)
    windows = len(next(iter(test.p_values.values())))
    text = f"{_order(test)} {_percent(rate)} of {windows} windows"
    # Threefold, and not on the strength of one or two windows out of a few.
    if rate * windows <= 3 * max(1.0, promise * windows):
        return text
    return f"{text}: {_cause(test)}, alarms will be more frequent than promised"


def _order(test: SelfTest) -> str:
    if test.order == "random":
        return "random order"
    return f"own {test.window.removeprefix('1 ')}s" if _is_period(test) else "own order"


def _cause(test: SelfTest) -> str:
    if test.order == "random":
        return "even rows in random order alarm"
    if _is_period(test):
        return f"rows of one {test.window.removeprefix('1 ')} are not independent"
    return "neighbouring rows are not independent"


def _is_period(test: SelfTest) -> bool:
    return test.window in {"1 day", "1 hour"}


def _rows(profile: Profile, reasons: Mapping[str, str]) -> list[list[str]]:
    heading = [
        "column",
        "type",
        "cells",
        "missing",
        "counts",
        "values",
        "" if not reasons else "type is",
    ]
    named = _named(profile)
    return [heading, *([name, *_facts(column), reasons.get(name, "")] for name, column in named)]


def _named(profile: Profile) -> list[tuple[str, CellReference]]:
    outputs = [(PREDICTION, profile.prediction), (CONFIDENCE, profile.confidence)]
    named = [(feature.name, feature) for feature in profile.features]
    return named + [(name, column) for name, column in outputs if column is not None]


def _facts(column: CellReference) -> list[str]:
    return [
        column.type,
        _cells(column),
        str(column.missing),
        bars(column.counts),
        _values(column),
    ]


def _cells(column: CellReference) -> str:
    others = len(column.other_known)
    if column.type == "numeric" or others == 0:
        return str(len(column.edges) + 1 if column.type == "numeric" else len(column.categories))
    cut = ", cut: nothing is unseen" if others >= MAX_OTHER_KNOWN else ""
    return f"{len(column.categories)} + {others} known{cut}"


def _values(column: CellReference) -> str:
    if column.min is not None and column.max is not None:
        return f"{column.min:.4g} to {column.max:.4g}"
    shown = [_shortened(name) for name in column.categories[:_NAMES_SHOWN]]
    more = " ..." if len(column.categories) > _NAMES_SHOWN else ""
    return ", ".join(shown) + more


def _shortened(name: str) -> str:
    text = name if name.isprintable() else repr(name)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"
