"""A closed window becomes a reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess.calibration import IID
from otel_ml_processor.assess.confidence import assess_confidence
from otel_ml_processor.assess.drift import assess_drift, family_alphas, family_of
from otel_ml_processor.assess.performance import estimated_scores
from otel_ml_processor.assess.reading import Reading, WindowSpan

if TYPE_CHECKING:
    from otel_ml_processor.assess.calibration import Calibrated
    from otel_ml_processor.assess.promise import Promises
    from otel_ml_processor.assess.reading import TargetReading
    from otel_ml_processor.config import DriftConfig
    from otel_ml_processor.windows.disjoint import Closed
    from otel_ml_processor.windows.streams import ClosedWindow

__all__ = ["assess_window"]

_WORST_FIRST: Final = (
    MlDriftStateValues.DRIFTING,
    MlDriftStateValues.WARNING,
    MlDriftStateValues.STEADY,
    MlDriftStateValues.INSUFFICIENT,
)


def assess_window(
    window: ClosedWindow, *, promises: Promises, min_rows: int, drift: DriftConfig
) -> Reading:
    """
    Return what *window* says, tested at its promised false-alarm rate.

    A window that is not sufficient is not tested: its targets are left out and its state is `insufficient`. Without a reference there
    is nothing to compare with, and its state is `steady`.
    """
    closed, reference = window.closed, window.reference
    alpha = promises.alphas[closed.name]
    reference_id = reference.id if reference else ""
    families = {family_of(target.target) for target in reference.targets} if reference else set()
    family_rates = family_alphas(families, alpha) if families else {}
    calibrated = (
        promises.calibration(reference_id).calibrated(
            closed.summary.rows, family_rates, drift.calibration
        )
        if families
        else IID
    )
    targets = _targets(closed, alpha, min_rows, drift, calibrated) if closed.is_sufficient else ()
    in_mode = calibrated.measured(family_rates)
    measured = (
        promises.measured_rates(reference_id).get(closed.name) if in_mode is None else in_mode
    )
    return Reading(
        stream=window.stream,
        window=WindowSpan(closed.name, closed.start_ns, closed.end_ns),
        rows=closed.summary.rows,
        state=_state(targets) if closed.is_sufficient else MlDriftStateValues.INSUFFICIENT,
        targets=targets,
        confidence=assess_confidence(closed.summary.scores),
        labels=closed.summary.labels.counts(),
        estimated=estimated_scores(closed.summary) if closed.is_sufficient else {},
        reference_id=reference_id,
        alpha=alpha if reference else 0.0,
        measured=measured,
        mode=calibrated.mode,
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


def _state(targets: tuple[TargetReading, ...]) -> MlDriftStateValues:
    states = {target.state for target in targets}
    return next((state for state in _WORST_FIRST if state in states), MlDriftStateValues.STEADY)
