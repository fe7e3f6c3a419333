"""A window's labels become a reading: how good its predictions were, whether scores mean what they meant, and what of that is an alarm."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from otel_ml_processor.assess.calibration_drift import calibration_drift
from otel_ml_processor.assess.label_alarms import label_alarms
from otel_ml_processor.assess.performance import (
    calibration_errors,
    realized_scores,
    temperature_of,
)
from otel_ml_processor.assess.performance_drift import performance_drift
from otel_ml_processor.assess.segment_performance import segment_performances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.segments import Segment
    from otel_ml_processor.config import PerformanceConfig
    from otel_ml_processor.sketches.outcomes import Outcomes
    from otel_ml_processor.windows.reference import Reference

__all__ = ["assess_labels"]


def assess_labels(
    reading: PerformanceReading,
    outcomes: Outcomes,
    by_segment: Mapping[Segment, Outcomes],
    reference: Reference | None,
    *,
    alpha: float,
    rules: PerformanceConfig,
) -> PerformanceReading:
    """
    Return *reading* with what the labels of its window say; there have to be enough of them.

    Labels come when the window has long been tested, so they have a promise of their own: *alpha* once more, a third for the errors of all
    predictions, one for what scores mean, one for the errors of segments.
    """
    share = alpha / 3
    realized = {**reading.realized, **realized_scores(outcomes)}
    read = replace(
        reading,
        realized=realized,
        drift=performance_drift(realized, _labels(outcomes), reference, alpha=share),
        calibration=calibration_errors(outcomes),
        temperature=temperature_of(outcomes),
        reference_id=reference.id if reference is not None else "",
        calibration_drift=calibration_drift(outcomes, reference, alpha=share),
        segments=segment_performances(
            by_segment, reference, alpha=share, min_labels=rules.min_labels
        ),
    )
    baseline = reference.performance if reference is not None else {}
    return replace(read, alarms=tuple(label_alarms(read, baseline, rules.baseline)))


def _labels(outcomes: Outcomes) -> float:
    """Return how many labels the mean error is of: of classes where there are any, which are what is compared then."""
    return outcomes.evidence * (outcomes.rows or outcomes.errors.rows)
