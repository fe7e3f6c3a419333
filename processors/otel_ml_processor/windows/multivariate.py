"""All features of a row together, as a point: how far it lies off the directions in which the reference varies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.profile import CellReference, PrincipalComponents
from otel_ml_processor.sketches.reference_edges import reference_edges
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from otel_ml_processor.statistics.pca import SecondMoments, reconstruction_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from otel_ml_processor.columns import FloatArray, IntArray

__all__ = ["MAX_FEATURES", "Multivariate", "fitted_components"]

MAX_FEATURES: Final = 200
"""Of more features no components are kept: X'X, the file and the time per row grow with the square of their number."""
_FEWEST_FEATURES: Final = 3
"""With two of them, whose correlation is watched anyway, an error has nothing to add."""
_FURTHEST: Final = 1e6
"""Standard deviations: what lies further off is not further off, so that no square of it is infinite."""
_COMMON: Final = 0.999
"""Share of the reference's rows that is not out of distribution."""
_FENCE: Final = 1e-6
"""Relative distance from the largest error of the reference to what is out of distribution, where no row of it is."""
_FOLDS: Final = 10
_RUNS: Final = 100
"""Into how many runs of neighbours a tenth is scattered."""
_PART: Final = 16_384
"""Rows that are points at the same time."""
_DIGITS: Final = 5
"""Decimals of a component in the file: it is of length 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Multivariate:
    """
    Rows as points, and their distance from the space of the components.

    `used` are the positions of the features that take part; of these are `means` and `stds`, shape (width,), `components`, shape
    (n, width), and `values`: of a category the number that each of its cells and slots stands for, of numbers None. `edges` are those of
    the bins of the errors, what is beyond the last is out of distribution.
    """

    used: IntArray
    means: FloatArray
    stds: FloatArray
    components: FloatArray
    values: tuple[FloatArray | None, ...]
    edges: FloatArray

    @classmethod
    def of(cls, pca: PrincipalComponents, features: Sequence[CellReference]) -> Multivariate:
        """Return the runtime form of *pca*, of the profile with these *features*."""
        stds = np.array(pca.std)
        used = np.flatnonzero(stds > 0)
        components = np.array(pca.components).reshape(-1, len(stds))[:, used]
        values = tuple(_category_values(features[i]) for i in used.tolist())
        edges = np.array(pca.errors.edges)
        return cls(used, np.array(pca.mean)[used], stds[used], components, values, edges)

    def points(
        self, numbers_of: Callable[[int], FloatArray], cells_of: Callable[[int], IntArray]
    ) -> FloatArray:
        """
        Return rows as points, shape (n_rows, width), finite: in standard deviations from the mean, 0 where there is no finite value.

        Args:
            numbers_of: Gives the numbers of a numeric feature by its position, shape (n_rows,).
            cells_of: Gives the cells or slots of a categorical one, -1 for none.
        """
        columns = [
            numbers_of(i) if values is None else values[cells_of(i)]
            for i, values in zip(self.used.tolist(), self.values, strict=True)
        ]
        points = np.stack(columns)
        with np.errstate(over="ignore"):  # of numbers near the largest there is
            points -= self.means[:, np.newaxis]
            points /= self.stds[:, np.newaxis]
        # In the common case every value is finite and near: two passes say so, as NaN is neither.
        if points.size and not (points.min() >= -_FURTHEST and points.max() <= _FURTHEST):
            points[~np.isfinite(points)] = 0.0
            np.clip(points, -_FURTHEST, _FURTHEST, out=points)
        return np.asarray(points.T)

    def errors(self, points: FloatArray) -> FloatArray:
        """Return the reconstruction error of each of *points*, shape (n_rows,), finite and >= 0."""
        return reconstruction_errors(points, self.components)

    def cells(self, errors: FloatArray) -> IntArray:
        """Return the bin of each of *errors*, in [0, len(edges)]; the last is out of distribution."""
        return np.asarray(self.edges.searchsorted(errors, side="left"))


def fitted_components(
    features: Sequence[CellReference],
    n_rows: int,
    points_of: Callable[[Multivariate, slice], FloatArray],
) -> tuple[PrincipalComponents, FloatArray] | None:
    """
    Return the components of the rows that *features* were counted from, and the error of each row.

    A row's error is its distance from components that were fitted without it and its neighbours: from those that it had a part in it would
    be nearer than rows to come, which would then all seem to have drifted. What is left out at a time is a tenth, in short runs from all over
    the table: without a whole tenth of the time the rest would know nothing of that time, and every row of it would seem too far.

    None where fewer than three features vary, where there are more than `MAX_FEATURES`, or where nothing is left of a row without its part
    along the components.

    Args:
        features: The features of the profile.
        n_rows: How many rows there are.
        points_of: Gives some of them as points; see `Multivariate.points`.

    References:
        Stone, M. (1974). Cross-validatory choice and assessment of statistical predictions. J. R. Stat. Soc. B 36.
    """
    means, stds = np.array([_moments(feature) for feature in features]).reshape(-1, 2).T
    used = np.flatnonzero(stds)
    if not _FEWEST_FEATURES <= len(used) <= MAX_FEATURES:
        return None
    values = tuple(_category_values(features[i]) for i in used.tolist())
    none = np.zeros((0, len(used)))
    bare = Multivariate(used, means[used], stds[used], none, values, np.zeros(0))
    folds = [SecondMoments(len(used)) for _ in range(_FOLDS)]
    for rows in _parts(n_rows):
        points, fold_of = points_of(bare, rows), _fold_of(rows, n_rows)
        for number, fold in enumerate(folds):
            fold.add(points[fold_of == number])
    whole = SecondMoments.joined(folds)
    n = whole.n_components()
    fitted = [whole.without(fold).components(n) for fold in folds]
    errors = np.empty(n_rows)
    for rows in _parts(n_rows):
        points, fold_of = points_of(bare, rows), _fold_of(rows, n_rows)
        for number, components_without in enumerate(fitted):
            is_left_out = fold_of == number
            errors[rows][is_left_out] = reconstruction_errors(
                points[is_left_out], components_without
            )
    if not errors.max(initial=0.0) > _FENCE:
        return None
    components = np.zeros((n, len(features)))
    components[:, used] = np.round(whole.components(n), _DIGITS)
    pca = PrincipalComponents(
        mean=means.tolist(),
        std=stds.tolist(),
        components=components.tolist(),
        errors=_binned(errors),
    )
    return pca, errors


def _parts(n_rows: int) -> Iterator[slice]:
    """Yield the place of some rows at a time, all rows in their order."""
    for begin in range(0, n_rows, _PART):
        yield slice(begin, min(begin + _PART, n_rows))


def _fold_of(rows: slice, n_rows: int) -> IntArray:
    """Return in which tenth each of *rows* is left out."""
    run = max(1, n_rows // (_FOLDS * _RUNS))
    return np.asarray(np.arange(rows.start, rows.stop) // run % _FOLDS)


def _category_values(feature: CellReference) -> FloatArray | None:
    """
    Return the number that each cell and slot of a category stands for, and last that of none; None of a numeric feature.

    Its share of the reference's rows: a known name without a cell of its own has the mean share of all of them, an unseen one none.
    """
    if feature.type == "numeric":
        return None
    values = np.full(len(feature.counts) + N_SLOTS + 1, np.nan)
    rows = max(sum(feature.counts), 1)
    values[: len(feature.counts)] = np.array(feature.counts) / rows
    values[len(feature.counts) - 1] /= max(len(feature.other_known), 1)
    values[len(feature.counts) + Slot.UNSEEN] = 0.0
    return values


def _moments(feature: CellReference) -> tuple[float, float]:
    """Return mean and standard deviation of a feature where missing values are the mean; no deviation where it does not vary."""
    present = sum(feature.counts)
    rows = present + feature.missing + feature.non_finite + feature.unseen + feature.type_error
    values = _category_values(feature)
    if values is None:
        mean, std = feature.mean, feature.std
        if mean is None or std is None or not _varies(mean, std):
            return 0.0, 0.0
        return mean, std * float(np.sqrt(present / rows))
    shares = np.array(feature.counts) / max(present, 1)
    known = values[: len(shares)]
    mean = float(shares @ known)
    std = float(np.sqrt(shares @ (known - mean) ** 2 * present / max(rows, 1)))
    return (mean, std) if _varies(mean, std) else (0.0, 0.0)


def _varies(mean: float, std: float) -> bool:
    """Whether a standard deviation is more than what rounding leaves of a constant."""
    return std > abs(mean) * 1e-12


def _binned(errors: FloatArray) -> CellReference:
    distinct, repeats = np.unique(errors, return_counts=True)
    threshold = _threshold(distinct, repeats)
    inner = reference_edges(distinct, repeats)
    edges = np.append(inner[inner < threshold], threshold)
    starts = np.searchsorted(distinct, edges, side="right")
    counts = [int(part.sum()) for part in np.split(repeats, starts)]
    sums = [float(part.sum()) for part in np.split(distinct * repeats, starts)]
    below = np.append(edges[:1], edges)  # where an empty bin begins
    means = [s / n if n else float(e) for s, n, e in zip(sums, counts, below, strict=True)]
    return CellReference(
        name="",
        type="numeric",
        counts=counts,
        edges=edges.tolist(),
        bin_means=means,
        min=0.0,
        mean=float(errors.mean()),
        std=float(errors.std()),
    )


def _threshold(distinct: FloatArray, repeats: IntArray) -> float:
    """Return what at most one row in a thousand is above: midway to the next error, so that rounding in the producer moves no row."""
    rows = np.cumsum(repeats)
    last = int(np.searchsorted(rows, np.ceil(_COMMON * rows[-1])))
    if last + 1 < len(distinct):
        return float((distinct[last] + distinct[last + 1]) / 2)
    return float(distinct[last] * (1 + _FENCE))
