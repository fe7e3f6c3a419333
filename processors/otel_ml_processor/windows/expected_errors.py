"""How wrong each row is expected to be: in which bin of the reference's expected errors it is counted, and how those bins are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.profile import CellReference, ErrorSplit, ExpectedErrors
from otel_ml_processor.sketches.reference_edges import reference_edges
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.statistics.estimated_errors import (
    Split,
    grown_tree,
    leaf_masks,
    leaves_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.profile import Calibration, Profile
    from otel_ml_processor.statistics.estimated_errors import CellColumn

__all__ = ["ErrorCells", "errors_of_classes", "errors_of_numbers"]

_FEWEST_ROWS: Final = 400
_MOST_ROWS: Final = 1_000_000
"""Rows that a tree is made from; of more a random part is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCells:
    """
    What a row's bin of expected error follows from: for numbers from where its features and its prediction lie, for classes from its score.

    `bin_of` is by leaf, or by score cell (see `ScoreReference.cells`). `masks` are the leaves that each cell of the features and of the
    prediction leaves open, one column's cells behind the other's, with a last 0; empty for classes. `asked` are the columns to look at.
    """

    bin_of: IntArray
    masks: IntArray
    asked: IntArray
    absolute: FloatArray
    squared: FloatArray
    """Mean absolute and mean squared error by bin; the second is empty for classes."""

    @classmethod
    def of(cls, profile: Profile) -> ErrorCells | None:
        """Return the runtime form of what *profile* says, which `read_profile` has found consistent; None where it says nothing."""
        expected = profile.expected
        if expected is None:
            return None
        values = np.array(expected.absolute)
        masks, asked = _NO_CELLS, _NO_CELLS
        if expected.splits and profile.prediction is not None:
            columns = [*profile.features, profile.prediction]
            masks, asked = _masks(expected.splits, [len(c.counts) + N_SLOTS for c in columns])
        elif profile.calibration is not None:
            values = _errors_by_score(profile.calibration)
        return cls(
            bin_of=_bins(expected.errors, values),
            masks=masks,
            asked=asked,
            absolute=np.array(expected.errors.bin_means),
            squared=np.array(expected.squared),
        )

    @property
    def are_of_numbers(self) -> bool:
        """Whether it is numbers that are predicted."""
        return len(self.asked) > 0

    def bins(self, places: IntArray, score_cells: IntArray | None) -> IntArray:
        """
        Return the bin of each row, shape (n_rows,), -1 where a row does not say what it follows from.

        Args:
            places: Where the features and the prediction are counted, shape (n_columns or more, n_rows); beyond all of them says nothing.
            score_cells: Where the scores are counted, shape (n_rows,), -1 where a row has none; None where numbers are predicted.
        """
        if self.are_of_numbers:
            keys = leaves_of(self.masks.take(places[self.asked], mode="clip"))
        elif score_cells is not None:
            keys = score_cells
        else:
            return np.full(places.shape[1], -1, dtype=np.int64)
        return np.where(keys >= 0, self.bin_of[keys], -1)


def errors_of_numbers(columns: Sequence[CellColumn], absolute: FloatArray) -> ExpectedErrors | None:
    """
    Return what errors are to be expected of rows that are like these; None of fewer than 400 rows, or where nothing tells them apart.

    Half of the rows, at random, choose the leaves, and the other half says how wrong those are: leaves that are good by chance alone
    are not good in both.

    Args:
        columns: Those of the features, then of the prediction.
        absolute: Absolute errors, finite, shape (n_rows,).

    References:
        Athey, S., Imbens, G. (2016). Recursive partitioning for heterogeneous causal effects. PNAS 113.
    """
    if len(absolute) < _FEWEST_ROWS:
        return None
    order = np.random.default_rng(0).permutation(len(absolute))[:_MOST_ROWS]
    choosing, telling = np.array_split(order, 2)
    splits = grown_tree([c._replace(cells=c.cells[choosing]) for c in columns], absolute[choosing])
    if not splits:
        return None
    masks = leaf_masks(splits, [column.n_cells for column in columns])
    leaves = leaves_of(np.stack([m[c.cells] for m, c in zip(masks, columns, strict=True)]))
    leaf_means = _means(leaves[telling], absolute[telling], len(splits) + 1)
    errors = _column(leaf_means[leaves])
    if errors is None:
        return None
    bins = _bins(errors, leaf_means)[leaves]
    return ExpectedErrors(
        errors=errors,
        splits=[ErrorSplit(column=c, inside=[*i], children=n) for c, i, n in splits],
        absolute=leaf_means.tolist(),
        squared=_means(bins[telling], absolute[telling] ** 2, len(errors.counts)).tolist(),
    )


def errors_of_classes(calibration: Calibration, score_cells: IntArray) -> ExpectedErrors | None:
    """Return what errors are to be expected of rows with these *score_cells*, -1 where there is none; None where all are alike."""
    errors = _column(_errors_by_score(calibration)[score_cells[score_cells >= 0]])
    return None if errors is None else ExpectedErrors(errors=errors)


_NO_CELLS: Final[IntArray] = np.zeros(0, dtype=np.int64)


def _errors_by_score(calibration: Calibration) -> FloatArray:
    """Return by score cell how probable it is that the prediction is wrong."""
    probabilities = np.array(calibration.probabilities)
    return np.concatenate([probabilities, 1 - probabilities])


def _masks(splits: Sequence[ErrorSplit], widths: Sequence[int]) -> tuple[IntArray, IntArray]:
    masks = leaf_masks([Split(s.column, tuple(s.inside), s.children) for s in splits], widths)
    # The prediction is always asked for: what says none is not judged.
    asked = np.unique([*(s.column for s in splits), len(widths) - 1])
    return np.concatenate([*masks, [0]]), asked


def _column(values: FloatArray) -> CellReference | None:
    """Return how *values* fall into bins; None where all are the same."""
    distinct, repeats = np.unique(values, return_counts=True)
    if len(distinct) < 2:  # noqa: PLR2004  nothing can move between bins then
        return None
    edges = reference_edges(distinct, repeats)
    bins = np.searchsorted(edges, values, side="left")
    return CellReference(
        name="",
        type="numeric",
        counts=np.bincount(bins, minlength=len(edges) + 1).tolist(),
        edges=edges.tolist(),
        bin_means=_means(bins, values, len(edges) + 1).tolist(),
        min=float(distinct[0]),
        max=float(distinct[-1]),
        mean=float(values.mean()),
        std=float(values.std()),
    )


def _means(groups: IntArray, values: FloatArray, n_groups: int) -> FloatArray:
    """Return the mean of the values of each group; that of all of them where a group has none."""
    rows = np.bincount(groups, minlength=n_groups)
    sums = np.bincount(groups, values, minlength=n_groups)
    return np.where(rows > 0, sums / np.maximum(rows, 1), values.mean())


def _bins(errors: CellReference, values: FloatArray | NDArray[np.float64]) -> IntArray:
    return np.asarray(np.searchsorted(np.array(errors.edges), values, side="left"))
