"""
What the value cells of columns say: their tests, how large the difference is, and the scores that are wanted.

Each statistic is asked once for all columns of a kind, not once per column.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from otel_ml_conventions.attributes import (
    MlDriftMethodValues,
    MlDriftTargetValues,
    MlDriftTestValues,
)
from otel_ml_processor.assess.calibration import Statistic
from otel_ml_processor.statistics.chi_squared import ChiSquared, chi_squared_test
from otel_ml_processor.statistics.hellinger import hellinger_distance
from otel_ml_processor.statistics.jensen_shannon import jensen_shannon_distance
from otel_ml_processor.statistics.kolmogorov_smirnov import kolmogorov_smirnov_distance
from otel_ml_processor.statistics.kullback_leibler import kullback_leibler_divergence
from otel_ml_processor.statistics.l_infinity import l_infinity_distance
from otel_ml_processor.statistics.pooling import pooled
from otel_ml_processor.statistics.psi import debiased_psi, population_stability_index
from otel_ml_processor.statistics.rank_tests import rank_location_test, rank_scale_test
from otel_ml_processor.statistics.total_variation import total_variation_distance
from otel_ml_processor.statistics.wasserstein import interquartile_range, wasserstein_distance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from otel_ml_processor.assess.reading import PairReading
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.windows.summary import Comparison

__all__ = ["ValueStatistics", "pair_statistics", "value_statistics"]

_CHI_SQUARED: Final = MlDriftMethodValues.CHI_SQUARED.value
_KOLMOGOROV_SMIRNOV: Final = MlDriftMethodValues.KOLMOGOROV_SMIRNOV.value
_WASSERSTEIN: Final = MlDriftMethodValues.WASSERSTEIN.value
_WASSERSTEIN_IQR: Final = MlDriftMethodValues.WASSERSTEIN_IQR.value
_RANK_LOCATION: Final = MlDriftTestValues.RANK_LOCATION.value
_RANK_SCALE: Final = MlDriftTestValues.RANK_SCALE.value
_RANK_CORRELATION: Final = MlDriftMethodValues.RANK_CORRELATION.value
_PCA_RECONSTRUCTION: Final = MlDriftMethodValues.PCA_RECONSTRUCTION.value

_DISTANCES: Final[Mapping[str, Callable[[IntArray, IntArray], FloatArray]]] = {
    MlDriftMethodValues.PSI.value: population_stability_index,
    MlDriftMethodValues.JENSEN_SHANNON.value: jensen_shannon_distance,
    MlDriftMethodValues.HELLINGER.value: hellinger_distance,
    MlDriftMethodValues.KULLBACK_LEIBLER.value: kullback_leibler_divergence,
    MlDriftMethodValues.TOTAL_VARIATION.value: total_variation_distance,
    MlDriftMethodValues.L_INFINITY.value: l_infinity_distance,
}
"""Scores of any column's value cells; the others need an order, positions, or pooled cells."""


@dataclass(frozen=True, slots=True)
class ValueStatistics:
    """What the value cells of a column say: nothing where a side has no value that can be compared."""

    effect: float = 0.0
    """Debiased PSI, >= 0."""
    tests: dict[str, Statistic] = field(default_factory=dict)
    """By driver, see `ml.drift.test`: those that can be run."""
    scores: dict[str, float] = field(default_factory=dict)
    """By `ml.drift.method`: those that are wanted and that the column has."""


def value_statistics(
    comparisons: Sequence[Comparison], cells: IntArray, wanted: Collection[str]
) -> list[ValueStatistics]:
    """
    Return what the value cells of each column say; nothing of pairs of features, which have none.

    Args:
        comparisons: The columns.
        cells: Their counts of reference and window, shape (2, n_columns, n_cells), as `side_by_side` has them.
        wanted: Names of the scores to compute.
    """
    found = [ValueStatistics() for _ in comparisons]
    can_compare = (cells.sum(axis=-1) > 0).all(axis=0).tolist()
    for ordered in (True, False):
        members = [
            i
            for i, comparison in enumerate(comparisons)
            if can_compare[i] and comparison.ordered is ordered and comparison.pairs is None
        ]
        if members:
            of_members = [comparisons[i] for i in members]
            said = _said(of_members, cells[:, members], wanted, ordered=ordered)
            for i, values in zip(members, said, strict=True):
                found[i] = values
    return found


