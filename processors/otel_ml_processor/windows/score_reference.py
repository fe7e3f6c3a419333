"""What scores meant in the reference: in which bin a row's score lies, and how probable it made the positive class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import Calibration
from otel_ml_processor.sketches.moments import in_unit
from otel_ml_processor.sketches.reference_edges import midway
from otel_ml_processor.statistics.calibration import calibrated_probabilities

if TYPE_CHECKING:
    from otel_ml_processor.columns import BoolArray, FloatArray, IntArray, TextColumn

__all__ = ["ScoreReference", "calibration_of", "score_edges"]

_CENTRE: Final = np.arange(1, 100) / 100
_TAIL: Final = np.arange(1, 20) / 2000
_LEVELS: Final[FloatArray] = np.concatenate([_TAIL, _CENTRE, 1 - _TAIL[::-1]])
"""Every hundredth, and twenty times as fine in the outer hundredths: of rare events all that matters lies there."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreReference:
    """
    The score bins of a reference with what they meant.

    The score is the probability of the class `positive`; where that is None it is the confidence, and what it makes probable is that
    the prediction is right. `edges` are the inner ones, shape (n_bins - 1,), bins are closed on the right; `probabilities`, shape
    (n_bins,), never fall.
    """

    positive: str | None
    edges: FloatArray
    probabilities: FloatArray
    counted: IntArray | None = None
    """Rows of the reference by bin, and those of them that came true, shape (2, n_bins)."""

    @classmethod
    def of(cls, calibration: Calibration) -> ScoreReference:
        """Return the runtime form of *calibration*, which `read_profile` has found consistent."""
        edges = np.array(calibration.edges, dtype=np.float64)
        counted = np.array([calibration.rows, calibration.positives], dtype=np.int64)
        return cls(calibration.positive, edges, np.array(calibration.probabilities), counted)

    @property
    def n_bins(self) -> int:
        """Number of bins, at least 1."""
        return len(self.probabilities)

    @property
    def n_counts(self) -> int:
        """Integers that a window keeps: rows per bin for which the positive class was not predicted, then those for which it was."""
        return 2 * self.n_bins

    def signs(self, dictionary: tuple[str, ...]) -> IntArray:
        """Return by code of a label, and last of none, 1 where the positive class is predicted, 0 where another one, -1 where nobody knows."""
        if self.positive is None:
            return np.ones(len(dictionary) + 1, dtype=np.int64)
        return np.array([*(text == self.positive for text in dictionary), -1], dtype=np.int64)

    def is_said_positive(self, labels: TextColumn) -> BoolArray:
        """Return for which rows the positive class was predicted; without one for all of them."""
        if self.positive is None:
            return np.ones(len(labels.codes), dtype=bool)
        codes = [code for code, text in enumerate(labels.dictionary) if text == self.positive]
        return np.isin(labels.codes, codes)

    def bins(self, is_said_positive: BoolArray, confidences: FloatArray) -> IntArray:
        """Return the bin of each row's score, -1 where *confidences* is NaN or no probability."""
        sure = in_unit(confidences)
        scores = np.where(is_said_positive, sure, 1 - sure)
        bins = np.searchsorted(self.edges, scores, side="left")
        return np.where(np.isnan(sure), -1, bins)

    def cells(self, labels: TextColumn, confidences: FloatArray) -> IntArray:
        """Return where each row is counted, in [0, n_counts), -1 where it does not say its confidence, or its class where one is positive."""
        is_said_positive = self.is_said_positive(labels)
        bins = self.bins(is_said_positive, confidences)
        cells = bins + self.n_bins * is_said_positive
        is_known = (bins >= 0) & ((labels.codes >= 0) | (self.positive is None))
        return np.where(is_known, cells, -1)


def score_edges(scores: FloatArray) -> FloatArray:
    """
    Return the inner edges of about 100 bins of equal mass with 20 in each outer hundredth, strictly ascending.

    They lie midway between neighbouring distinct scores; where there are few distinct ones, each has a bin of its own.

    Args:
        scores: Of the reference, in [0, 1], at least one.
    """
    distinct, repeats = np.unique(scores, return_counts=True)
    if len(distinct) <= len(_LEVELS) + 1:
        return midway(distinct[:-1], distinct[1:])
    cumulative = np.cumsum(repeats)
    last = np.unique(np.searchsorted(cumulative, cumulative[-1] * _LEVELS))
    last = last[last < len(distinct) - 1]
    return midway(distinct[last], distinct[last + 1])


def calibration_of(scores: FloatArray, is_true: BoolArray, positive: str | None) -> Calibration:
    """
    Return what *scores* meant: by bin the rows, those that came *true*, and the calibrated probability.

    Raises:
        TableError: If no row has both a score and a truth.
    """
    if not len(scores):
        raise TableError("target: expected rows that have a score and a truth, found none")
    edges = score_edges(scores)
    n_bins = len(edges) + 1
    bins = np.searchsorted(edges, scores, side="left")
    rows = np.bincount(bins, minlength=n_bins)
    positives = np.bincount(bins[is_true], minlength=n_bins)
    means = np.bincount(bins, scores, minlength=n_bins) / np.maximum(rows, 1)
    return Calibration(
        positive=positive,
        edges=edges.tolist(),
        rows=rows.tolist(),
        positives=positives.tolist(),
        probabilities=calibrated_probabilities(positives, rows, means).tolist(),
    )
