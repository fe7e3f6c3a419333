"""What is kept of one window: counts and integer sums, of a size that its rows do not change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.sketches.label_counts import LabelCounts
from otel_ml_processor.sketches.score_histogram import ScoreHistogram
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.windows.call_ranges import CallRanges
from otel_ml_processor.windows.divided import UNDIVIDED, Divided
from otel_ml_processor.windows.quality import Quality, invalid_predictions
from otel_ml_processor.windows.seasons import hours_of

if TYPE_CHECKING:
    from otel_ml_conventions.attributes import MlDriftTargetValues
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.windows.divided import Divisions
    from otel_ml_processor.windows.pairs import PairReference
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
    pairs: PairReference | None = None
    """Of the target `correlation`, whose counts are the sums of `PairSums` instead; None of all others."""

    def __post_init__(self) -> None:
        least = N_SLOTS + 1 if self.pairs is None else self.pairs.sums.size
        if self.reference.shape != self.current.shape or len(self.reference) < least:
            raise ValueError(
                f"{self.target.value} {self.name!r}: expected as many counts in the window as in the reference, at least "
                f"{least}; got {len(self.current)} and {len(self.reference)}"
            )


class Summary:
    """
    One window of one stream: rows, counts per target of *reference*, confidence, predicted classes, rows by hour of its season, which calls came, and how good the data are.

    Added in any parts and merged in any order it holds the same integers. Without a reference it keeps rows, classes and confidence.
    `low_confidence` is by default the reference's, else .7; *divisions* say by what rows are counted apart besides.
    """

    __slots__ = (
        "calls",
        "counts",
        "divided",
        "divisions",
        "hours",
        "labels",
        "quality",
        "reference",
        "rows",
        "scores",
    )

    def __init__(
        self,
        reference: Reference | None = None,
        low_confidence: float | None = None,
        divisions: Divisions = UNDIVIDED,
    ) -> None:
        if low_confidence is None and reference is not None:
            low_confidence = reference.low_confidence
        threshold = DEFAULT_LOW_CONFIDENCE if low_confidence is None else low_confidence
        self.reference = reference
        self.rows = 0
        self.counts: IntArray = np.zeros(reference.n_counts if reference else 0, dtype=np.int64)
        season = reference.season if reference else None
        self.hours: IntArray = np.zeros(season.n_hours if season else 0, dtype=np.int64)
        self.scores = ScoreHistogram(threshold)
        self.calls = CallRanges()
        self.quality = Quality(reference)
        self.labels = LabelCounts(reference.classes if reference else ())
        self.divisions = divisions
        self.divided = Divided(divisions, reference, threshold)

    def add(self, placed: PlacedRows) -> None:
        """Count *placed*, whose places are those of the same reference; what they do not say is counted nowhere."""
        rows = placed.rows
        self.rows += len(rows)
        self.scores.add(rows.confidences, rows.entropies, rows.margins)
        self.labels.add(rows.labels)
        self.calls.add(rows, self.scores.threshold)
        self.quality.add(placed)
        self.divided.add(placed)
        if self.reference is None:
            return
        nowhere = len(self.counts)
        self.counts += np.bincount(placed.places.ravel(), minlength=nowhere + 1)[:nowhere]
        if len(placed.outside_places):
            self.counts += np.bincount(placed.outside_places, minlength=nowhere)
        if self.reference.pairs is not None:
            scores = _pair_scores(self.reference)[placed.places[self.reference.pairs.features]]
            self.counts[self.reference.pair_place] += self.reference.pairs.sums.of(scores)
        if self.reference.season is not None:
            hours = hours_of(self.reference.season.season, rows.end_times_ns)
            self.hours += np.bincount(hours, minlength=len(self.hours))

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
        self.calls.merge(other.calls)
        self.quality.merge(other.quality)
        self.divided.merge(other.divided)
        self.rows += other.rows
        self.counts += other.counts
        self.hours += other.hours

    def copy(self) -> Summary:
        """Return one that counts the same and changes no more with this one."""
        twin = Summary(self.reference, self.scores.threshold, self.divisions)
        twin.merge(self)
        return twin

    def rest(self) -> None:
        """Hold the same in as few bytes as it needs; from now on it is only copied, and merged into others."""
        self.counts, self.hours = _narrow(self.counts), _narrow(self.hours)
        self.scores.counts = _narrow(self.scores.counts)

    @property
    def is_at_rest(self) -> bool:
        """Whether it has been laid to `rest`."""
        return self.scores.counts.dtype != np.int64

    def score_counts(self) -> IntArray | None:
        """
        Return the rows by score bin, those for which the positive class was not predicted and those for which it was, shape (2, n_bins).

        None where no reference says what scores mean.
        """
        if self.reference is None or self.reference.scores is None:
            return None
        return self.counts[self.reference.score_place].reshape(2, -1)

    def class_counts(self) -> list[IntArray]:
        """Return, by class, the rows by bin of its probability, as `score_counts` has them; nothing where no reference says what these mean."""
        reference = self.reference
        if reference is None or reference.class_scores is None:
            return []
        return reference.class_scores.split(self.counts[reference.class_place])

    def expected_counts(self) -> IntArray | None:
        """Return the rows by bin of their expected error, shape (n_bins,); None where no reference knows what to expect."""
        at = None if self.reference is None else self.reference.expected_at
        if self.reference is None or at is None:
            return None
        return self.counts[self.reference.places[at]][:-N_SLOTS]

    @property
    def ood(self) -> int:
        """Rows that are out of distribution; 0 where no reference knows what that is."""
        at = None if self.reference is None else self.reference.ood_at
        return 0 if at is None else int(self.counts[at])

    def invalid(self) -> dict[str, int]:
        """Return the predictions that break a rule for outputs, by `ml.validation.rule`."""
        return invalid_predictions(self.quality, self.counts, self.reference)

    def comparisons(self) -> list[Comparison]:
        """
        Return every target with both counts, in the reference's order; nothing without a reference.

        Where that knows of a season its counts are those of the hours that the window's rows are of; see `SeasonalReference.mixed`.
        """
        if self.reference is None:
            return []
        compared = [
            Comparison(
                target=target.target,
                name=target.name,
                ordered=target.ordered,
                reference=before,
                current=self.counts[place],
                positions=target.positions,
            )
            for target, place, before in zip(
                self.reference.targets,
                self.reference.places,
                self._before(self.reference),
                strict=True,
            )
        ]
        return compared + self._pairs(self.reference)

    def _pairs(self, reference: Reference) -> list[Comparison]:
        if reference.pairs is None:
            return []
        return [reference.pairs.compared(self.counts[reference.pair_place])]

    def _before(self, reference: Reference) -> list[IntArray]:
        """Return what each target is compared with."""
        if reference.season is not None and self.hours.any():
            return reference.season.mixed(self.hours, reference.places)
        return [target.counts for target in reference.targets]


def _narrow(counts: IntArray) -> IntArray:
    """Return *counts* in the narrowest integers that hold them, unsigned where none is negative."""
    least, most = int(counts.min(initial=0)), int(counts.max(initial=0))
    wanted = np.promote_types(np.min_scalar_type(least), np.min_scalar_type(most))
    if wanted.itemsize == counts.itemsize:
        return counts
    narrow: IntArray = counts.astype(wanted)  # integers all the same; adding to them is an error
    return narrow


@lru_cache(maxsize=1024)
def _pair_scores(reference: Reference) -> FloatArray:
    """Return the score of every position of the counts, NaN of those that are no bin of a feature whose correlations are watched."""
    scores = np.full(reference.n_counts + 1, np.nan)
    if reference.pairs is not None:
        for i, of_cells in zip(reference.pairs.features, reference.pairs.scores, strict=True):
            start = reference.places[i].start
            scores[start : start + len(of_cells)] = of_cells
    return scores