def _said(
    comparisons: Sequence[Comparison], cells: IntArray, wanted: Collection[str], *, ordered: bool
) -> list[ValueStatistics]:
    """Return what columns say that have values on both sides, the cells of all of which are *ordered*, or of none."""
    reference, current = cells
    enough = pooled(reference, current, ordered=ordered)
    spread = chi_squared_test(*enough)
    tests = _spread_tests(spread)
    scores = {
        name: measure(reference, current) for name, measure in _DISTANCES.items() if name in wanted
    }
    if _CHI_SQUARED in wanted:
        scores[_CHI_SQUARED] = spread.statistic
    if ordered:
        _add_rank_tests(tests, enough, comparisons)
        scores |= _scores_of_order(comparisons, reference, current, wanted)
    by_column = np.reshape([*scores.values()], (len(scores), len(comparisons))).T.tolist()
    return [
        ValueStatistics(
            effect,
            of_column,
            {n: v for n, v in zip(scores, numbers, strict=True) if not math.isnan(v)},
        )
        for effect, of_column, numbers in zip(
            debiased_psi(reference, current).tolist(), tests, by_column, strict=True
        )
    ]


def pair_statistics(pair: PairReading) -> ValueStatistics:
    """Return what the pair of features says whose correlation changed most."""
    tests = {_RANK_CORRELATION: Statistic.two_sided(pair.p_value)}
    return ValueStatistics(pair.effect, tests, {_RANK_CORRELATION: abs(pair.after - pair.before)})


def _spread_tests(spread: ChiSquared) -> list[dict[str, Statistic]]:
    """
    Return the chi-squared test of each column; none where one cell is left, which cannot change.

    Which tests can be run follows from both sides together, so leaving the others out of the count keeps the promise.
    """
    return [
        {_CHI_SQUARED: Statistic(p_value, statistic / degrees, degrees)} if degrees else {}
        for statistic, degrees, p_value in zip(*(said.tolist() for said in spread), strict=True)
    ]


def _add_rank_tests(
    tests: Sequence[dict[str, Statistic]],
    cells: tuple[IntArray, IntArray],
    comparisons: Sequence[Comparison],
) -> None:
    """
    Add the tests of location and scale to those of each column that has more than two cells: of two, chi-squared already is that of location.

    Expected errors are tested by whether they lie higher alone: a model that is expected to be better than it was is no alarm.
    """
    location, scale = rank_location_test(*cells), rank_scale_test(*cells)
    found = zip(*(said.tolist() for said in (*location, *scale)), strict=True)
    for comparison, of_column, (z, p_value, z_scale, p_scale) in zip(
        comparisons, tests, found, strict=True
    ):
        if comparison.target is MlDriftTargetValues.PERFORMANCE:
            of_column.clear()
            of_column[_RANK_LOCATION] = Statistic.one_sided(float(special.ndtr(-z)))
        elif of_column and of_column[_CHI_SQUARED].degrees > 1:
            of_column[_RANK_LOCATION] = Statistic(p_value, z**2)
            of_column[_RANK_SCALE] = Statistic(p_scale, z_scale**2)


def _scores_of_order(
    comparisons: Sequence[Comparison],
    reference: IntArray,
    current: IntArray,
    wanted: Collection[str],
) -> dict[str, FloatArray]:
    """Return the scores of ordered cells, shape (n_columns,): NaN where a column has none, since nobody knows where its rows lie."""
    scores: dict[str, FloatArray] = {}
    if _KOLMOGOROV_SMIRNOV in wanted:
        scores[_KOLMOGOROV_SMIRNOV] = kolmogorov_smirnov_distance(reference, current)
    positions = _positions(comparisons, current.shape[-1])
    is_error = [c.target is MlDriftTargetValues.MULTIVARIATE for c in comparisons]
    if any(is_error):
        mean = (current * positions).sum(axis=-1) / current.sum(axis=-1)
        scores[_PCA_RECONSTRUCTION] = np.where(is_error, mean, np.nan)
    if not {_WASSERSTEIN, _WASSERSTEIN_IQR}.isdisjoint(wanted):
        carried = wasserstein_distance(reference, current, positions)
        width = interquartile_range(reference, positions)
        in_iqr = carried / np.where((width > 0) & (width < np.inf), width, np.nan)
        both = {_WASSERSTEIN: carried, _WASSERSTEIN_IQR: in_iqr}
        scores |= {name: values for name, values in both.items() if name in wanted}
    return scores


def _positions(comparisons: Sequence[Comparison], n_cells: int) -> FloatArray:
    """Return where the rows of each cell lie, shape (n_columns, n_cells): 0 of cells that a column lacks, NaN where it is not known."""
    positions = np.zeros((len(comparisons), n_cells))
    for of_column, comparison in zip(positions, comparisons, strict=True):
        if comparison.positions is None:
            of_column[:] = np.nan
        else:
            of_column[-len(comparison.positions) :] = comparison.positions
    return positions
