"""A closed window becomes a reading."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess.calibration import IID
from otel_ml_processor.assess.confidence import assess_by_class, assess_confidence
from otel_ml_processor.assess.confidence_fall import confidence_fall
from otel_ml_processor.assess.data_quality import assess_quality
from otel_ml_processor.assess.drift import (
    MULTIVARIATE,
    assess_drift,
    family_alphas,
    family_of,
)
from otel_ml_processor.assess.explanations import assess_explanations
from otel_ml_processor.assess.performance import estimated_scores, scores_in_need
from otel_ml_processor.assess.reading import Reading, WindowSpan
from otel_ml_processor.assess.sampling import is_biased
from otel_ml_processor.assess.segments import assess_segments
from otel_ml_processor.assess.weighted import weighted
from otel_ml_processor.windows.divided import BY_CLASS

if TYPE_CHECKING:
    from collections.abc import Collection

    from otel_ml_processor.assess.calibration import Calibrated
    from otel_ml_processor.assess.explanations import Explained
    from otel_ml_processor.assess.promise import Promises
    from otel_ml_processor.assess.reading import TargetReading
    from otel_ml_processor.assess.segments import SegmentReading
    from otel_ml_processor.config import DriftConfig
    from otel_ml_processor.windows.disjoint import Closed
    from otel_ml_processor.windows.streams import ClosedWindow
    from otel_ml_processor.windows.summary import Summary

__all__ = ["assess_window"]

_SHARE_OF_EXPLANATIONS: Final = 0.125
"""The part of alpha for what explanations are tested by, where there are any."""
_WORST_FIRST: Final = (
    MlDriftStateValues.DRIFTING,
    MlDriftStateValues.WARNING,
    MlDriftStateValues.STEADY,
    MlDriftStateValues.INSUFFICIENT,
    MlDriftStateValues.NO_REFERENCE,
)


def assess_window(
    window: ClosedWindow,
    *,
    promises: Promises,
    min_rows: int,
    drift: DriftConfig,
    explained: Explained | None = None,
    least_confidence: float | None = None,
) -> Reading:
    """
    Return what *window*, of whose predictions some were *explained*, says, tested at its promised false-alarm rate.

    A mean confidence below *least_confidence* times the reference's is told beside what drifts; None: nothing of the kind.

    A window that is not sufficient is not tested: its targets are left out and its state is `insufficient`. Without a reference there
    is nothing to compare with, and its state is `no_reference`.
    """
    closed, reference = window.closed, window.reference
    alpha = promises.alphas[closed.name]
    reference_id = reference.id if reference else ""
    families = {family_of(target) for target, _ in reference.keys} if reference else set()
    of_segments = alpha * _share_of_segments(closed.summary, families)
    of_explanations = alpha * _SHARE_OF_EXPLANATIONS if explained is not None else 0.0
    alpha_of_rest = alpha - of_segments - of_explanations
    family_rates = family_alphas(families, alpha_of_rest) if families else {}
    calibrated = (
        promises.calibration(reference_id).calibrated(
            closed.summary.rows, family_rates, drift.calibration
        )
        if families
        else IID
    )
    targets: tuple[TargetReading, ...] = ()
    segments: tuple[SegmentReading, ...] = ()
    if closed.is_sufficient:
        targets = _targets(closed, alpha_of_rest, min_rows, drift, calibrated)
        if explained is not None:
            targets += assess_explanations(
                explained,
                alpha=of_explanations,
                effect_floor=drift.effect_floor,
                scores=drift.scores,
            )
        segments = assess_segments(closed.summary, alpha=of_segments, min_rows=min_rows)
    if reference is not None and reference.is_provisional:
        # What it is compared with is not complete yet: the numbers are told, and nothing is concluded from them.
        targets = tuple(replace(t, state=MlDriftStateValues.INSUFFICIENT) for t in targets)
    division = closed.summary.divided.by_name.get(BY_CLASS)
    confidence = weighted(assess_confidence(closed.summary.scores), closed.summary.calls)
    in_mode = calibrated.measured(family_rates)
    measured = (
        promises.measured_rates(reference_id).get(closed.name) if in_mode is None else in_mode
    )
    return Reading(
        stream=window.stream,
        window=WindowSpan(closed.name, closed.start_ns, closed.end_ns),
        rows=closed.summary.rows,
        state=_state(targets, segments)
        if closed.is_sufficient
        else MlDriftStateValues.INSUFFICIENT,
        targets=targets,
        confidence=confidence,
        confidence_fall=confidence_fall(confidence, targets, reference, least_confidence),
        received=closed.summary.calls.received(),
        is_biased=is_biased(closed.summary),
        labels=closed.summary.labels.counts(),
        estimated=estimated_scores(closed.summary) if closed.is_sufficient else {},
        needs_probabilities=scores_in_need(closed.summary),
        reference_id=reference_id,
        alpha=alpha if reference else 0.0,
        measured=measured,
        mode=calibrated.mode,
        run_length=calibrated.run_length(drift.windows_between_alarms),
        by_class=assess_by_class(division) if division is not None else {},
        quality=assess_quality(closed.summary, min_rows),
        segments=segments,
        explanations=explained.reading if explained is not None else None,
    )


def _targets(
    closed: Closed, alpha: float, min_rows: int, drift: DriftConfig, calibrated: Calibrated
) -> tuple[TargetReading, ...]:
    return assess_drift(
        closed.summary.comparisons(),
        alpha=alpha,
        effect_floor=drift.effect_floor,
        scores=drift.scores,
        min_rows=min_rows,
        calibrated=calibrated,
    )


def _share_of_segments(summary: Summary, families: Collection[str]) -> float:
    """Return the part of alpha for what segments are tested by: a quarter, which they share with what is tested of all features together."""
    known = summary.reference.segments if summary.reference is not None else {}
    if known.keys().isdisjoint(summary.divided.by_name):
        return 0.0
    return 0.125 if MULTIVARIATE in families else 0.25


def _state(
    targets: tuple[TargetReading, ...], segments: tuple[SegmentReading, ...]
) -> MlDriftStateValues:
    states = {target.state for target in targets}
    states |= {gap.state for segment in segments for gap in segment.gaps}
    return next((s for s in _WORST_FIRST if s in states), MlDriftStateValues.NO_REFERENCE)
