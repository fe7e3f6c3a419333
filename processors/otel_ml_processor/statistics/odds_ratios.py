"""Has the difference between two groups changed? The exact test that two tables have the same odds ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray

__all__ = ["TwoProportions", "changed_odds_ratio_p_value"]

_NEGLIGIBLE: Final = 45.0
"""e**-45 of the largest probability: what lies further out adds less than 1e-16 to any sum."""
_ROUNDING: Final = 1e-7
"""By so much logarithms of equal probabilities may differ."""


class TwoProportions(NamedTuple):
    """Rows of two groups, and how many of each are hits: 0 <= hits <= rows."""

    hits: int
    rows: int
    other_hits: int
    other_rows: int


def changed_odds_ratio_p_value(before: TwoProportions, now: TwoProportions) -> float:
    """
    Return the two-sided probability of tables at least as unlikely as these, if the odds ratio of the two groups is the same in both.

    Exact for independent rows, whatever the common odds ratio is: all margins, and the sum of the first cells, are held. So a static difference
    says nothing, nor do hits that become more frequent in both groups alike. 1 where a table cannot vary.

    Args:
        before: One table, for example that of the reference.
        now: The other one.

    Raises:
        ValueError: If there are fewer than 0 hits or more hits than rows.

    References:
        Zelen, M. (1971). The analysis of several 2 x 2 contingency tables. Biometrika 58.
    """
    for table in (before, now):
        if not (0 <= table.hits <= table.rows and 0 <= table.other_hits <= table.other_rows):
            raise ValueError(f"expected 0 <= hits <= rows in both groups, got {tuple(table)}")
    together = before.hits + now.hits
    first, last = _support(before, now, together)
    if first == last:
        return 1.0
    start, stop = _that_matters(before, now, together, first, last)
    logs = _log_weights(np.arange(start, stop + 1, dtype=np.float64), before, now, together)
    weights = np.exp(logs - logs.max())
    observed = _log_weights(np.array([float(before.hits)]), before, now, together)[0]
    is_as_unlikely = logs <= observed + _ROUNDING
    return min(1.0, float(weights[is_as_unlikely].sum() / weights.sum()))


def _support(before: TwoProportions, now: TwoProportions, together: int) -> tuple[int, int]:
    """Return the least and the largest number of hits that the first group of *before* can have."""
    all_before, all_now = before.hits + before.other_hits, now.hits + now.other_hits
    least_now, most_now = max(0, all_now - now.other_rows), min(all_now, now.rows)
    first = max(0, all_before - before.other_rows, together - most_now)
    return first, min(all_before, before.rows, together - least_now)


def _log_weights(
    hits: FloatArray, before: TwoProportions, now: TwoProportions, together: int
) -> FloatArray:
    """Return the logarithm of how many ways lead to each number of *hits* in the first group of *before*."""
    return _log_ways(hits, before) + _log_ways(together - hits, now)


def _log_ways(hits: FloatArray, table: TwoProportions) -> FloatArray:
    all_hits = table.hits + table.other_hits
    return _log_choose(table.rows, hits) + _log_choose(table.other_rows, all_hits - hits)


def _log_choose(total: int, chosen: FloatArray) -> FloatArray:
    ways = special.gammaln(chosen + 1.0) + special.gammaln(total - chosen + 1.0)
    return np.asarray(special.gammaln(total + 1.0) - ways)


def _that_matters(
    before: TwoProportions, now: TwoProportions, together: int, first: int, last: int
) -> tuple[int, int]:
    """
    Return the part of *first* .. *last* that holds all but a negligible part of the probability.

    The logarithms are concave, so the largest is found by halving, and on each side of it one place beyond which all are negligible.
    """

    def log_weight(hits: int) -> float:
        return float(_log_weights(np.array([float(hits)]), before, now, together)[0])

    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        if log_weight(middle + 1) > log_weight(middle):
            low = middle + 1
        else:
            high = middle
    level, reach = log_weight(low) - _NEGLIGIBLE, 64
    start, stop = max(first, low - reach), min(last, low + reach)
    while start > first and log_weight(start) > level:
        reach *= 2
        start = max(first, low - reach)
    reach = 64
    while stop < last and log_weight(stop) > level:
        reach *= 2
        stop = min(last, low + reach)
    return start, stop
