"""Kullback-Leibler divergence: what it costs to take the reference for what the window holds."""

from __future__ import annotations

from scipy import special

from otel_ml_processor.statistics.counts import IntArray, sample_sizes

__all__ = ["kullback_leibler_divergence"]


def kullback_leibler_divergence(
    reference: IntArray, current: IntArray, pseudo_count: float = 0.5
) -> float:
    """
    Return KL(current, reference) = sum(q * ln(q / p)) of the smoothed proportions, in nats; never below 0.

    Half a count is added to every bin of both sides, as for the PSI, so that an empty bin leaves it finite.

    Args:
        reference: Counts per bin, shape (n_bins,), >= 0.
        current: Counts per bin on the same edges, shape (n_bins,).
        pseudo_count: Added to every count, > 0.

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Kullback, S., Leibler, R. A. (1951). On information and sufficiency. Ann. Math. Stat. 22.
    """
    sample_sizes(reference, current)
    p, q = (side + pseudo_count for side in (reference, current))
    return max(float(special.rel_entr(q / q.sum(), p / p.sum()).sum()), 0.0)
