"""Kullback-Leibler divergence: what it costs to take the reference for what the window holds."""

from __future__ import annotations

import numpy as np
from scipy import special

from otel_ml_processor.statistics.counts import FloatArray, IntArray, smoothed_shares

__all__ = ["kullback_leibler_divergence"]


def kullback_leibler_divergence(
    reference: IntArray, current: IntArray, pseudo_count: float = 0.5
) -> FloatArray:
    """
    Return KL(current, reference) = sum(q * ln(q / p)) of the smoothed proportions, in nats, shape (...); never below 0.

    Half a count is added on both sides to every bin that either has samples in, as for the PSI, so that an empty bin leaves it finite.

    Args:
        reference: Counts per bin, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).
        pseudo_count: Added to every such count, > 0.

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Kullback, S., Leibler, R. A. (1951). On information and sufficiency. Ann. Math. Stat. 22.
    """
    p, q = smoothed_shares(reference, current, pseudo_count)
    divergence: FloatArray = np.maximum(special.rel_entr(q, p).sum(axis=-1), 0.0)
    return divergence
