"""The columns of a table taken together: the components of its rows, and which features depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from otel_ml_processor.assess.self_test import TargetWindows
from otel_ml_processor.commands.self_tests import AssignedTarget
from otel_ml_processor.commands.table_columns import value_column
from otel_ml_processor.windows.multivariate import Multivariate, fitted_components
from otel_ml_processor.windows.pairs import PairReference, correlation_of, scored_features
from otel_ml_processor.windows.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from otel_ml_processor.columns import FloatArray
    from otel_ml_processor.commands.self_tests import Division
    from otel_ml_processor.profile import Profile

__all__ = ["AssignedPairs", "with_components", "with_pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class AssignedPairs:
    """The pairs of the reference, and the cell of every row for each of their features (-1: none), each of shape (n_rows,)."""

    target: PairReference
    features: Sequence[NDArray[np.int16]]

    @property
    def cells(self) -> NDArray[np.int16]:
        """Those of the first feature: as many as there are rows."""
        return self.features[0]

    def in_windows(self, division: Division) -> TargetWindows:
        """Return the sums per window."""
        order = np.argsort(division.windows, kind="stable")
        starts = np.searchsorted(division.windows[order], np.arange(division.n_windows + 1))
        rows = [order[a:b] for a, b in pairwise(starts.tolist())]
        blocks = [self.target.block([cells[of] for cells in self.features]) for of in rows]
        return TargetWindows(
            target=self.target.target,
            name=self.target.name,
            ordered=False,
            counts=np.stack(blocks),
            pairs=self.target,
        )


def with_components(
    profile: Profile, table: pa.Table, targets: Sequence[AssignedTarget]
) -> tuple[Profile, list[AssignedTarget]]:
    """
    Return *profile* with the components of its *table*, and the errors of the rows as a further target; as it is where there are none.

    Twice through the table, part by part: for the components, then for the errors.
    """

    def points_of(multivariate: Multivariate, rows: slice) -> FloatArray:
        part = table.slice(rows.start, rows.stop - rows.start)
        return multivariate.points(
            lambda i: value_column(part, profile.features[i].name).numbers,
            lambda i: targets[i].cells[rows].astype(np.int64),
        )

    fitted = fitted_components(profile.features, table.num_rows, points_of)
    if fitted is None:
        return profile, []
    pca, errors = fitted
    known = msgspec.structs.replace(profile, pca=pca)
    cells = Multivariate.of(pca, profile.features).cells(errors).astype(np.int16)
    return known, [AssignedTarget(Reference.of(known).targets[-1], cells, targets[0].hours)]


def with_pairs(
    profile: Profile, targets: Sequence[AssignedTarget]
) -> tuple[Profile, list[AssignedPairs]]:
    """Return *profile* with the correlations of the rows of *targets*, and these as a further target; as it is where there are none."""
    scored = scored_features(profile.features)
    correlation = correlation_of(profile.features, [targets[i].cells for i in scored])
    if correlation is None:
        return profile, []
    known = msgspec.structs.replace(profile, correlation=correlation)
    cells = [targets[i].cells for i in correlation.features]
    return known, [AssignedPairs(PairReference.of(correlation, profile.features), cells)]
