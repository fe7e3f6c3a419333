"""Confidence below its part of the reference's: how far, not only how surely, the model has become less sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.sketches.slots import N_SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_ml_processor.assess.reading import ConfidenceReading, TargetReading
    from otel_ml_processor.windows.reference import Reference

__all__ = ["ConfidenceFall", "confidence_fall", "describe_fall"]


class ConfidenceFall(NamedTuple):
    """The mean confidence of a window, that of the reference, and the `bound` below which it is an alarm; all in [0, 1]."""

    mean: float
    before: float
    bound: float


def confidence_fall(
    confidence: ConfidenceReading | None,
    targets: Iterable[TargetReading],
    reference: Reference | None,
    least: float | None,
) -> ConfidenceFall | None:
    """
    Return how far the mean confidence has fallen, where it is below *least* times that of *reference*; None where not, or where either is not known.

    Only where the confidence among *targets* drifts, too: so it raises no false alarm that drift does not raise.
    """
    before = _mean(reference)
    if confidence is None or before is None or least is None:
        return None
    drifts = any(
        target.target is MlDriftTargetValues.CONFIDENCE
        and target.state is MlDriftStateValues.DRIFTING
        for target in targets
    )
    fall = ConfidenceFall(confidence.mean, before, least * before)
    return fall if drifts and fall.mean < fall.bound else None


def describe_fall(fall: ConfidenceFall) -> str:
    """Return *fall* in words."""
    part = 100 * fall.mean / fall.before
    return f"mean confidence is {fall.mean:.3g}, {part:.3g} % of the reference's {fall.before:.3g}"


def _mean(reference: Reference | None) -> float | None:
    for target in reference.targets if reference is not None else ():
        rows = target.counts[:-N_SLOTS]
        if target.target is MlDriftTargetValues.CONFIDENCE and target.positions is not None:
            return float(rows @ target.positions / rows.sum()) if rows.sum() else None
    return None
