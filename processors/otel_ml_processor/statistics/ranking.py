"""How well items were ordered, of one list whose items' relevance is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray

__all__ = ["average_precision", "normalized_discounted_gain", "reciprocal_rank"]


def normalized_discounted_gain(relevance: FloatArray) -> float:
    """
    Return the discounted gain of a list over that of its best order, in [0, 1]; NaN where no item is relevant.

    Args:
        relevance: Gain of each item in the order in which the items were shown, >= 0, shape (n_items,).

    References:
        Järvelin, K., Kekäläinen, J. (2002). Cumulated gain-based evaluation of IR techniques. ACM Trans. Inf. Syst. 20.
    """
    most = relevance.max(initial=0.0)
    if not most > 0:
        return math.nan
    shares = relevance / most  # of the largest gain: sums of gains may be beyond the largest number
    discount = 1 / np.log2(np.arange(2, len(relevance) + 2))
    return float(shares @ discount) / float(np.sort(shares)[::-1] @ discount)


def average_precision(relevance: FloatArray) -> float:
    """
    Return the mean, over the relevant items, of the share of relevant items down to each; NaN where no item is relevant.

    Its mean over lists is MAP. An item is relevant where its gain is above 0.
    """
    hits = relevance > 0
    if not hits.any():
        return math.nan
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def reciprocal_rank(relevance: FloatArray) -> float:
    """Return one over the place of the first relevant item; 0 where no item is relevant. Its mean over lists is MRR."""
    hits = np.flatnonzero(relevance > 0)
    return 1 / (int(hits[0]) + 1) if len(hits) else 0.0
