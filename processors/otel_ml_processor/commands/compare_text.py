"""A comparison as a table for people, and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.drift import MISSING, NON_FINITE, TYPE_ERROR, UNSEEN
from otel_ml_processor.commands.bars import bars
from otel_ml_processor.commands.counts import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.assess.reading import TargetReading
    from otel_ml_processor.commands.compare_sides import Compared, ComparedColumn

__all__ = [
    "WORST_FIRST",
    "column_name",
    "compare_json",
    "compare_text",
    "moved_text",
    "p_value_text",
    "sorted_columns",
    "summary_text",
]

WORST_FIRST: Final = (
    MlDriftStateValues.DRIFTING,
    MlDriftStateValues.WARNING,
    MlDriftStateValues.INSUFFICIENT,
    MlDriftStateValues.STEADY,
)
_SHARES: Final = frozenset({MISSING, UNSEEN, NON_FINITE, TYPE_ERROR})
_STYLES: Final = {
    MlDriftStateValues.DRIFTING: "bold red",
    MlDriftStateValues.WARNING: "yellow",
    MlDriftStateValues.STEADY: "green",
}
_SMALLEST_P_VALUE: Final = 0.0001
_WIDE: Final = 130
"""Characters of a line that has room for the bars."""


def compare_text(compared: Compared, width: int) -> RenderableType:
    """Return one line per column, the worst first, below what was compared, above what was found; bars where *width* has room."""
    table = Table(box=None, pad_edge=False)
    # What gives way where there is little room: a name is read over two lines, half a state or number is not read.
    table.add_column("column", min_width=8, overflow="fold")
    table.add_column("state", no_wrap=True)
    for heading in ("psi", "p-value", "missing"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("moved", overflow="fold")
    if width >= _WIDE:
        table.add_column("reference", no_wrap=True)
        table.add_column("current", no_wrap=True)
    for column in sorted_columns(compared):
        table.add_row(*_row(column)[: len(table.columns)])
    sides = (
        Text(f"reference  {compared.reference}  {counted(compared.reference_rows, 'row')}"),
        Text(f"current    {compared.current}  {counted(compared.current_rows, 'row')}\n"),
    )
    return Group(*sides, table, Text(), *map(Text, summary_text(compared)))


def sorted_columns(compared: Compared) -> list[ComparedColumn]:
    """Return the columns, the worst state first, then the largest effect."""
    return sorted(
        compared.columns,
        key=lambda column: (WORST_FIRST.index(column.reading.state), -column.reading.effect),
    )


def column_name(reading: TargetReading) -> str:
    """Return the name of a feature, or the output in brackets."""
    is_feature = reading.target is MlDriftTargetValues.FEATURE
    return reading.name if is_feature else f"({reading.target.value})"


def p_value_text(p_value: float) -> str:
    """Return a p-value with two digits, a very small one as a bound."""
    return "<.0001" if p_value < _SMALLEST_P_VALUE else f"{p_value:.2g}"


def summary_text(compared: Compared) -> list[str]:
    """Return the result in sentences: how many columns differ, at which promise, and what could not be compared."""
    drifting = [c for c in compared.columns if c.reading.state is MlDriftStateValues.DRIFTING]
    promise = (
        f"Where nothing differs, a comparison like this one finds something with a probability of {compared.alpha:.3g}, if rows are "
        f"independent of each other; differences below a PSI of {compared.effect_floor:g} are passed over."
    )
    differ = f"{counted(len(compared.columns), 'column')} {'differs' if len(drifting) == 1 else 'differ'}"
    lines = [f"{len(drifting)} of {differ}. {promise}"]
    lines += _only(compared.reference, compared.only_reference)
    lines += _only(compared.current, compared.only_current)
    inexact = [column_name(c.reading) for c in compared.columns if not c.is_exact]
    if inexact:
        lines.append(
            f"Not tested, because the two profiles have different cells: {', '.join(inexact)}. Their scores are estimates."
        )
    return lines


def compare_json(compared: Compared) -> bytes:
    """Return the whole comparison as one JSON object; a number that is not finite is `null`."""
    content = {
        "reference": {"path": compared.reference, "rows": compared.reference_rows},
        "current": {"path": compared.current, "rows": compared.current_rows},
        "false_alarm_rate": compared.alpha,
        "effect_floor": compared.effect_floor,
        "only_reference": compared.only_reference,
        "only_current": compared.only_current,
        "columns": [_column_json(column) for column in sorted_columns(compared)],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _column_json(column: ComparedColumn) -> dict[str, Any]:
    reading = column.reading
    return {
        "target": reading.target.value,
        "name": reading.name,
        "state": reading.state.value if column.is_exact else "not_tested",
        "p_value": reading.p_value if column.is_exact else None,
        "effect": reading.effect,
        "driver": reading.driver,
        "scores": dict(reading.scores),
        "missing": {"reference": column.reference_missing, "current": reading.missing},
        "unseen": reading.unseen,
        "out_of_range": reading.out_of_range,
        "non_finite": reading.non_finite,
        "type_error": reading.type_error,
        "cells": list(column.cells),
        "counts": {"reference": list(column.reference), "current": list(column.current)},
    }


def _only(path: str, names: Sequence[str]) -> list[str]:
    return [f"Only in {path}: {', '.join(names)}."] if names else []


def _row(column: ComparedColumn) -> list[RenderableType]:
    reading = column.reading
    state = reading.state.value if column.is_exact else "not tested"
    return [
        Text(column_name(reading)),
        Text(state, style=_STYLES.get(reading.state, "dim")),
        f"{reading.effect:.3f}",
        p_value_text(reading.p_value) if column.is_exact else "",
        _missing(column),
        Text(moved_text(column)),
        bars(column.reference),
        bars(column.current),
    ]


def moved_text(column: ComparedColumn) -> str:
    """
    Return from what to what the values moved: the mean of numbers, the share of the category that changed most.

    Where a share of values that cannot be counted decided (missing, unseen), it is that share. Empty where nothing differs. The mean is that of the cells' positions, so no single value decides it.
    """
    before, now = sum(column.reference), sum(column.current)
    if not before or not now or column.reading.state is MlDriftStateValues.STEADY:
        return ""
    if column.reading.driver in _SHARES:
        share = getattr(column.reading, column.reading.driver)
        was = f"{column.reference_missing:.1%} -> " if column.reading.driver == MISSING else ""
        return f"{column.reading.driver.replace('_', ' ')} {was}{share:.1%}"
    if column.positions:
        means = (_mean(side, column.positions) for side in (column.reference, column.current))
        return "mean " + " -> ".join(f"{mean:.4g}" for mean in means)
    shares = [(a / before, b / now) for a, b in zip(column.reference, column.current, strict=True)]
    most = max(range(len(shares)), key=lambda i: abs(shares[i][1] - shares[i][0]))
    return f"{column.cells[most]} " + " -> ".join(f"{share:.1%}" for share in shares[most])


def _mean(counts: Sequence[int], positions: Sequence[float]) -> float:
    weighted = (count * position for count, position in zip(counts, positions, strict=True))
    return sum(weighted) / sum(counts)


def _missing(column: ComparedColumn) -> str:
    shares = column.reference_missing, column.reading.missing
    return "" if not any(shares) else " -> ".join(f"{share:.1%}" for share in shares)
