"""Predictions whose truth is known: how often what was said of what, how sure the model was, and how far off its numbers were."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.sketches.label_counts import MAX_LABELS
from otel_ml_processor.statistics.calibration import (
    brier_score,
    expected_calibration_error,
    log_loss,
)
from otel_ml_processor.statistics.classification import Confusion, roc_auc
from otel_ml_processor.statistics.regression import RegressionErrors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import BoolArray, FloatArray, IntArray

__all__ = ["N_CONFIDENCE_BINS", "OutcomeParts", "Outcomes"]

N_CONFIDENCE_BINS: Final = 10
"""Bins of equal width over [0, 1], closed on the right, of the expected calibration error."""
_EDGES: Final[FloatArray] = np.arange(1, N_CONFIDENCE_BINS) / N_CONFIDENCE_BINS


class OutcomeParts(NamedTuple):
    """All that `Outcomes` hold, in plain values: `pairs` as (true, predicted, rows), `cells` as (position, rows) of those that are not 0."""

    rows: int
    right: int
    pairs: tuple[tuple[str, str, int], ...]
    is_complete: bool
    cells: tuple[tuple[int, int], ...]
    errors: tuple[float, ...]
    confidence_rows: tuple[int, ...]
    confidence_right: tuple[int, ...]
    confidences: tuple[float, ...]
    squares: float
    log_losses: float
    weights_squared: int | None = None
    """None in what was kept by a version that did not know it."""


class Outcomes:
    """
    Sums over labelled predictions, of bounded size; add in any parts, merge in any order.

    `pairs` counts (true class, predicted class); beyond 50 x 50 different pairs `is_complete` is False and the pairs say nothing more.
    `cells` has shape (2, 2, n_bins): rows by whether the positive class was predicted, whether it was true, and the bin of its score.
    """

    __slots__ = (
        "_confidence_right",
        "_confidence_rows",
        "_confidences",
        "_log_losses",
        "_squares",
        "_weights_squared",
        "cells",
        "errors",
        "is_complete",
        "pairs",
        "right",
        "rows",
    )

    def __init__(self, n_bins: int = 0) -> None:
        self.rows = 0
        self.right = 0
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.is_complete = True
        self.cells: IntArray
        self.rebin(n_bins)
        self.errors = RegressionErrors()
        self._confidence_rows: IntArray = np.zeros(N_CONFIDENCE_BINS, dtype=np.int64)
        self._confidence_right: IntArray = np.zeros(N_CONFIDENCE_BINS, dtype=np.int64)
        self._confidences: FloatArray = np.zeros(N_CONFIDENCE_BINS)
        self._squares = 0.0
        self._log_losses = 0.0
        self._weights_squared = 0

    def parts(self) -> OutcomeParts:
        """Return all that is held, for `of_parts`."""
        cells = self.cells.ravel()
        at = np.flatnonzero(cells)
        return OutcomeParts(
            self.rows,
            self.right,
            tuple((true, said, rows) for (true, said), rows in self.pairs.items()),
            self.is_complete,
            tuple(zip(at.tolist(), cells[at].tolist(), strict=True)),
            astuple(self.errors),
            tuple(self._confidence_rows.tolist()),
            tuple(self._confidence_right.tolist()),
            tuple(self._confidences.tolist()),
            self._squares,
            self._log_losses,
            self._weights_squared,
        )

    @classmethod
    def of_parts(cls, parts: OutcomeParts, n_bins: int) -> Outcomes:
        """
        Return what `parts` was taken of.

        Raises:
            ValueError: If there are other than *n_bins* score bins, or other than `N_CONFIDENCE_BINS` of confidence.
        """
        found = cls(n_bins)
        lengths = {*map(len, (parts.confidence_rows, parts.confidence_right, parts.confidences))}
        if lengths != {N_CONFIDENCE_BINS}:
            raise ValueError(f"expected {N_CONFIDENCE_BINS} bins of confidence, found {lengths}")
        if any(not 0 <= at < found.cells.size for at, _ in parts.cells):
            raise ValueError(f"expected {n_bins} score bins, found more")
        found.rows, found.right, found.is_complete = parts.rows, parts.right, parts.is_complete
        found.pairs = Counter({(true, said): rows for true, said, rows in parts.pairs})
        for at, rows in parts.cells:
            found.cells.flat[at] = rows
        found.errors = _errors(parts.errors, is_old=parts.weights_squared is None)
        found._confidence_rows = np.array(parts.confidence_rows, dtype=np.int64)
        found._confidence_right = np.array(parts.confidence_right, dtype=np.int64)
        found._confidences = np.array(parts.confidences)
        found._squares, found._log_losses = parts.squares, parts.log_losses
        said = parts.weights_squared
        found._weights_squared = found.labelled if said is None else said
        return found

    def add_pairs(self, true: Sequence[str], said: Sequence[str], weight: int = 1) -> None:
        """Count rows whose true class is known, *weight* times each; `add_right` is told of them too."""
        for pair, rows in Counter(zip(true, said, strict=True)).items():
            self.pairs[pair] += weight * rows
        if len(self.pairs) > MAX_LABELS**2:
            self.is_complete = False
            self.pairs.clear()

    def add_right(self, is_right: BoolArray, confidences: FloatArray, weight: int = 1) -> None:
        """Count rows that were right or wrong, *weight* times each; NaN in *confidences* is not said."""
        self.rows += weight * len(is_right)
        self._weights_squared += weight**2 * len(is_right)
        self.right += weight * int(is_right.sum())
        is_said = ~np.isnan(confidences)
        right, sure = is_right[is_said].astype(np.int64), confidences[is_said]
        if not len(sure):
            return
        bins = np.searchsorted(_EDGES, sure, side="left")
        self._confidence_rows += weight * np.bincount(bins, minlength=N_CONFIDENCE_BINS)
        hits = np.bincount(bins[right > 0], minlength=N_CONFIDENCE_BINS)
        self._confidence_right += weight * hits
        self._confidences += weight * np.bincount(bins, sure, minlength=N_CONFIDENCE_BINS)
        self._squares += weight * brier_score(right, sure) * len(sure)
        self._log_losses += weight * log_loss(right, sure) * len(sure)

    def add_cells(self, said: BoolArray, true: BoolArray, bins: IntArray, weight: int = 1) -> None:
        """Count rows by whether the positive class was *said* and *true*, in the *bins* of its score, *weight* times each."""
        n_bins = self.cells.shape[2]
        flat = (said.astype(np.int64) * 2 + true) * n_bins + bins
        counts = np.bincount(flat, minlength=4 * n_bins)
        self.cells += weight * counts.reshape(self.cells.shape)

    def add_numbers(self, said: FloatArray, true: FloatArray, weight: int = 1) -> None:
        """Count predicted numbers beside true ones, *weight* times each; a pair of which one is not finite is passed over."""
        errors = RegressionErrors.of(said, true)
        self.errors = self.errors + errors.times(weight)
        self._weights_squared += weight**2 * errors.rows

    def rebin(self, n_bins: int) -> None:
        """Count scores anew, in so many bins: those that were counted were of others."""
        self.cells = np.zeros((2, 2, n_bins), dtype=np.int64)

    def merge(self, other: Outcomes) -> None:
        """
        Add what *other* counted.

        Raises:
            ValueError: If the two have another number of score bins.
        """
        if self.cells.shape != other.cells.shape:
            raise ValueError(
                f"one has {self.cells.shape[2]} score bins, the other {other.cells.shape[2]}; both must have the same"
            )
        self.rows += other.rows
        self.right += other.right
        self.pairs.update(other.pairs)
        self.is_complete = self.is_complete and other.is_complete
        self.cells += other.cells
        self.errors = self.errors + other.errors
        self._confidence_rows += other._confidence_rows
        self._confidence_right += other._confidence_right
        self._confidences += other._confidences
        self._squares += other._squares
        self._log_losses += other._log_losses
        self._weights_squared += other._weights_squared

    @property
    def labelled(self) -> int:
        """Rows of which it is known whether they were right, or by how much they were wrong."""
        return self.rows + self.errors.rows

    @property
    def evidence(self) -> float:
        """
        How much of a row each row is worth as evidence, in (0, 1]; 1 without weights.

        A label that counts four times says what three others would have said, and is no more certain for it: all rows together are as sure as so many times
        their number without weights.

        References:
            Kish, L. (1965). Survey Sampling. Wiley. (The effective size of a weighted sample.)
        """
        return self.labelled / self._weights_squared if self._weights_squared else 1.0

    @property
    def confusion(self) -> Confusion:
        """Rows by whether the positive class was predicted and true; zeros without one."""
        (tn, fn), (fp, tp) = self.cells.sum(axis=2).tolist()
        return Confusion(true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn)

    @property
    def roc_auc(self) -> float:
        """The area under the ROC curve of the positive class, ties within a bin counting one half; NaN where one class is not."""
        negatives, positives = self.cells.sum(axis=0)
        return roc_auc(positives, negatives)

    def matrix(self) -> IntArray:
        """Return the rows by true and predicted class, in the order of their names, shape (K, K)."""
        names = sorted({name for pair in self.pairs for name in pair})
        at = {name: number for number, name in enumerate(names)}
        matrix = np.zeros((len(names), len(names)), dtype=np.int64)
        for (true, said), rows in self.pairs.items():
            matrix[at[true], at[said]] = rows
        return matrix

    @property
    def expected_calibration_error(self) -> float:
        """The mean distance of confidence and share of right predictions over `N_CONFIDENCE_BINS`; NaN without confidences."""
        return expected_calibration_error(
            self._confidence_right, self._confidence_rows, self._confidences
        )

    def by_confidence(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Return, by bin of confidence, the rows, those that were right, and their mean confidence (0 where there are none)."""
        rows = self._confidence_rows
        return rows, self._confidence_right, self._confidences / np.maximum(rows, 1)

    @property
    def brier(self) -> float:
        """The mean squared distance of the confidence from whether the prediction was right; NaN without confidences."""
        return self._mean(self._squares)

    @property
    def log_loss(self) -> float:
        """The mean negative log-likelihood of the confidences, in nats; NaN without confidences."""
        return self._mean(self._log_losses)

    def _mean(self, total: float) -> float:
        rows = int(self._confidence_rows.sum())
        return total / rows if rows else float("nan")


def _errors(sums: Sequence[float], *, is_old: bool) -> RegressionErrors:
    """Return what *sums* are of; *is_old* ones end in a sum of squares."""
    if len(sums) != len(fields(RegressionErrors)):
        raise ValueError(
            f"expected {len(fields(RegressionErrors))} sums of errors, found {len(sums)}"
        )
    rows, absolute, squared, relative, relative_rows, truth, scatter = sums
    if is_old and rows:
        scatter = max(0.0, scatter - truth * truth / rows)
    whole = (absolute, squared, relative, int(relative_rows), truth, scatter)
    return RegressionErrors(int(rows), *whole)
