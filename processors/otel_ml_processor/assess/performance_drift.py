"""Whether predictions came out worse than those of the reference, by their labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from scipy import special

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_ml_processor.windows.reference import Reference

__all__ = ["LEAST_RISE", "PerformanceDrift", "performance_drift"]

LEAST_RISE: Final = 0.1
"""In standard deviations of the reference's errors: as small a shift as the effect floor lets through."""


class PerformanceDrift(NamedTuple):
    """
    Mean error before and now, of classes the share that is wrong; by how many standard deviations of the reference's errors it rose.

    `p_value` is that of a rise, one-sided; it is an alarm where that is at most its part of alpha and the rise reaches `LEAST_RISE`.
    """

    before: float
    now: float
    rise: float
    p_value: float
    is_alarm: bool


def performance_drift(
    realized: Mapping[str, float], labelled: float, reference: Reference | None, *, alpha: float
) -> PerformanceDrift | None:
    """
    Return how the mean error of *labelled* predictions stands beside that of the reference; None where one of them is not known, or has no spread.

    Welch's test of two means, for which both sides have rows enough by `performance.min_labels`.

    References:
        Welch, B. L. (1947). The generalization of Student's problem when several different population variances are involved. Biometrika 34.
    """
    known = _labelled_rows(reference)
    sides = [_error(scores) for scores in (reference.performance if reference else {}, realized)]
    if not known or labelled < 1 or None in sides:
        return None
    (before, spread), (now, spread_now) = (side or (math.nan, math.nan) for side in sides)
    variance = spread / known + spread_now / labelled
    if not (spread > 0 and variance > 0):
        return None
    p_value = float(special.ndtr((before - now) / math.sqrt(variance)))
    rise = (now - before) / math.sqrt(spread)
    return PerformanceDrift(before, now, rise, p_value, p_value <= alpha and rise >= LEAST_RISE)


def _error(scores: Mapping[str, float]) -> tuple[float, float] | None:
    """Return the mean error and its variance over rows, of classes that of being wrong; None where *scores* do not say."""
    if "accuracy" in scores:
        wrong = 1 - scores["accuracy"]
        return wrong, wrong * (1 - wrong)
    if "mae" in scores and "rmse" in scores:
        return scores["mae"], max(0.0, scores["rmse"] ** 2 - scores["mae"] ** 2)
    return None


def _labelled_rows(reference: Reference | None) -> int:
    """Return how many rows of the reference have a truth, as far as it says."""
    if reference is None:
        return 0
    if reference.scores is not None and reference.scores.counted is not None:
        return int(reference.scores.counted[0].sum())
    at = reference.expected_at
    return 0 if at is None else int(reference.targets[at].counts.sum())
