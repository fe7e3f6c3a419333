"""When did it change? The most likely moment between panes of counts, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray, IntArray

__all__ = ["ChangeTime", "change_time"]

_LIKELIHOOD: Final = special.chdtri(1, 0.1) / 2
"""How far below the largest log-likelihood a 90 % interval reaches (half the 90 % quantile of chi-squared with one degree)."""


class ChangeTime(NamedTuple):
    """
    A boundary between panes: `pane` is the first one after the change, 1 <= pane < number of panes.

    `earliest` and `latest` bound, in the same way, where it lies with a likelihood of 90 %.
    """

    pane: int
    earliest: int
    latest: int


def change_time(panes: IntArray) -> ChangeTime | None:
    """
    Return where the counts before and after differ most by the likelihood ratio of two samples; the earliest of equal ones.

    Panes without rows are as good a place as their neighbours. None where fewer than two panes have rows: nothing can be told.

    Args:
        panes: Counts per pane and cell, the oldest first, shape (n_panes, n_cells), >= 0.

    References:
        Csörgő, M., Horváth, L. (1997). Limit theorems in change-point analysis. Wiley.
    """
    if np.count_nonzero(panes.sum(axis=1)) < 2:  # noqa: PLR2004 - two sides
        return None
    before = np.cumsum(panes, axis=0)[:-1]
    after = panes.sum(axis=0) - before
    gain = _log_likelihood(before) + _log_likelihood(after)
    best = int(np.argmax(gain))
    likely = np.flatnonzero(gain >= gain[best] - _LIKELIHOOD)
    return ChangeTime(best + 1, int(likely[0]) + 1, int(likely[-1]) + 1)


def _log_likelihood(counts: IntArray) -> FloatArray:
    """Of the rows of each line under their own proportions: the sum of counts * ln(share)."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    return np.asarray(special.xlogy(counts, shares).sum(axis=1))
