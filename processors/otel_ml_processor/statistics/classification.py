"""How right a classifier was, or is expected to be, from counts of what it said and what was true."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.statistics.counts import FloatArray, IntArray

__all__ = ["Confusion", "MacroScores", "macro_scores", "roc_auc"]


class MacroScores(NamedTuple):
    """Means over classes, each of which counts as much as any other, in [0, 1]."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """
    Rows of a binary classifier by what was predicted and what was true; counts, or expectations of counts, >= 0.

    Every measure is in [0, 1], or NaN where its denominator has no rows: nothing can be said then.
    """

    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float

    @property
    def rows(self) -> float:
        """All rows."""
        return self.true_positive + self.false_positive + self.false_negative + self.true_negative

    @property
    def accuracy(self) -> float:
        """Share of rows that were predicted right."""
        return _ratio(self.true_positive + self.true_negative, self.rows)

    @property
    def precision(self) -> float:
        """Share of the rows predicted positive that are."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the positive rows that were predicted so."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        """Share of the negative rows that were predicted so."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = self.false_positive + self.false_negative
        return _ratio(2 * self.true_positive, 2 * self.true_positive + wrong)


def roc_auc(positives: FloatArray | IntArray, negatives: FloatArray | IntArray) -> float:
    """
    Return the probability that a positive row has a higher score than a negative one; ties count one half.

    NaN where a side has no rows.

    Args:
        positives: Rows of the positive class per score bin, in ascending order of the scores, counts or expectations, >= 0.
        negatives: Rows of the other class in the same bins.

    References:
        Hanley, J. A., McNeil, B. J. (1982). The meaning and use of the area under a receiver operating characteristic curve.
        Radiology 143.
    """
    below = np.cumsum(negatives) - negatives / 2
    return _ratio(float((positives * below).sum()), float(positives.sum() * negatives.sum()))


def macro_scores(
    hits: FloatArray | IntArray, said: FloatArray | IntArray, true: FloatArray | IntArray
) -> MacroScores:
    """
    Return the means over classes, of rows per class, shape (K,): counts or expectations of counts, >= 0.

    A class that was neither predicted nor true counts nowhere; one that was never predicted has a precision of 0, one that was never
    true a recall of 0. NaN where there are no rows.

    Args:
        hits: Rows of the class that were predicted to be.
        said: Rows that were predicted to be of the class.
        true: Rows of the class.
    """
    known = said + true > 0
    if not known.any():
        return MacroScores(math.nan, math.nan, math.nan)
    hits, said, true = hits[known], said[known], true[known]
    return MacroScores(
        precision=float((hits / np.where(said > 0, said, 1)).mean()),
        recall=float((hits / np.where(true > 0, true, 1)).mean()),
        f1=float((2 * hits / (said + true)).mean()),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan
