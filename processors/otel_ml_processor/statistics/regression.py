"""How far predicted numbers are from the true ones, from sums that can be added up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray

__all__ = ["RegressionErrors"]


_SAME: Final = 1e-13
"""A truth that varies by less than this part of its mean never changes: what is left is rounding."""


@dataclass(frozen=True, slots=True)
class RegressionErrors:
    """
    Sums over rows whose truth is known; add two to have those of both.

    `scatter` is the sum of squared distances of the truths from their mean: of a sum of squares nothing would be left where truths are large beside their
    spread, as years and times are. Every measure is NaN where it has no rows: the mean absolute percentage error of rows whose truth is 0, r2 of a truth that never
    changes.
    """

    rows: int = 0
    absolute: float = 0.0
    squared: float = 0.0
    relative: float = 0.0
    relative_rows: int = 0
    truth: float = 0.0
    scatter: float = 0.0

    @classmethod
    def of(cls, predictions: FloatArray, truths: FloatArray) -> RegressionErrors:
        """Return the sums of two columns of the same length; rows in which either is not finite, or has no finite square, are passed over."""
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest there is
            known = np.isfinite((predictions - truths) ** 2 + truths**2)
            truth, error = truths[known], predictions[known] - truths[known]
            can_divide = truth != 0
            return cls(
                rows=len(truth),
                absolute=float(np.abs(error).sum()),
                squared=float((error**2).sum()),
                relative=float(np.abs(error[can_divide] / truth[can_divide]).sum()),
                relative_rows=int(can_divide.sum()),
                truth=float(truth.sum()),
                scatter=float(((truth - truth.mean()) ** 2).sum()) if len(truth) else 0.0,
            )

    def __add__(self, other: RegressionErrors) -> RegressionErrors:
        """
        Return the sums of both.

        References:
            Chan, T. F., Golub, G. H., LeVeque, R. J. (1983). Algorithms for computing the sample variance. Am. Stat. 37.
        """
        both = RegressionErrors(
            *(getattr(self, name) + getattr(other, name) for name in self.__slots__)
        )
        if not (self.rows and other.rows):
            return both
        apart = self.truth / self.rows - other.truth / other.rows
        between = apart * apart * (self.rows * other.rows / both.rows)
        return replace(both, scatter=both.scatter + between)

    def times(self, weight: int) -> RegressionErrors:
        """Return the sums of the same rows, each *weight* times."""
        return RegressionErrors(*(weight * getattr(self, name) for name in self.__slots__))

    @property
    def mae(self) -> float:
        """Mean absolute error, in the unit of the prediction."""
        return self.absolute / self.rows if self.rows else math.nan

    @property
    def rmse(self) -> float:
        """Root of the mean squared error, in the unit of the prediction."""
        return math.sqrt(self.squared / self.rows) if self.rows else math.nan

    @property
    def mape(self) -> float:
        """Mean absolute error as a share of the truth."""
        return self.relative / self.relative_rows if self.relative_rows else math.nan

    @property
    def r2(self) -> float:
        """Share of the truth's variance that the prediction explains, at most 1; negative where a constant would do better."""
        if not self.rows:
            return math.nan
        spread = math.sqrt(self.scatter / self.rows)
        varies = spread > _SAME * abs(self.truth / self.rows)
        return 1 - self.squared / self.scatter if varies else math.nan
