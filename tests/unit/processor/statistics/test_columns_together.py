"""Counts of several columns, one row each: every column is told what it would be told by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from otel_ml_processor.statistics.chi_squared import chi_squared_test
from otel_ml_processor.statistics.counts import sample_sizes
from otel_ml_processor.statistics.evidence import location_score
from otel_ml_processor.statistics.hellinger import hellinger_distance
from otel_ml_processor.statistics.hypergeometric import larger_share_p_value
from otel_ml_processor.statistics.jensen_shannon import jensen_shannon_distance
from otel_ml_processor.statistics.kolmogorov_smirnov import kolmogorov_smirnov_distance
from otel_ml_processor.statistics.kullback_leibler import kullback_leibler_divergence
from otel_ml_processor.statistics.l_infinity import l_infinity_distance
from otel_ml_processor.statistics.psi import debiased_psi, population_stability_index
from otel_ml_processor.statistics.rank_tests import rank_location_test, rank_scale_test
from otel_ml_processor.statistics.total_variation import total_variation_distance
from otel_ml_processor.statistics.wasserstein import interquartile_range, wasserstein_distance

if TYPE_CHECKING:
    from collections.abc import Callable

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Column = tuple[IntArray, IntArray]

STATISTICS = [
    chi_squared_test,
    debiased_psi,
    hellinger_distance,
    jensen_shannon_distance,
    kolmogorov_smirnov_distance,
    kullback_leibler_divergence,
    l_infinity_distance,
    location_score,
    population_stability_index,
    rank_location_test,
    rank_scale_test,
    total_variation_distance,
]


def columns() -> list[Column]:
    """Return columns of one to thirty cells: even and uneven ones, with few rows and with many, with cells that one side or both leave empty."""
    rng = np.random.default_rng(61)
    found = []
    for n_cells in range(1, 31):
        for evenness in (0.05, 0.5, 50.0):
            shares = rng.dirichlet(np.full(n_cells, evenness))
            n, m = rng.choice([1, 40, 5000], size=2)
            found.append((rng.multinomial(n, shares), rng.multinomial(m, shares[::-1])))
    return found


def together(sides: list[Column]) -> Column:
    """Return both sides of all, shape (n_columns, 30), with empty cells in front of those that have fewer."""
    reference, current = (
        np.stack([np.pad(counts, (30 - len(counts), 0)) for counts in side])
        for side in zip(*sides, strict=True)
    )
    return reference, current


@pytest.mark.parametrize("statistic", STATISTICS)
def test_columns_are_told_what_each_is_told_by_itself(
    statistic: Callable[[IntArray, IntArray], FloatArray | tuple[FloatArray, ...]],
) -> None:
    """Ninety columns at once, or one after the other without the cells that fill them up: the same to eleven digits."""
    one_by_one = np.array([statistic(*column) for column in columns()])

    found = np.stack(np.atleast_2d(statistic(*together(columns()))), axis=-1)

    assert found == pytest.approx(one_by_one.reshape(found.shape), rel=1e-11, abs=1e-11)


def test_positions_are_those_of_each_column() -> None:
    """Distances in the unit of a feature, and its quartiles, know where its own cells lie."""
    rng = np.random.default_rng(67)
    positions = [np.cumsum(rng.exponential(size=len(counts))) for counts, _ in columns()]
    side_by_side = np.stack([np.pad(p, (30 - len(p), 0)) for p in positions])
    reference, current = together(columns())

    distances = wasserstein_distance(reference, current, side_by_side)
    widths = interquartile_range(reference, side_by_side)

    alone = zip(columns(), positions, strict=True)
    rows = [(np.repeat(p, r), np.repeat(p, c), p) for (r, c), p in alone]
    theirs = [stats.wasserstein_distance(before, now) for before, now, _ in rows]
    assert distances == pytest.approx(np.array(theirs), rel=1e-9, abs=1e-12)
    quartiles = [
        np.subtract(*np.quantile(before, (0.75, 0.25), method="inverted_cdf"))
        for before, *_ in rows
    ]
    assert widths == pytest.approx(np.array(quartiles), rel=1e-12)


def test_shares_are_those_of_each_column() -> None:
    """Two hundred tables of very different size at once: the tails are scipy's, and 1 where there is nothing to test."""
    rng = np.random.default_rng(71)
    rows, others = rng.integers(1, 10_000, 200), rng.integers(1, 3000, 200)
    hits = rng.binomial(rows, rng.choice([0.0, 0.01, 0.3, 1.0], 200))
    other_hits = rng.binomial(others, rng.choice([0.0, 0.02, 0.3, 1.0], 200))

    found = larger_share_p_value(hits, rows, other_hits, others)

    tails = stats.hypergeom.sf(other_hits - 1, rows + others, hits + other_hits, others)
    assert found == pytest.approx(tails, rel=1e-8, abs=1e-300)
    assert (found[other_hits == 0] == 1).all()


def test_no_column_has_no_statistic() -> None:
    """Nothing asked of nothing is nothing, not an error."""
    nothing = np.zeros((0, 20), dtype=np.int64)

    assert population_stability_index(nothing, nothing).shape == (0,)
    assert chi_squared_test(nothing, nothing).p_value.shape == (0,)
    assert larger_share_p_value(*np.zeros((4, 0), dtype=np.int64)).shape == (0,)


def test_the_column_that_cannot_be_compared_is_told() -> None:
    """One empty side among many, a negative count, another number of columns: told with its own numbers."""
    reference = np.array([[1, 2], [0, 0], [3, 4]])

    with pytest.raises(ValueError, match="reference has 0 samples and current has 9"):
        sample_sizes(reference, np.array([[1, 1], [4, 5], [1, 1]]))
    with pytest.raises(ValueError, match="expected counts >= 0, got -2"):
        sample_sizes(reference + 1, np.array([[1, 1], [4, -2], [1, 1]]))
    with pytest.raises(ValueError, match="reference has 3 x 2 bins but current has 2 x 2"):
        sample_sizes(reference, reference[:2])
    with pytest.raises(ValueError, match="expected 0 to 4 hits among 4 rows, got 5"):
        larger_share_p_value(np.array([1, 5]), np.array([4, 4]), np.array([1, 1]), 9)
