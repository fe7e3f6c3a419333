"""Slow drift of a stream: evidence that the windows of one name leave behind, column by column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.assess.reading import Evidence
from otel_ml_processor.assess.side_by_side import blocks, side_by_side
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.statistics.evidence import (
    SlowDrift,
    alarm_level,
    location_score,
    tolerance,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_ml_processor.columns import FloatArray
    from otel_ml_processor.windows.summary import Comparison

__all__ = ["ColumnEvidence", "GatheredEvidence", "Observed"]

_SHAPE = (2, 3)
"""Directions and steps of one column; see `SlowDrift`."""
_Column = tuple[MlDriftTargetValues, str]


class ColumnEvidence(NamedTuple):
    """What has gathered of one column, in words and numbers: logarithms of e-values, as `SlowDrift.state` has them, in a row."""

    target: str
    name: str
    logs: tuple[float, ...]


class Observed(NamedTuple):
    """A column of a window: beside its reference, whether it has enough rows, and how many times its variance is what chance gives."""

    comparison: Comparison
    is_sufficient: bool
    inflation: float = 1.0


class GatheredEvidence:
    """
    What the windows of one name of one stream have said of a lasting shift, six numbers per column.

    Columns whose cells have an order take part, but for the expected errors: they follow from those, and only their growth is bad. Each one's evidence is divided by their number, so that together they reach
    *windows_between_alarms*, without drift, once in at least so many independent windows on average.
    """

    __slots__ = ("_level", "_logs")

    def __init__(self, windows_between_alarms: float) -> None:
        self._level = alarm_level(windows_between_alarms)
        self._logs: dict[_Column, FloatArray] = {}

    def add(self, columns: Sequence[Observed]) -> dict[_Column, Evidence]:
        """Take in the columns of one window; return the evidence of each that has an order, by target and name."""
        ordered = [column for column in columns if _takes_part(column.comparison)]
        if not ordered:
            return {}
        keys = [(column.comparison.target, column.comparison.name) for column in ordered]
        drift = SlowDrift(len(ordered), self._level)
        drift.state = np.array([self._logs.get(key, np.zeros(_SHAPE)) for key in keys])
        drift.add(*_scores(ordered))
        self._logs = dict(zip(keys, drift.state, strict=True))
        return _by_column(keys, drift)

    def last(self) -> dict[_Column, Evidence]:
        """Return what all windows so far have said, by target and name."""
        if not self._logs:
            return {}
        drift = SlowDrift(len(self._logs), self._level)
        drift.state = np.array([*self._logs.values()])
        return _by_column([*self._logs], drift)

    def memory(self) -> tuple[ColumnEvidence, ...]:
        """Return all that is remembered, for `recall`."""
        return tuple(
            ColumnEvidence(target.value, name, tuple(logs.ravel().tolist()))
            for (target, name), logs in self._logs.items()
        )

    def recall(self, columns: Iterable[ColumnEvidence]) -> None:
        """
        Remember what was remembered elsewhere or before.

        Raises:
            ValueError: If a word is no target, or numbers are not six finite ones.
        """
        self._logs = {(MlDriftTargetValues(c.target), c.name): _logs(c) for c in columns}


def _by_column(keys: Sequence[_Column], drift: SlowDrift) -> dict[_Column, Evidence]:
    shared = drift.by_feature - math.log(len(keys))
    return {
        key: Evidence(float(log), bool(direction > 0))
        for key, log, direction in zip(keys, shared, drift.directions, strict=True)
    }


def _takes_part(comparison: Comparison) -> bool:
    return comparison.ordered and comparison.target is not MlDriftTargetValues.PERFORMANCE


def _scores(columns: Sequence[Observed]) -> tuple[FloatArray, FloatArray]:
    """Return the location scores and what of them is no evidence, shape (n_columns,); NaN of a column that says nothing."""
    scored = [_of_block(columns[block]) for block in blocks([each.comparison for each in columns])]
    scores, tolerances = np.concatenate(scored, axis=1)
    return scores, tolerances


def _of_block(columns: Sequence[Observed]) -> tuple[FloatArray, FloatArray]:
    cells = side_by_side([column.comparison for column in columns])[..., :-N_SLOTS]
    rows = cells.sum(axis=-1)
    tells = (rows > 0).all(axis=0) & [column.is_sufficient for column in columns]
    scores, tolerances = np.full(len(columns), np.nan), np.zeros(len(columns))
    inflations = np.array([column.inflation for column in columns])
    scores[tells] = location_score(*cells[:, tells]) / np.sqrt(inflations[tells])
    tolerances[tells] = [tolerance(n, m) for n, m in rows[:, tells].T.tolist()]
    return scores, tolerances


def _logs(column: ColumnEvidence) -> FloatArray:
    logs = np.array(column.logs, dtype=np.float64)
    if logs.size != math.prod(_SHAPE) or not np.isfinite(logs).all():
        raise ValueError(
            f"evidence of {column.target} {column.name!r}: expected {math.prod(_SHAPE)} finite numbers, got {column.logs}"
        )
    return logs.reshape(_SHAPE)
