"""Exact test of two shares: is what happens in the window more frequent than in the reference?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray

__all__ = ["larger_share_p_value"]


def larger_share_p_value(
    reference_hits: int, reference_rows: int, current_hits: int, current_rows: int
) -> float:
    """
    Return the probability that chance gives the window at least *current_hits* of all hits.

    One-sided (only a larger share in the window is evidence), two-sample (the reference is finite as well) and exact: without a
    difference every set of `current_rows` among all rows is equally likely to be the window, so its hits are hypergeometric. 1
    where no row hits, where every row hits, and where a side has no rows.

    Args:
        reference_hits: Rows of the reference that hit, 0 .. reference_rows.
        reference_rows: Rows of the reference, >= 0.
        current_hits: Rows of the window that hit, 0 .. current_rows.
        current_rows: Rows of the window, >= 0.

    Raises:
        ValueError: If a side has fewer than 0 hits or more hits than rows.

    References:
        Fisher, R. A. (1935). The logic of inductive inference. J. R. Stat. Soc. 98.
    """
    for hits, rows in ((reference_hits, reference_rows), (current_hits, current_rows)):
        if not 0 <= hits <= rows:
            raise ValueError(f"expected 0 to {rows} hits among {rows} rows, got {hits}")
    hits = reference_hits + current_hits
    rows = reference_rows + current_rows
    if current_hits == 0 or reference_rows == 0:
        return 1.0
    k = _range_that_matters(current_hits, hits, rows, current_rows)
    log_p = _log_choose(hits, k) + _log_choose(rows - hits, current_rows - k)
    log_all = _log_choose(rows, np.array(float(current_rows)))
    return min(1.0, float(np.exp(special.logsumexp(log_p) - log_all)))


def _range_that_matters(least: int, hits: int, rows: int, drawn: int) -> FloatArray:
    """
    Numbers of hits from *least* up that hold all of the tail but 1e-16 of it.

    Nine standard deviations and forty beyond the mean: by Bernstein's inequality what lies further out is less than e-37, so a
    window of millions of rows costs no more than its standard deviation.
    """
    mean = drawn * hits / rows
    reach = 9 * math.sqrt(mean * (1 - hits / rows)) + 40
    first = max(least, math.floor(mean - reach))
    last = min(hits, drawn, math.ceil(max(least, mean) + reach))
    return np.arange(first, last + 1, dtype=np.float64)


def _log_choose(total: int, chosen: FloatArray) -> FloatArray:
    result: FloatArray = (
        special.gammaln(total + 1.0)
        - special.gammaln(chosen + 1.0)
        - special.gammaln(total - chosen + 1.0)
    )
    return result
