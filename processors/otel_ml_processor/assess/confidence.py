"""How sure the model was: the confidence of one window's predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_ml_processor.assess.reading import ConfidenceReading

if TYPE_CHECKING:
    from otel_ml_processor.sketches.score_histogram import ScoreHistogram

__all__ = ["LEVELS", "assess_confidence"]

LEVELS: Final = (0.05, 0.5, 0.95)
"""Quantiles that are read."""


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
