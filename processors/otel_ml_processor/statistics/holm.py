"""Holm's adjustment: many tests at once, and still one promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.statistics.counts import FloatArray

__all__ = ["holm_adjusted"]


def holm_adjusted(p_values: Sequence[float]) -> FloatArray:
    """
    Return the adjusted p-values, in the order given; shape (n_tests,), in [0, 1].

    Rejecting where the adjusted p-value is at most alpha rejects one true hypothesis or more with a probability of at most alpha,
    whatever the dependence between the tests. No tests give an empty array.

    Raises:
        ValueError: If a p-value is not in [0, 1].

    References:
        Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scand. J. Stat. 6.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    if not bool(np.all((raw >= 0) & (raw <= 1))):
        raise ValueError(f"expected p-values in [0, 1], got {raw.min()} to {raw.max()}")
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
