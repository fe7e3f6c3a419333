"""
Segments of a window beside the rest of it: what each says, how its rates differ from those of the rest, and whether that has changed.

That a segment differs is no alarm: models meet different people. An alarm is that the difference is another one than in the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_conventions.attributes import (
    MlDriftStateValues,
    MlDriftTargetValues,
    MlSegmentMeasureValues,
)
from otel_ml_processor.assess.confidence import confidence_of
from otel_ml_processor.sketches.categories import Categories
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.statistics.holm import holm_adjusted
from otel_ml_processor.statistics.odds_ratios import TwoProportions, changed_odds_ratio_p_value
from otel_ml_processor.statistics.psi import population_stability_index
from otel_ml_processor.windows.divided import BY_CLASS, OTHER_VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.assess.reading import ConfidenceReading
    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.profile import SegmentReference
    from otel_ml_processor.sketches.by_value import ByValue, ValueCounts
    from otel_ml_processor.windows.reference import Reference, TargetReference
    from otel_ml_processor.windows.summary import Summary

__all__ = [
    "LEAST_RATIO",
    "MOST_RATIO",
    "TARGET_OF",
    "Gap",
    "Hits",
    "Segment",
    "SegmentReading",
    "adjusted_gaps",
    "assess_segments",
    "describe_gap",
    "gap_of",
    "positive_class",
]

LEAST_RATIO: Final = 0.8
MOST_RATIO: Final = 1.25
"""A rate between so many times that of the rest is no alarm, however certain the change (the rule of four fifths)."""
_NOT_COMPARED: Final = frozenset({MlDriftStateValues.NO_REFERENCE, MlDriftStateValues.INSUFFICIENT})
_WARNING_ALPHA: Final = 10
TARGET_OF: Final = {
    MlSegmentMeasureValues.POSITIVE_RATE: MlDriftTargetValues.PREDICTION,
    MlSegmentMeasureValues.LOW_CONFIDENCE_RATE: MlDriftTargetValues.CONFIDENCE,
    MlSegmentMeasureValues.ERROR_RATE: MlDriftTargetValues.PERFORMANCE,
}
"""What drifts where a rate of a segment changes against the rest."""


class Segment(NamedTuple):
    """Rows with one value of an attribute."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class Hits(NamedTuple):
    """So many of the rows that say something are hits."""

    hits: int
    rows: int


@dataclass(frozen=True, slots=True)
class Gap:
    """
    A rate of a segment beside that of the rest, both in [0, 1].

    `p_value` is that of a change of the difference since the reference, adjusted for all segments. Where nothing was compared it is 1, and
    the state is `no_reference`, or `insufficient` where there are too few rows.
    """

    measure: MlSegmentMeasureValues
    rate: float
    rest: float
    p_value: float = 1.0
    state: MlDriftStateValues = MlDriftStateValues.NO_REFERENCE

    @property
    def is_compared(self) -> bool:
        """Whether it says anything of a change."""
        return self.state not in _NOT_COMPARED

    @property
    def ratio(self) -> float:
        """The rate divided by that of the rest; NaN where the rest has none."""
        return self.rate / self.rest if self.rest > 0 else math.nan


@dataclass(frozen=True, slots=True)
class SegmentReading:
    """What the rows of one segment say: how sure the model was, how its outputs differ from the segment's own reference (PSI), and from the rest."""

    segment: Segment
    rows: int
    confidence: ConfidenceReading | None
    drift: Mapping[MlDriftTargetValues, float]
    gaps: tuple[Gap, ...]


class _Side(NamedTuple):
    """One side of a comparison: rates of a segment and of the rest, by measure."""

    segment: Mapping[MlSegmentMeasureValues, Hits]
    rest: Mapping[MlSegmentMeasureValues, Hits]

    def table(self, measure: MlSegmentMeasureValues) -> TwoProportions | None:
        """Return both as a table; None where one of them has no rows."""
        mine, others = self.segment.get(measure), self.rest.get(measure)
        if mine is None or others is None or not (mine.rows and others.rows):
            return None
        return TwoProportions(*mine, *others)


