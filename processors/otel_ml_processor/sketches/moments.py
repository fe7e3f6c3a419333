"""The mean of values in [0, 1], as an integer sum, so that merging is exact in any order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray

__all__ = ["QUANTA", "ROUNDING", "Moments", "in_unit"]

ROUNDING: Final = 1e-6
"""How far beyond [0, 1] a value may lie and still be a probability: sums of float32 probabilities reach 1.0000001."""
QUANTA: Final = 1 << 32
"""Parts that 1 is divided into."""


def in_unit(values: FloatArray) -> FloatArray:
    """Return *values* clipped to [0, 1], NaN for those further than `ROUNDING` outside; NaN stays NaN."""
    if len(values) and values.min() >= 0.0 and values.max() <= 1.0:
        return values  # the common case, in two passes; a NaN is neither
    is_inside = (values >= -ROUNDING) & (values <= 1 + ROUNDING)
    return np.where(is_inside, np.clip(values, 0.0, 1.0), np.nan)


class Moments:
    """
    Count and sum of values in [0, 1]; each value is rounded to a multiple of 2**-32, so sums are integers and merging is bit-exact.

    NaN means "not said" and is not counted. A value outside [0, 1] or infinite is counted in `invalid` and nowhere else.
    """

    __slots__ = ("count", "invalid", "quanta")

    def __init__(self) -> None:
        self.count = 0
        self.invalid = 0
        self.quanta = 0

    def add(self, values: FloatArray) -> FloatArray:
        """Add *values*, shape (n,), of any content; return those that counted."""
        said = values[~np.isnan(values)]
        if not len(said):
            return said  # the common case of what a model does not say
        inside = in_unit(said)
        valid = inside if inside is said else inside[~np.isnan(inside)]
        self.count += len(valid)
        self.invalid += len(said) - len(valid)
        # Summed as int64 within one batch (exact up to 2**31 values), without bound across batches.
        self.quanta += int(np.rint(valid * QUANTA).astype(np.int64).sum())
        return valid

    def add_sums(self, count: int, invalid: int, quanta: int) -> None:
        """Add values whose sums are known."""
        self.count += count
        self.invalid += invalid
        self.quanta += quanta

    def merge(self, other: Moments) -> None:
        """Add what *other* counted; the order of merging makes no difference."""
        self.add_sums(other.count, other.invalid, other.quanta)

    @property
    def mean(self) -> float:
        """The mean in [0, 1], within 2**-33 of the exact one; NaN of nothing."""
        return self.quanta / (self.count * QUANTA) if self.count else math.nan
