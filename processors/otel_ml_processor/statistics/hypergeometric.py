"""Exact test of two shares: is what happens in the window more frequent than in the reference?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray, IntArray

__all__ = ["larger_share_p_value"]

_AT_ONCE: Final = 64
"""Tests in one pass, which shares what a numpy call costs; of windows of millions of rows each takes some hundred kilobytes."""


def larger_share_p_value(
    reference_hits: int | IntArray,
    reference_rows: int | IntArray,
    current_hits: int | IntArray,
    current_rows: int | IntArray,
) -> FloatArray:
    """
    Return the probability that chance gives the window at least *current_hits* of all hits; of the shape that is given.

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
    sides = np.broadcast_arrays(reference_hits, reference_rows, current_hits, current_rows)
    for hits, rows in (sides[:2], sides[2:]):
        if (wrong := (hits < 0) | (hits > rows)).any():
            said = rows[wrong][0]
            raise ValueError(f"expected 0 to {said} hits among {said} rows, got {hits[wrong][0]}")
    p_values = np.ones(sides[0].shape)
    is_open = (sides[2] > 0) & (sides[1] > 0)
    tables = np.stack([side[is_open] for side in sides]).astype(np.float64)
    found = [_tails(*tables[:, i : i + _AT_ONCE]) for i in range(0, tables.shape[1], _AT_ONCE)]
    p_values[is_open] = np.concatenate([np.ones(0), *found])
    return p_values[()]


def _tails(
    reference_hits: FloatArray,
    reference_rows: FloatArray,
    least: FloatArray,
    drawn: FloatArray,
) -> FloatArray:
    """Return the probabilities of at least so many hits among those *drawn*, shape (n_tests,)."""
    hits, rows = reference_hits + least, reference_rows + drawn
    first, last = _range_that_matters(least, hits, rows, drawn)
    sizes = (last - first + 1).astype(np.int64)
    starts = np.cumsum(sizes) - sizes

    def spread(of_test: FloatArray) -> FloatArray:
        return np.repeat(of_test, sizes)

    # All ranges one behind the other, so that there is one pass over them.
    k = np.arange(sizes.sum()) + spread(first - starts)
    log_ways = _log_choose(spread(hits), k) + _log_choose(spread(rows - hits), spread(drawn) - k)
    shares = np.exp(log_ways - spread(_log_choose(rows, drawn)))
    return np.minimum(np.add.reduceat(shares, starts), 1.0)


def _range_that_matters(
    least: FloatArray, hits: FloatArray, rows: FloatArray, drawn: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """
    Return the first and the last number of hits, from *least* up, that hold all of the tail but 1e-16 of it.

    Nine standard deviations and forty beyond the mean: by Bernstein's inequality what lies further out is less than e-37, so a
    window of millions of rows costs no more than its standard deviation.
    """
    mean = drawn * hits / rows
    reach = 9 * np.sqrt(mean * (1 - hits / rows)) + 40
    first = np.maximum(least, np.floor(mean - reach))
    last = np.minimum(np.minimum(hits, drawn), np.ceil(np.maximum(least, mean) + reach))
    return first, last


def _log_choose(total: FloatArray, chosen: FloatArray) -> FloatArray:
    result: FloatArray = (
        special.gammaln(total + 1.0)
        - special.gammaln(chosen + 1.0)
        - special.gammaln(total - chosen + 1.0)
    )
    return result
