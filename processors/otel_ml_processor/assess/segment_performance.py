"""How good the predictions of each segment were, by their labels, beside those of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_ml_conventions.attributes import MlSegmentMeasureValues
from otel_ml_processor.assess.performance import calibration_errors, realized_scores
from otel_ml_processor.assess.segments import adjusted_gaps, gap_of
from otel_ml_processor.statistics.odds_ratios import TwoProportions
from otel_ml_processor.windows.divided import OTHER_VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_ml_processor.assess.segments import Gap, Segment
    from otel_ml_processor.profile import SegmentReference
    from otel_ml_processor.sketches.outcomes import Outcomes
    from otel_ml_processor.windows.reference import Reference

__all__ = ["SegmentPerformance", "segment_performances"]


@dataclass(frozen=True, slots=True)
class SegmentPerformance:
    """What the labels of one segment say: scores and calibration errors by name, and its error rate beside that of the rest."""

    segment: Segment
    labelled: int
    realized: Mapping[str, float]
    calibration: Mapping[str, float]
    gap: Gap | None
    """None where no rate of errors can be told: of numbers, or where the rest has no labels."""


def segment_performances(
    by_segment: Mapping[Segment, Outcomes],
    reference: Reference | None,
    *,
    alpha: float,
    min_labels: int,
) -> tuple[SegmentPerformance, ...]:
    """
    Return the reading of each segment with at least *min_labels* labels, in the order of names and values.

    All tests of a change since *reference* share *alpha* (Holm).
    """
    told = sorted(s for s, o in by_segment.items() if o.labelled * o.evidence >= min_labels)
    gaps = [_gap(segment, by_segment, reference, min_labels) for segment in told]
    adjusted = iter(adjusted_gaps([gap for gap in gaps if gap is not None], alpha))
    return tuple(
        SegmentPerformance(
            segment=segment,
            labelled=by_segment[segment].labelled,
            realized=realized_scores(by_segment[segment]),
            calibration=calibration_errors(by_segment[segment]),
            gap=None if gap is None else next(adjusted),
        )
        for segment, gap in zip(told, gaps, strict=True)
    )


def _gap(
    segment: Segment,
    by_segment: Mapping[Segment, Outcomes],
    reference: Reference | None,
    min_labels: int,
) -> Gap | None:
    mine = by_segment[segment]
    rest = [o for other, o in by_segment.items() if other.name == segment.name and o is not mine]
    elsewhere = [_wrong_of_all(o) for o in rest]
    others = sum(wrong for wrong, _ in elsewhere), sum(rows for _, rows in elsewhere)
    now = TwoProportions(*_wrong_of_all(mine), *others)
    if not now.rows or not now.other_rows:
        return None
    known = reference.segments.get(segment.name, {}) if reference else {}
    before = _before(known, "" if segment.value == OTHER_VALUES else segment.value)
    return gap_of(MlSegmentMeasureValues.ERROR_RATE, now, before, min_rows=min_labels)


def _wrong_of_all(outcomes: Outcomes) -> tuple[int, int]:
    """Return the rows that were wrong, and all that were right or wrong: as many as they are evidence of."""
    rows, wrong = outcomes.rows, outcomes.rows - outcomes.right
    return round(outcomes.evidence * wrong), round(outcomes.evidence * rows)


def _before(known: Mapping[str, SegmentReference], value: str) -> TwoProportions | None:
    if value not in known:
        return None
    mine = known[value]
    rest = [part for part in known.values() if part is not mine]
    labelled = sum(part.labelled for part in rest)
    if not mine.labelled or not labelled:
        return None
    return TwoProportions(mine.wrong, mine.labelled, sum(part.wrong for part in rest), labelled)
