"""Do scores still mean what they meant? Labels by score, beside those of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from otel_ml_conventions.attributes import MlDriftStateValues

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray
    from otel_ml_processor.sketches.outcomes import Outcomes
    from otel_ml_processor.windows.reference import Reference

__all__ = ["LEAST_CHANGE", "CalibrationDrift", "calibration_drift"]

LEAST_CHANGE: Final = 0.02
"""A smaller change of how often scores come true is no alarm, however certain."""
_GROUPS: Final = 10
_FEWEST_EXPECTED: Final = 5.0


@dataclass(frozen=True, slots=True)
class CalibrationDrift:
    """
    How much more or less often scores come true than in the reference.

    `statistic` is chi-squared with `degrees` degrees of freedom without drift, `change` the root mean square of the change in share, less what chance
    adds, in [0, 1].
    """

    statistic: float
    degrees: int
    p_value: float
    change: float
    state: MlDriftStateValues


def calibration_drift(
    outcomes: Outcomes, reference: Reference | None, *, alpha: float
) -> CalibrationDrift | None:
    """
    Return how labels by score differ from the reference's; None where that does not say what scores meant, or rows are too few to compare.

    Neighbouring bins of the score are taken together until each has a tenth of the rows and five expected of both kinds on either side; the test is
    that of two shares, group by group. It is an alarm at *alpha*, where the change is at least .02.
    """
    scores = reference.scores if reference is not None else None
    if scores is None or scores.counted is None or not outcomes.cells.size:
        return None
    before = scores.counted
    negatives, positives = outcomes.evidence * outcomes.cells.sum(axis=0)
    groups = _grouped(np.stack([before[0] - before[1], before[1], negatives, positives]))
    if not len(groups):
        return None
    n, m = groups[:, :2].sum(axis=1), groups[:, 2:].sum(axis=1)
    difference = groups[:, 3] / m - groups[:, 1] / n
    together = (groups[:, 1] + groups[:, 3]) / (n + m)
    variance = together * (1 - together) * (1 / n + 1 / m)
    statistic = float((difference**2 / variance).sum())
    p_value = float(special.chdtrc(len(groups), statistic))
    debiased = float((m * (difference**2 - variance)).sum() / m.sum())
    change = float(np.sqrt(max(0.0, debiased)))
    is_alarm = p_value <= alpha and change >= LEAST_CHANGE
    state = MlDriftStateValues.DRIFTING if is_alarm else MlDriftStateValues.STEADY
    return CalibrationDrift(statistic, len(groups), p_value, change, state)


def _grouped(bins: FloatArray) -> FloatArray:
    """
    Return groups of neighbouring *bins*, shape (4, n_bins), as rows of four counts; the last one takes what is left over.

    A group is full with a tenth of the window's rows and enough expected, under one common share, of both kinds on both sides.
    """
    enough = bins[2:].sum() / _GROUPS
    groups: list[FloatArray] = []
    open_group = np.zeros(4)
    for column in bins.T:
        open_group = open_group + column
        if open_group[2:].sum() >= enough and _expected(open_group) >= _FEWEST_EXPECTED:
            groups.append(open_group)
            open_group = np.zeros(4)
    if groups:
        groups[-1] = groups[-1] + open_group
    return np.array(groups).reshape(-1, 4)


def _expected(group: FloatArray) -> float:
    """Return the smallest number of rows that is expected in any of the four cells."""
    n, m = float(group[:2].sum()), float(group[2:].sum())
    share = (group[1] + group[3]) / (n + m) if n + m else 0.0
    return float(min(n, m) * min(share, 1 - share))
