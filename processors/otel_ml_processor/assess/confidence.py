"""How sure the model was: the confidence of one window's predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.assess.reading import ConfidenceReading
from otel_ml_processor.sketches.slots import N_SLOTS, Slot

if TYPE_CHECKING:
    from otel_ml_processor.sketches.by_value import ByValue, ValueCounts
    from otel_ml_processor.sketches.score_histogram import ScoreHistogram
    from otel_ml_processor.windows.reference import Reference, TargetReference

__all__ = ["LEVELS", "assess_by_class", "assess_confidence", "confidence_budget", "confidence_of"]

LEVELS: Final = (0.05, 0.5, 0.95)
"""Quantiles that are read."""
_BUDGET: Final = 2.0
_SMALLEST_BUDGET: Final = 0.001


def assess_confidence(scores: ScoreHistogram) -> ConfidenceReading | None:
    """
    Return the reading of a window's confidences; None where no row said one.

    Means are exact to 2**-32, a quantile is at most .001 above the exact one. Entropy and margin are NaN where no row said them.
    """
    rows = scores.confidence.count
    if rows == 0:
        return None
    return ConfidenceReading(
        rows=rows,
        mean=scores.confidence.mean,
        entropy=scores.entropy.mean,
        margin=scores.margin.mean,
        quantiles={level: scores.quantile(level) for level in LEVELS},
        low=scores.low / rows,
        threshold=scores.threshold,
    )


def assess_by_class(division: ByValue) -> dict[str, ConfidenceReading]:
    """
    Return the reading of each predicted class, the most frequent first; nothing where there are more classes than are told apart.

    Means are exact to 2**-32, a quantile is at most .01 above the exact one.
    """
    if division.rest is not None:
        return {}
    read = ((label, confidence_of(counts, division.threshold)) for label, counts in division)
    return {label: reading for label, reading in read if reading is not None}


def confidence_of(counts: ValueCounts, threshold: float) -> ConfidenceReading | None:
    """Return the reading of rows that have one value; None where none of them said a confidence."""
    rows = counts.confident_rows
    if not rows:
        return None
    mean, entropy, margin = counts.means
    return ConfidenceReading(
        rows=rows,
        mean=mean,
        entropy=entropy,
        margin=margin,
        quantiles={level: counts.quantile(level) for level in LEVELS},
        low=counts.low / rows,
        threshold=threshold,
    )


def confidence_budget(reference: Reference | None, low_confidence: float | None) -> float | None:
    """
    Return the share of predictions that may be unconfident or invalid: twice that of the reference, at least .1 %, at most 1.

    A fixed budget would burn from the first row, for of the reference itself some are below its own 5 % quantile. Unconfident is below *low_confidence*,
    by default the reference's own; whole bins of the reference count, those whose mean lies below. None where it knows no confidence.
    """
    targets = {t.target: t for t in (reference.targets if reference else ())}
    confidence = targets.get(MlDriftTargetValues.CONFIDENCE)
    threshold = low_confidence
    if threshold is None and reference is not None:
        threshold = reference.low_confidence
    if confidence is None or confidence.positions is None or threshold is None:
        return None
    below = confidence.counts[:-N_SLOTS][confidence.positions < threshold].sum()
    share = below / max(1, int(confidence.counts[:-N_SLOTS].sum()))
    share += _share_invalid(targets.get(MlDriftTargetValues.PREDICTION))
    return float(min(1.0, max(_SMALLEST_BUDGET, _BUDGET * share)))


def _share_invalid(prediction: TargetReference | None) -> float:
    if prediction is None:
        return 0.0
    values, slots = prediction.counts[:-N_SLOTS].sum(), prediction.counts[-N_SLOTS:]
    invalid = slots[Slot.NON_FINITE] + slots[Slot.TYPE_ERROR]
    return float(invalid / max(1, int(values + invalid)))
