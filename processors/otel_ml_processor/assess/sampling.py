"""Whether what came of a window is a fair sample of what was asked, or was chosen by its outcome."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from otel_ml_processor.windows.adjusted_counts import ONE

if TYPE_CHECKING:
    from otel_ml_processor.windows.summary import Summary

__all__ = ["BIASED", "is_biased"]

BIASED: Final = (
    "The calls that came were chosen by their outcome: more of those that failed or were unsure came than of the others, "
    "so what was compared is not what was asked."
)
"""What a reader has to know then, in words."""

_LEAST_SCORE: Final = 4.0
"""Standard deviations: by chance once in 16 000 windows."""
_LEAST_RATIO, _MOST_RATIO = 0.8, 1.25
"""What is less of a difference changes no conclusion."""


def is_biased(summary: Summary) -> bool:
    """
    Return whether rows stand for more or for fewer calls according to whether they failed, or were unsure.

    Compared are the share of such rows of those that came, and the same share with each row times its adjusted count, once where no sampler
    has said one: were both independent, their difference would vary by p (1 - p) (sum(w**2) / sum(w)**2 - 1 / n). False where no row
    is adjusted: of what was kept for its outcome and does not say so, nothing can be told.

    References:
        Horvitz, D. G., Thompson, D. J. (1952). A generalization of sampling without replacement from a finite universe. JASA 47.
    """
    of, rows = summary.calls.outcomes, summary.rows
    if not of.rows:
        return False
    bad = summary.scores.low + summary.calls.failed
    share = bad / rows
    weights = of.weights / ONE + (rows - of.rows)
    in_all = (of.bad_weights / ONE + (bad - of.bad)) / weights
    squares = of.squares / ONE**2 + (rows - of.rows)
    variance = share * (1 - share) * (squares / weights**2 - 1 / rows)
    differs = not _LEAST_RATIO * share <= in_all <= _MOST_RATIO * share
    return differs and abs(in_all - share) > _LEAST_SCORE * math.sqrt(max(0.0, variance))
