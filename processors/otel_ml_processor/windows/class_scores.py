"""What the probabilities of all classes meant in the reference: each class against the rest, as a score of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.errors import TableError
from otel_ml_processor.sketches.moments import in_unit
from otel_ml_processor.windows.score_reference import ScoreReference, calibration_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.columns import FloatArray, IntArray, TextColumn
    from otel_ml_processor.profile import Calibration

__all__ = ["MAX_CLASSES", "ClassScores", "class_calibrations"]

MAX_CLASSES: Final = 32
"""Classes whose probabilities are counted; inferences say the probabilities of no more."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """
    The scores of each class, one at least; a window keeps the counts of one class behind those of another.

    Per class there are two rows of counts by score bin, as `ScoreReference` has them: 140 bins at most, so that a window has at most
    280 integers per class, whatever it has seen.
    """

    of_class: tuple[ScoreReference, ...]

    @classmethod
    def of(cls, calibrations: Sequence[Calibration]) -> ClassScores | None:
        """Return the runtime form of *calibrations*, which `read_profile` has found consistent; None where there are none."""
        return cls(tuple(map(ScoreReference.of, calibrations))) if calibrations else None

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(scores.positive or "" for scores in self.of_class)

    @property
    def n_counts(self) -> int:
        """Integers that a window keeps."""
        return sum(scores.n_counts for scores in self.of_class)

    def split(self, counts: IntArray) -> list[IntArray]:
        """Return *counts*, shape (n_counts,), by class: rows by bin, without and with it predicted, shape (2, n_bins)."""
        ends = np.cumsum([scores.n_counts for scores in self.of_class])[:-1]
        return [block.reshape(2, -1) for block in np.split(counts, ends)]

    def cells(self, labels: TextColumn, probabilities: Mapping[str, FloatArray]) -> IntArray:
        """
        Return where each row is counted of each class, shape (n_classes, n_rows), in [0, n_counts).

        A row that does not say its class, or the probability of any class, in [0, 1], is -1 everywhere: of parts no whole is estimated.
        """
        n_rows = len(labels.codes)
        cells = np.full((len(self.of_class), n_rows), -1, dtype=np.int64)
        if any(name not in probabilities for name in self.names):
            return cells
        sure = np.array([in_unit(probabilities[name]) for name in self.names])
        is_known = (labels.codes >= 0) & ~np.isnan(sure).any(axis=0)
        start = 0
        for row_of_cells, scores, said in zip(cells, self.of_class, sure, strict=True):
            bins = scores.edges.searchsorted(said, side="left")
            bins += start + scores.n_bins * scores.is_said_positive(labels)
            np.copyto(row_of_cells, bins, where=is_known)
            start += scores.n_counts
        return cells


def class_calibrations(
    probabilities: Mapping[str, FloatArray], truths: Sequence[str]
) -> list[Calibration]:
    """
    Return what the *probabilities* of each class meant, where the true classes are *truths*.

    Each class is calibrated against the rest by itself, and the calibrated probabilities of a row are not made to add up to 1: counts
    know no rows, and estimates are as good or better without (`benchmarks/README.md`).

    Args:
        probabilities: By class, in [0, 1], shape (n_rows,); rows with a NaN are passed over.
        truths: Of the same rows.

    Raises:
        TableError: If there are more classes than are counted, or no row has a truth and all probabilities.
    """
    if len(probabilities) > MAX_CLASSES:
        raise TableError(
            f"probabilities: expected at most {MAX_CLASSES} classes, found {len(probabilities)}"
        )
    is_known = ~np.isnan(np.array(list(probabilities.values()))).any(axis=0)
    true = np.array(truths, dtype=object)[is_known]
    return [
        calibration_of(scores[is_known], true == name, name)
        for name, scores in probabilities.items()
    ]
