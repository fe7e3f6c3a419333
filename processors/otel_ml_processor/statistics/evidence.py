"""Slow drift: evidence that grows over windows none of which is remarkable by itself (e-CUSUM)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["SlowDrift", "alarm_level", "location_score", "tolerance"]

# "lambda" of the e-process: what size of shift it grows fastest for.
_STEPS: Final = np.array([0.5, 1.0, 2.0])
_SIGNS: Final = np.array([1.0, -1.0])
_FINITE_REFERENCE: Final = 2.0
_CEILING: Final = 5.0


def location_score(reference: IntArray, current: IntArray) -> FloatArray:
    """
    Return how far the ranks of *current* lie to one side, standard normal over independent rows without drift, shape (...).

    z = sqrt(m) * (mean rank score), the scores being the mid-ranks of the reference, standardised on the reference to mean 0 and
    variance 1. 0 where the reference has one occupied cell.

    Args:
        reference: Counts per cell in ascending order of the values, shape (..., n_cells), >= 0.
        current: Counts per cell on the same cells, shape (..., n_cells).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.
    """
    n, m = sample_sizes(reference, current)
    ranks = (np.cumsum(reference, axis=-1) - reference / 2) / n - 0.5
    variance = (reference * ranks**2).sum(axis=-1) / n[..., 0]
    varies = variance > 0
    deviation = np.sqrt(m[..., 0] * np.where(varies, variance, 1.0))
    score: FloatArray = (current * ranks).sum(axis=-1) / deviation * varies
    return score


def tolerance(reference_rows: int, window_rows: int, tolerated_shift: float = 0.0) -> float:
    """
    Return how large a location score may be for ever without becoming evidence ("b"), in standard deviations of the score.

    A finite reference is itself a little off: twice the standard deviation that this gives to every score is taken for nothing,
    without which the promise breaks. Or *tolerated_shift*, in standard deviations of the feature, where that is more.

    Raises:
        ValueError: If a side has no rows.
    """
    if reference_rows < 1 or window_rows < 1:
        raise ValueError(f"expected rows on both sides, got {reference_rows} and {window_rows}")
    finite = _FINITE_REFERENCE * math.sqrt(window_rows / reference_rows)
    return max(finite, tolerated_shift * math.sqrt(window_rows))


def alarm_level(windows_between_alarms: float) -> float:
    """Return the logarithm of evidence that is reached, without drift, once in at least so many windows on average."""
    return math.log(windows_between_alarms)


class SlowDrift:
    """
    Evidence of a persistent shift of any of several features, over disjoint windows.

    For each feature, direction and step an e-process M <- max(1, M) * e, with e = exp(step * (+-z - b) - step**2 / 2), whose mean
    is at most 1 without drift; the evidence is the mean of all of them. It reaches A, without drift, no earlier on average than
    after A independent windows (the promise is an average run length). It is kept below e**5 times the alarm level, so that it
    falls again within a few windows when the shift is over; six numbers per feature.

    Args:
        n_features: How many features, at least 1.
        level: Logarithm of the evidence that is an alarm.

    References:
        Shin, J., Ramdas, A., Rinaldo, A. (2024). E-detectors: a nonparametric framework for sequential change detection. New
        England J. Stat. Data Sci. 2.
    """

    __slots__ = ("_level", "_logs")

    def __init__(self, n_features: int, level: float) -> None:
        if n_features < 1:
            raise ValueError(f"expected at least one feature, got {n_features}")
        self._level = level
        self._logs = np.zeros((n_features, len(_SIGNS), len(_STEPS)))

    @property
    def state(self) -> FloatArray:
        """All that is remembered, shape (n_features, 2, 3)."""
        return np.array(self._logs)

    @state.setter
    def state(self, logs: FloatArray) -> None:
        if logs.shape != self._logs.shape or not np.isfinite(logs).all():
            raise ValueError(
                f"expected finite numbers of shape {self._logs.shape}, got {logs.shape}"
            )
        self._logs = logs.copy()

    def add(self, scores: FloatArray, tolerances: FloatArray) -> None:
        """
        Take in one window.

        Args:
            scores: Location scores divided by the root of their variance inflation, shape (n_features,); NaN for a feature with
                too few rows, whose evidence stays what it was.
            tolerances: What of each score is no evidence, shape (n_features,), >= 0.
        """
        beyond = scores[:, None] * _SIGNS - tolerances[:, None]
        growth = _STEPS * beyond[:, :, None] - _STEPS**2 / 2
        grown = np.maximum(self._logs, 0.0) + growth
        ceiling = self._level + _CEILING + math.log(self._logs.size)
        self._logs = np.where(np.isnan(grown), self._logs, np.minimum(grown, ceiling))

    @property
    def evidence(self) -> float:
        """Logarithm of the evidence of all features together; an alarm where it reaches the level."""
        return float(_log_means(self._logs.reshape(1, -1))[0])

    @property
    def by_feature(self) -> FloatArray:
        """Logarithm of the evidence of each feature by itself, shape (n_features,)."""
        return _log_means(self._logs.reshape(len(self._logs), -1))

    @property
    def directions(self) -> FloatArray:
        """+1 or -1 per feature: towards its last or its first cell, whichever has more evidence, shape (n_features,)."""
        return np.asarray(_SIGNS[self._logs.max(axis=2).argmax(axis=1)])


def _log_means(logs: FloatArray) -> FloatArray:
    """Return the logarithm of the mean of e**x over each line, shape (n_lines,); the largest is taken out, so that nothing overflows."""
    most = logs.max(axis=1)
    return np.asarray(most + np.log(np.exp(logs - most[:, np.newaxis]).mean(axis=1)))
