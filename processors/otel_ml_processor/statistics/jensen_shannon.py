"""Jensen-Shannon distance: a bounded distance between two binned distributions."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from otel_ml_processor.statistics.counts import FloatArray, IntArray, sample_sizes

__all__ = ["jensen_shannon_distance"]


def jensen_shannon_distance(reference: IntArray, current: IntArray) -> FloatArray:
    """
    Return the square root of the Jensen-Shannon divergence to base 2, in [0, 1], shape (...).

    0 for equal proportions, 1 where no bin holds samples of both sides. The divergence is the mean of KL(p, h) and KL(q, h), where
    h lies midway between the proportions p and q; no smoothing is needed, since h is empty only where both are.

    Args:
        reference: Counts per bin, shape (..., n_bins), >= 0.
        current: Counts per bin on the same edges, shape (..., n_bins).

    Raises:
        ValueError: If the shapes differ, a count is negative or either side has no samples.

    References:
        Endres, D. M., Schindelin, J. E. (2003). A new metric for probability distributions. IEEE Trans. Inf. Theory 49.
    """
    n, m = sample_sizes(reference, current)
    p, q = reference / n, current / m
    midway = (p + q) / 2
    nats = (special.rel_entr(p, midway) + special.rel_entr(q, midway)).sum(axis=-1) / 2
    # Rounding may leave the sum an ulp outside of [0, ln 2].
    distance: FloatArray = np.sqrt(np.clip(nats / math.log(2), 0.0, 1.0))
    return distance
