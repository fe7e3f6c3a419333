"""Population stability index: how far two binned distributions are apart, in nats."""

from __future__ import annotations

import numpy as np
from scipy import special

from otel_ml_processor.statistics.counts import (
    FloatArray,
    IntArray,
    sample_sizes,
    smoothed_shares,
)

__all__ = ["debiased_psi", "population_stability_index"]


def population_stability_index(
    reference: IntArray, current: IntArray, pseudo_count: float | FloatArray = 0.5
) -> FloatArray:
    """
    Return the symmetric divergence of two binned distributions, in nats, shape (...); never below 0.

    PSI = sum((p - q) * ln(p / q)) = KL(p, q) + KL(q, p), where p and q are the smoothed proportions of *reference* and
    *current*. Half a count is added to every bin that either side has samples in, so a bin that one side leaves empty costs what one
    rare sample would and the value stays finite; one that both leave empty says nothing. For N(0, 1) against N(d, 1) it tends to
    d**2 as bins get finer.

    Args:
        reference: Counts per bin, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).
        pseudo_count: What is added to every such bin on both sides, >= 0; one number, or one per bin. With 0 a bin that is empty on
            one side only makes the result infinite.

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Jeffreys, H. (1946). An invariant form for the prior probability in estimation problems. Proc. R. Soc. A 186.
    """
    p, q = smoothed_shares(reference, current, pseudo_count)
    divergence: FloatArray = (special.rel_entr(p, q) + special.rel_entr(q, p)).sum(axis=-1)
    return divergence


def debiased_psi(reference: IntArray, current: IntArray) -> FloatArray:
    """
    Return the PSI less what chance alone adds to it, in nats, shape (...); 0 where chance explains all of it.

    Without drift PSI is about (1 / n + 1 / m) times a chi-squared variable with B - 1 degrees of freedom (n and m samples, B
    bins that either side has samples in), so its mean (B - 1)(1 / n + 1 / m) is taken off.

    Args:
        reference: Counts per bin, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Yurdakul, B., Naranjo, J. (2020). Statistical properties of the population stability index. J. Risk Model Validation 14.
    """
    n, m = sample_sizes(reference, current)
    n_bins = np.count_nonzero(reference + current, axis=-1)
    chance = (n_bins - 1) * (1 / n + 1 / m)[..., 0]
    debiased: FloatArray = np.maximum(population_stability_index(reference, current) - chance, 0.0)
    return debiased
