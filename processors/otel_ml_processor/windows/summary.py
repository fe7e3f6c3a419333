"""What is kept of one window: counts and integer sums, of a size that its rows do not change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.sketches.label_counts import LabelCounts
from otel_ml_processor.sketches.score_histogram import ScoreHistogram
from otel_ml_processor.sketches.slots import N_SLOTS

if TYPE_CHECKING:
    from otel_ml_conventions.attributes import MlDriftTargetValues
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference

__all__ = ["DEFAULT_LOW_CONFIDENCE", "Comparison", "Summary"]

DEFAULT_LOW_CONFIDENCE: Final = 0.7
"""Below it a confidence is low, where neither the operator nor a profile says otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """
    One target of a window beside its reference: counts of shape (n_cells + N_SLOTS,), the value cells (at least one), then the slots.

    `ordered` says that neighbouring cells hold neighbouring values (a numeric column); such a column has no unseen values.

    Raises:
        ValueError: If the shapes differ or leave no room for a value cell.
    """

    target: MlDriftTargetValues
    name: str
    ordered: bool
    reference: IntArray
    current: IntArray
    positions: FloatArray | None = None
    """Where the rows of a value cell lie, ascending, shape (n_cells,); None where that is not known."""

    def __post_init__(self) -> None:
        if self.reference.shape != self.current.shape or len(self.reference) <= N_SLOTS:
            raise ValueError(
                f"{self.target.value} {self.name!r}: expected as many counts in the window as in the reference, more than "
                f"{N_SLOTS}; got {len(self.current)} and {len(self.reference)}"
            )


class Summary:
    """
    One window of one stream: rows, counts per target of *reference*, confidence, predicted classes.

    Added in any parts and merged in any order it holds the same integers. Without a reference it keeps rows, classes and confidence.
    `low_confidence` is by default the reference's, else .7.
    """

    __slots__ = ("counts", "labels", "reference", "rows", "scores")

    def __init__(
        self, reference: Reference | None = None, low_confidence: float | None = None
    ) -> None:
        if low_confidence is None and reference is not None:
            low_confidence = reference.low_confidence
        threshold = DEFAULT_LOW_CONFIDENCE if low_confidence is None else low_confidence
        self.reference = reference
        self.rows = 0
        self.counts: IntArray = np.zeros(reference.n_counts if reference else 0, dtype=np.int64)
        self.scores = ScoreHistogram(threshold)
        self.labels = LabelCounts(reference.classes if reference else ())

    def add(self, placed: PlacedRows) -> None:
        """Count *placed*, whose places are those of the same reference; what they do not say is counted nowhere."""
        rows = placed.rows
        self.rows += len(rows)
        self.scores.add(rows.confidences, rows.entropies, rows.margins)
        self.labels.add(rows.labels)
        if self.reference is None:
            return
        nowhere = len(self.counts)
        self.counts += np.bincount(placed.places.ravel(), minlength=nowhere + 1)[:nowhere]
        if len(placed.outside_places):
            self.counts += np.bincount(placed.outside_places, minlength=nowhere)

    def merge(self, other: Summary) -> None:
        """
        Add what *other* counted.

        Raises:
            ValueError: If the two were counted against different references or thresholds.
        """
        mine, theirs = (s.reference.id if s.reference else "none" for s in (self, other))
        if mine != theirs:
            raise ValueError(
                f"one summary was counted against reference {mine}, the other against {theirs}; "
                "both must have the same"
            )
        self.scores.merge(other.scores)
        self.labels.merge(other.labels)
        self.rows += other.rows
        self.counts += other.counts

    def copy(self) -> Summary:
        """Return one that counts the same and changes no more with this one."""
        twin = Summary(self.reference, self.scores.threshold)
        twin.merge(self)
        return twin

    def score_counts(self) -> IntArray | None:
        """
        Return the rows by score bin, those for which the positive class was not predicted and those for which it was, shape (2, n_bins).

        None where no reference says what scores mean.
        """
        if self.reference is None or self.reference.scores is None:
            return None
        return self.counts[self.reference.score_place].reshape(2, -1)

    def comparisons(self) -> list[Comparison]:
        """Return every target with both counts, in the reference's order; nothing without a reference."""
        if self.reference is None:
            return []
        return [
            Comparison(
                target=target.target,
                name=target.name,
                ordered=target.ordered,
                reference=target.counts,
                current=self.counts[place],
                positions=target.positions,
            )
            for target, place in zip(self.reference.targets, self.reference.places, strict=True)
        ]
