"""Whether features depend on each other as they did: correlations of rank scores, from integer sums that add up exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray, IntArray

__all__ = ["MIDDLE", "CorrelationChange", "PairSums", "rank_scores"]

MIDDLE: Final = 10
"""The score of the median; scores are in [0, 2 * MIDDLE]."""
_STEPS: Final = 4
"""Steps of the score per standard deviation: a quarter of one is less than what twenty bins lose anyway."""
_LARGEST: Final = 0.9
"""Beyond it correlations are not told apart: Fisher's z grows without bound, and a single row would be an alarm."""


def rank_scores(counts: IntArray) -> IntArray:
    """
    Return the normal score of each ordered cell, an integer in [0, 2 * MIDDLE], shape (n_cells,); MIDDLE where there are no rows.

    The standard normal quantile at the middle of the ranks that the cell's rows have in the reference, in quarters.

    Args:
        counts: Rows of the reference per cell, in the order of the values.

    References:
        van der Waerden, B. L. (1952). Order tests for the two-sample problem and their power. Indag. Math. 14.
    """
    total = counts.sum()
    if not total:
        return np.full(len(counts), MIDDLE)
    ranks = (np.cumsum(counts) - counts / 2) / total
    scores = np.rint(MIDDLE + _STEPS * special.ndtri(ranks))  # infinite of an empty cell at the end
    return np.asarray(np.clip(scores, 0, 2 * MIDDLE).astype(np.int64))


class CorrelationChange(NamedTuple):
    """
    The pair of features whose correlation changed most, by its position: from `before` to `after`.

    `p_value` is that of all pairs together (Bonferroni), `effect` the squared change of Fisher's z, less what chance alone gives
    on average, never below 0: on the scale of the PSI.
    """

    pair: int
    before: float
    after: float
    p_value: float
    effect: float


@dataclass(frozen=True, slots=True, eq=False)
class PairSums:
    """
    Sums over rows of scores, as one block of integers >= 0 that is added up: rows, sum and sum of squares by feature, products by pair.

    Pair k is of the features `first[k]` and `second[k]`, positions in [0, n_features).
    """

    n_features: int
    first: IntArray
    second: IntArray

    @property
    def size(self) -> int:
        """Integers of a block."""
        return 1 + 2 * self.n_features + len(self.first)

    def of(self, scores: FloatArray) -> IntArray:
        """Return the block of rows whose *scores*, whole numbers, have shape (n_features, n_rows); without those of which one is NaN."""
        block = np.empty(self.size, dtype=np.int64)
        d = self.n_features
        sums = scores.sum(axis=1)
        if np.isnan(sums).any():
            scores = scores[:, ~np.isnan(scores).any(axis=0)]
            sums = scores.sum(axis=1)
        # Whole numbers below 2**53 are exact in floating point, whose products of matrices are many times as fast.
        products = scores @ scores.T
        block[0] = scores.shape[1]
        block[1 : 1 + d] = sums
        block[1 + d : 1 + 2 * d] = np.diagonal(products)
        block[1 + 2 * d :] = products[self.first, self.second]
        return block

    def correlations(self, block: IntArray) -> FloatArray:
        """Return the correlation of each pair, in [-1, 1]; NaN where a feature does not vary, or without rows."""
        means, variances = self._moments(block)
        with np.errstate(divide="ignore", invalid="ignore"):
            products = block[1 + 2 * self.n_features :] / float(block[0])
            covariances = products - means[self.first] * means[self.second]
            found = covariances / np.sqrt(variances[self.first] * variances[self.second])
        return np.asarray(np.clip(found, -1.0, 1.0))

    def spreads(self, block: IntArray, scores: FloatArray) -> FloatArray:
        """
        Return the standard deviation of Fisher's z of each pair times the root of the rows, from the rows themselves.

        Of normal scores it is 1. By the influence of each row, (xy - r (x^2 + y^2) / 2) / (1 - r^2), it holds whatever the
        distribution. 1 where nothing varies.

        Args:
            block: The block of all rows.
            scores: Their scores, shape (n_features, n_rows), none NaN.

        References:
            Hampel, F. R. (1974). The influence curve and its role in robust estimation. J. Am. Stat. Assoc. 69.
        """
        means, variances = self._moments(block)
        found = []
        limited = np.clip(self.correlations(block), -_LARGEST, _LARGEST)
        for a, b, r in zip(self.first, self.second, limited, strict=True):
            if np.isnan(r):
                found.append(1.0)
                continue
            x, y = ((scores[i] - means[i]) / np.sqrt(variances[i]) for i in (a, b))
            influence = (x * y - r * (x * x + y * y) / 2) / (1 - r * r)
            found.append(float(influence.std()))
        return np.maximum(found, _SMALLEST_SPREAD)

    def change(
        self, reference: IntArray, current: IntArray, spreads: FloatArray
    ) -> CorrelationChange | None:
        """
        Return what changed most between two blocks; None where no pair varies on both sides.

        Fisher's z of the two correlations is compared: their difference is normal with variance spread^2 (1/n + 1/m).

        References:
            Fisher, R. A. (1921). On the "probable error" of a coefficient of correlation deduced from a small sample. Metron 1.
        """
        before, after = self.correlations(reference), self.correlations(current)
        known = np.flatnonzero(np.isfinite(before) & np.isfinite(after))
        if not len(known):
            return None
        steps = _fisher(after[known]) - _fisher(before[known])
        deviations = spreads[known] * np.sqrt(1 / float(reference[0]) + 1 / float(current[0]))
        k = int(np.abs(steps / deviations).argmax())
        p_value = 2 * float(special.ndtr(-abs(steps[k] / deviations[k])))
        return CorrelationChange(
            pair=int(known[k]),
            before=float(before[known[k]]),
            after=float(after[known[k]]),
            p_value=min(1.0, len(known) * p_value),
            effect=max(0.0, float(steps[k] ** 2 - deviations[k] ** 2)),
        )

    def _moments(self, block: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and variance of each feature; NaN without rows, and the variance of what does not vary."""
        d = self.n_features
        with np.errstate(divide="ignore", invalid="ignore"):
            means = block[1 : 1 + d] / float(block[0])
            variances = block[1 + d : 1 + 2 * d] / float(block[0]) - means**2
        return means, np.where(variances > _ROUNDING, variances, np.nan)


_SMALLEST_SPREAD: Final = 0.1
"""Rows of the reference that say nothing of how a correlation varies (duplicates) do not make the next one certain."""


_ROUNDING: Final = 1e-12
"""Variance of a constant, as rounding leaves it; one whole number that differs makes it more than one over the rows."""


def _fisher(correlations: FloatArray) -> FloatArray:
    return np.asarray(np.arctanh(np.clip(correlations, -_LARGEST, _LARGEST)))