def describe_gap(segment: SegmentReading, gap: Gap) -> str:
    """Return in words what a segment's rate is beside that of the rest."""
    rates = f"{100 * gap.rate:.3g} % against {100 * gap.rest:.3g} % elsewhere"
    certainty = f"p = {gap.p_value:.2g}" if gap.p_value > 0 else "p < 1e-16"
    return f"{segment.segment}: {gap.measure.value.replace('_', ' ')} {rates} ({certainty})"


def positive_class(reference: Reference | None) -> str | None:
    """
    Return the class whose share is compared: the one that scores are of, or the second of two by name, as libraries take it.

    None of more classes, or where no reference tells them.
    """
    if reference is None:
        return None
    if reference.scores is not None and reference.scores.positive is not None:
        return reference.scores.positive
    classes = sorted(reference.classes)
    return classes[1] if len(classes) == 2 else None  # noqa: PLR2004 - a question of yes or no


def assess_segments(summary: Summary, *, alpha: float, min_rows: int) -> tuple[SegmentReading, ...]:
    """
    Return the reading of every segment of a window, those of one attribute together, the largest first and all other values last.

    Only segments with *min_rows* rows, and as many in the rest, are tested; all tests share *alpha* (Holm).
    """
    readings = [
        reading
        for name, division in summary.divided.by_name.items()
        if name != BY_CLASS
        for reading in _read(summary, name, division, min_rows)
    ]
    return _tested(readings, alpha)


def gap_of(
    measure: MlSegmentMeasureValues,
    now: TwoProportions,
    before: TwoProportions | None,
    *,
    min_rows: int,
) -> Gap:
    """Return the difference *now*, and, where there are enough rows, the p-value of its change since *before*."""
    gap = Gap(measure, now.hits / now.rows, now.other_hits / now.other_rows)
    if before is None:
        return gap
    if min(now.rows, now.other_rows) < min_rows:
        return replace(gap, state=MlDriftStateValues.INSUFFICIENT)
    p_value = changed_odds_ratio_p_value(before, now)
    return replace(gap, p_value=p_value, state=MlDriftStateValues.STEADY)


def _read(summary: Summary, name: str, division: ByValue, min_rows: int) -> list[SegmentReading]:
    reference = summary.reference
    known = reference.segments.get(name, {}) if reference else {}
    before_all = list(known.values())
    members = list(division)
    if division.rest is not None:
        members.append((OTHER_VALUES, division.rest))
    whole = _rates(reference, division.whole)
    readings = []
    for value, counts in members:
        mine = _rates(reference, counts)
        is_rest = counts is members[-1][1] and division.rest is not None
        its_reference = known.get("" if is_rest else value)
        before = _before(reference, its_reference, before_all, division.threshold)
        now = _Side(mine, _less(whole, mine))
        gaps = [
            gap_of(m, table, before and before.table(m), min_rows=min_rows)
            for m in mine
            if (table := now.table(m)) is not None
        ]
        readings.append(
            SegmentReading(
                segment=Segment(name, value),
                rows=counts.rows,
                confidence=confidence_of(counts, division.threshold),
                drift=_drift(reference, its_reference, counts, min_rows),
                gaps=tuple(gaps),
            )
        )
    return readings


def _rates(reference: Reference | None, counts: ValueCounts) -> dict[MlSegmentMeasureValues, Hits]:
    rates = _positives(reference, counts.outputs)
    low = Hits(counts.low, counts.confident_rows)
    return {**rates, MlSegmentMeasureValues.LOW_CONFIDENCE_RATE: low}


def _positives(
    reference: Reference | None, outputs: IntArray
) -> dict[MlSegmentMeasureValues, Hits]:
    """Return the predictions of the positive class among all that name a class; nothing where there is no such class."""
    positive = positive_class(reference)
    if reference is None or positive is None:
        return {}
    for target, cells in _targets(reference, outputs):
        names = target.cells.names if isinstance(target.cells, Categories) else ()
        if target.target is MlDriftTargetValues.PREDICTION and positive in names:
            said = int(cells[:-N_SLOTS].sum())
            hits = int(cells[names.index(positive)])
            return {MlSegmentMeasureValues.POSITIVE_RATE: Hits(hits, said)}
    return {}


