"""Pairs of features whose correlation is watched: which, how their rows are added up, and how the reference's were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.profile import CorrelationReference
from otel_ml_processor.statistics.correlation import PairSums, rank_scores
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.profile import CellReference

CellArray = NDArray[np.int16] | NDArray[np.int64]

__all__ = ["PAIRS_PER_FEATURE", "PairReference", "correlation_of", "scored_features"]

PAIRS_PER_FEATURE: Final = 4
"""The most strongly dependent pairs are watched, at most so many times as there are features: all of up to nine."""
MAX_FEATURES: Final = 200
"""Of more numeric features no pair is watched: the product of all of them is taken for every request."""
_DIGITS: Final = 4
_FEWEST: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class PairReference:
    """
    The reference of the correlations.

    `features` are the positions of those that belong to a pair, `names` what they are called. `scores[i]` are those of the cells of the i-th of
    them. `counts` is the reference's block of sums, see `PairSums`; `spreads` are by pair.
    """

    features: IntArray
    names: tuple[str, ...]
    scores: tuple[IntArray, ...]
    sums: PairSums
    counts: IntArray
    spreads: FloatArray
    target: MlDriftTargetValues = MlDriftTargetValues.CORRELATION
    name: str = ""

    @classmethod
    def of(
        cls, correlation: CorrelationReference, features: Sequence[CellReference]
    ) -> PairReference:
        """Return the runtime form of *correlation*, of the profile with these *features*."""
        used = [features[i] for i in correlation.features]
        first, second = np.array(correlation.pairs, dtype=np.int64).T
        return cls(
            features=np.array(correlation.features),
            names=tuple(feature.name for feature in used),
            scores=tuple(rank_scores(np.array(feature.counts)) for feature in used),
            sums=PairSums(len(used), first, second),
            counts=np.array(correlation.sums, dtype=np.int64),
            spreads=np.array(correlation.spreads),
        )

    def block(self, cells: Sequence[CellArray]) -> IntArray:
        """
        Return the sums over the rows in which every one of the features has a finite value, shape (sums.size,).

        Args:
            cells: Where the rows of each of the features are counted: in [0, n_cells), else they have none.
        """
        return self.sums.of(_scored(cells, self.scores))

    def compared(self, current: IntArray, reference: IntArray | None = None) -> Comparison:
        """Return a window's block beside the reference's, or beside another one."""
        before = self.counts if reference is None else reference
        return Comparison(
            self.target, self.name, ordered=False, reference=before, current=current, pairs=self
        )

    def named(self, pair: int) -> tuple[str, str]:
        """Return the names of the two features of a pair."""
        return self.names[self.sums.first[pair]], self.names[self.sums.second[pair]]


def scored_features(features: Sequence[CellReference]) -> list[int]:
    """Return the positions of the features whose correlations can be watched: numeric, and in more than one bin; none of too many."""
    scored = [
        i
        for i, feature in enumerate(features)
        if feature.type == "numeric" and np.count_nonzero(feature.counts) > 1
    ]
    return scored if _FEWEST <= len(scored) <= MAX_FEATURES else []


def correlation_of(
    features: Sequence[CellReference], cells: Sequence[CellArray]
) -> CorrelationReference | None:
    """
    Return the correlations of the rows that *features* were counted from; None where no pair varies.

    Args:
        features: The features of the profile.
        cells: Where each row is counted, of the `scored_features`.
    """
    positions = scored_features(features)
    if not positions:
        return None
    scores = _scored(cells, [rank_scores(np.array(features[i].counts)) for i in positions])
    first, second = np.triu_indices(len(positions), k=1)
    all_pairs = PairSums(len(positions), first, second)
    correlations = all_pairs.correlations(all_pairs.of(scores))
    known = np.flatnonzero(np.isfinite(correlations))
    strongest = known[np.argsort(-np.abs(correlations[known]), kind="stable")]
    chosen = np.sort(strongest[: PAIRS_PER_FEATURE * len(positions)])
    if not len(chosen):
        return None
    # Features of no chosen pair are left out: a row without a value of theirs counts all the same.
    used, renumbered = np.unique([first[chosen], second[chosen]], return_inverse=True)
    sums = PairSums(len(used), *renumbered.reshape(2, -1))
    complete = _scored(
        [cells[i] for i in used],
        [rank_scores(np.array(features[positions[i]].counts)) for i in used],
    )
    block = sums.of(complete)
    return CorrelationReference(
        features=[positions[i] for i in used],
        pairs=list(zip(sums.first.tolist(), sums.second.tolist(), strict=True)),
        sums=block.tolist(),
        spreads=np.round(sums.spreads(block, complete), _DIGITS).tolist(),
    )


def _scored(cells: Sequence[CellArray], scores: Sequence[IntArray]) -> FloatArray:
    """Return the scores of the rows that have all of the features, shape (n_features, n_rows)."""
    complete = np.logical_and.reduce(
        [(rows >= 0) & (rows < len(of_cells)) for rows, of_cells in zip(cells, scores, strict=True)]
    )
    scored = [of[rows[complete]] for of, rows in zip(scores, cells, strict=True)]
    return np.stack(scored).astype(np.float64)
