"""What each inference of a request is told on its own: look-ups in the reference, and the stream's last reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.attributes import MlVerdictConfidenceValues
from otel_ml_processor.assess.verdict import Verdict
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.moments import in_unit
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.windows.summary import DEFAULT_LOW_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_conventions.attributes import MlDriftStateValues
    from otel_ml_processor.columns import FloatArray, InferenceColumns, IntArray
    from otel_ml_processor.windows.reference import Reference, TargetReference

__all__ = ["MAX_FLAGS", "ConfidenceBands", "judge"]

MAX_FLAGS: Final = 16
"""Flags per inference; a row in which everything is odd says so with the first of them, in the profile's order."""

_LOW: Final = "low_confidence"
_INVALID: Final = "invalid_output"


@dataclass(frozen=True, slots=True)
class ConfidenceBands:
    """Below `low` a confidence is low; below `medium` it is medium; otherwise high. Without a median there is no medium."""

    low: float
    medium: float

    @classmethod
    def of(cls, reference: Reference | None, low: float | None) -> ConfidenceBands:
        """Return the operator's *low*, else the reference's 5 % quantile, else .7; and the reference's median."""
        if low is None and reference is not None:
            low = reference.low_confidence
        low = DEFAULT_LOW_CONFIDENCE if low is None else low
        median = reference.median_confidence if reference is not None else None
        return cls(low, low if median is None else max(low, median))


def judge(
    rows: InferenceColumns,
    reference: Reference | None,
    drift: MlDriftStateValues | None,
    bands: ConfidenceBands,
) -> dict[int, Verdict]:
    """
    Return what the spans of *rows* are told, by the spans' index.

    Of a batch, the lowest confidence and the flags of all rows. Flags are `low_confidence`, `invalid_output` (a confidence or value
    that no model should give), and per feature `unseen:`, `missing:` (only where the reference never had one missing) and
    `out_of_range:`; at most 16. *drift* is the stream's last reading, None before the first.
    """
    flags: dict[int, dict[str, None]] = {int(span): {} for span in np.unique(rows.spans)}
    for flag, is_flagged in _flagged(rows, reference, bands):
        for span in np.unique(rows.spans[is_flagged]).tolist():
            flags[span][flag] = None
    lowest = _lowest(rows)
    return {
        span: Verdict(
            confidence=_band(lowest[span], bands),
            drift=drift.value if drift is not None else None,
            flags=tuple(said)[:MAX_FLAGS],
            reference=reference.id if reference is not None else "",
        )
        for span, said in flags.items()
    }


def _flagged(
    rows: InferenceColumns, reference: Reference | None, bands: ConfidenceBands
) -> Iterator[tuple[str, IntArray]]:
    """Yield each flag with the rows (as indices) that have it."""
    confidences = in_unit(rows.confidences)
    yield _LOW, np.flatnonzero(confidences < bands.low)
    is_wrong = ~np.isnan(rows.confidences) & np.isnan(confidences)
    yield _INVALID, np.flatnonzero(is_wrong | np.isinf(rows.values))
    for feature in reference.features if reference is not None else ():
        yield from _feature_flags(feature, rows)


def _feature_flags(
    feature: TargetReference, rows: InferenceColumns
) -> Iterator[tuple[str, IntArray]]:
    column = rows.features.get(feature.name)
    if column is None:
        return
    cells, slots = feature.cells.assign(column), feature.cells.n_cells
    if not feature.counts[slots + Slot.MISSING]:
        yield f"missing:{feature.name}", np.flatnonzero(cells == slots + Slot.MISSING)
    yield f"unseen:{feature.name}", np.flatnonzero(cells == slots + Slot.UNSEEN)
    if isinstance(feature.cells, Bins):
        yield f"out_of_range:{feature.name}", np.flatnonzero(feature.cells.outside(column))


def _lowest(rows: InferenceColumns) -> dict[int, float]:
    """Return the lowest confidence of each span; infinite where no row said one."""
    lowest = np.full(int(rows.spans.max(initial=-1)) + 1, np.inf)
    confidences: FloatArray = in_unit(rows.confidences)
    np.minimum.at(lowest, rows.spans, np.where(np.isnan(confidences), np.inf, confidences))
    return {span: float(lowest[span]) for span in np.unique(rows.spans).tolist()}


def _band(confidence: float, bands: ConfidenceBands) -> str | None:
    if np.isinf(confidence):
        return None
    if confidence < bands.low:
        return MlVerdictConfidenceValues.LOW.value
    if confidence < bands.medium:
        return MlVerdictConfidenceValues.MEDIUM.value
    return MlVerdictConfidenceValues.HIGH.value