def _before(
    reference: Reference | None,
    its_reference: SegmentReference | None,
    everything: Sequence[SegmentReference],
    threshold: float,
) -> _Side | None:
    """Return how it was in the reference; None of a segment that it does not know."""
    if reference is None or its_reference is None:
        return None
    sides = [_rates_before(reference, part, threshold) for part in everything]
    whole = {m: Hits(*np.sum([side[m] for side in sides], axis=0).tolist()) for m in sides[0]}
    mine = _rates_before(reference, its_reference, threshold)
    return _Side(mine, _less(whole, mine))


def _rates_before(
    reference: Reference, part: SegmentReference, threshold: float
) -> dict[MlSegmentMeasureValues, Hits]:
    rates = _positives(reference, np.array(part.outputs, dtype=np.int64))
    if threshold == reference.low_confidence:  # else what was low there is not what is low here
        rates[MlSegmentMeasureValues.LOW_CONFIDENCE_RATE] = Hits(part.low, part.confident)
    return rates


def _less(
    whole: Mapping[MlSegmentMeasureValues, Hits], mine: Mapping[MlSegmentMeasureValues, Hits]
) -> dict[MlSegmentMeasureValues, Hits]:
    return {
        m: Hits(all_.hits - mine[m].hits, all_.rows - mine[m].rows) for m, all_ in whole.items()
    }


def _drift(
    reference: Reference | None,
    its_reference: SegmentReference | None,
    counts: ValueCounts,
    min_rows: int,
) -> dict[MlDriftTargetValues, float]:
    """Return by output how far the segment is from its own reference; nothing where either side has too few rows."""
    if reference is None or its_reference is None or counts.rows < min_rows:
        return {}
    before = np.array(its_reference.outputs, dtype=np.int64)
    drift = {}
    for (target, now), (_, then) in zip(
        _targets(reference, counts.outputs), _targets(reference, before), strict=True
    ):
        cells = then[:-N_SLOTS], now[:-N_SLOTS]
        if all(side.any() for side in cells):
            drift[target.target] = float(population_stability_index(*cells))
    return drift


def _targets(reference: Reference, outputs: IntArray) -> list[tuple[TargetReference, IntArray]]:
    """Return the outputs, each with its own part of the counts."""
    start = reference.output_place.start
    return [
        (target, outputs[place.start - start : place.stop - start])
        for target, place in zip(
            reference.targets[reference.outputs], reference.places[reference.outputs], strict=True
        )
    ]


def adjusted_gaps(gaps: Sequence[Gap], alpha: float) -> list[Gap]:
    """Return *gaps*, those that were compared with p-values that hold for all of them together (Holm), and the states that follow at *alpha*."""
    adjusted = iter(holm_adjusted([gap.p_value for gap in gaps if gap.is_compared]).tolist())
    return [_judged(gap, next(adjusted), alpha) if gap.is_compared else gap for gap in gaps]


def _judged(gap: Gap, p_value: float, alpha: float) -> Gap:
    return replace(gap, p_value=p_value, state=_state(gap, p_value, alpha))


def _tested(readings: Sequence[SegmentReading], alpha: float) -> tuple[SegmentReading, ...]:
    adjusted = iter(adjusted_gaps([gap for r in readings for gap in r.gaps], alpha))
    return tuple(replace(r, gaps=tuple(next(adjusted) for _ in r.gaps)) for r in readings)


def _state(gap: Gap, p_value: float, alpha: float) -> MlDriftStateValues:
    is_even = LEAST_RATIO <= gap.ratio <= MOST_RATIO or gap.rate == gap.rest
    if is_even or p_value >= 1:
        return MlDriftStateValues.STEADY
    if p_value <= alpha:
        return MlDriftStateValues.DRIFTING
    is_near = p_value <= _WARNING_ALPHA * alpha
    return MlDriftStateValues.WARNING if is_near else MlDriftStateValues.STEADY
