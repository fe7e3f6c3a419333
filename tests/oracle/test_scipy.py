from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import spatial, stats

from otel_ml_processor.statistics.chi_squared import chi_squared_test
from otel_ml_processor.statistics.hellinger import hellinger_distance
from otel_ml_processor.statistics.hypergeometric import larger_share_p_value
from otel_ml_processor.statistics.jensen_shannon import jensen_shannon_distance
from otel_ml_processor.statistics.kolmogorov_smirnov import kolmogorov_smirnov_distance
from otel_ml_processor.statistics.kullback_leibler import kullback_leibler_divergence
from otel_ml_processor.statistics.l_infinity import l_infinity_distance
from otel_ml_processor.statistics.psi import population_stability_index
from otel_ml_processor.statistics.rank_tests import rank_location_test, rank_scale_test
from otel_ml_processor.statistics.total_variation import total_variation_distance
from otel_ml_processor.statistics.wasserstein import wasserstein_distance
from tests.data.distributions import CONTINUOUS, DISCRETE, Distribution, quantile_edges

if TYPE_CHECKING:
    from collections.abc import Callable

IntArray = NDArray[np.int64]

TABLES = [
    pytest.param(distribution, shift, id=f"{distribution} {shift}")
    for distribution in (*CONTINUOUS, *DISCRETE[:2])
    for shift in (0.0, 0.05, 1.0)
]


def table(distribution: Distribution, shift: float) -> tuple[IntArray, IntArray]:
    """Return the counts of 5000 rows of *distribution* and of 700 rows of it, shifted, on 20 cells or as many as ties leave."""
    rng = np.random.default_rng(41)
    edges = quantile_edges(distribution, 20)
    moved = distribution.shifted(shift).cell_shares(edges)
    return (
        rng.multinomial(5000, distribution.cell_shares(edges)),
        rng.multinomial(700, np.clip(moved, 0, None) / moved.sum()),
    )


def rows(counts: IntArray) -> IntArray:
    """Return the sample that *counts* came from: every row as the number of its cell."""
    return np.repeat(np.arange(len(counts)), counts)


@pytest.mark.parametrize(("distribution", "shift"), TABLES)
def test_chi_squared_is_that_of_the_contingency_table(
    distribution: Distribution, shift: float
) -> None:
    """Statistic, degrees of freedom and p-value are scipy's."""
    reference, current = table(distribution, shift)
    used = (reference + current) > 0
    theirs = stats.chi2_contingency([reference[used], current[used]], correction=False)

    ours = chi_squared_test(reference, current)

    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9)
    assert ours.degrees_of_freedom == theirs.dof
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize(("distribution", "shift"), TABLES)
def test_ks_is_that_of_the_binned_rows(distribution: Distribution, shift: float) -> None:
    """The distance of counts is scipy's distance of the rows they count."""
    reference, current = table(distribution, shift)

    theirs = stats.ks_2samp(rows(reference), rows(current), method="asymp").statistic
    assert kolmogorov_smirnov_distance(reference, current) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("distribution", "shift"), TABLES)
def test_jensen_shannon_is_the_distance_to_base_two(
    distribution: Distribution, shift: float
) -> None:
    """The distance is scipy's, to base 2."""
    reference, current = table(distribution, shift)

    theirs = spatial.distance.jensenshannon(reference, current, base=2)
    assert jensen_shannon_distance(reference, current) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(("distribution", "shift"), TABLES)
def test_distances_of_shares_are_those_of_vectors(distribution: Distribution, shift: float) -> None:
    """Total variation, L-infinity and Hellinger are scipy's metrics of the proportions and their roots; KL is its entropy."""
    reference, current = table(distribution, shift)
    p, q = reference / reference.sum(), current / current.sum()

    cityblock, chebyshev = spatial.distance.cityblock(p, q), spatial.distance.chebyshev(p, q)
    assert total_variation_distance(reference, current) == pytest.approx(cityblock / 2, abs=1e-12)
    assert l_infinity_distance(reference, current) == pytest.approx(chebyshev, abs=1e-12)
    roots = spatial.distance.euclidean(np.sqrt(p), np.sqrt(q)) / np.sqrt(2)
    assert hellinger_distance(reference, current) == pytest.approx(roots, abs=1e-12)
    entropy = stats.entropy(current + 0.5, reference + 0.5)
    assert kullback_leibler_divergence(reference, current) == pytest.approx(entropy, rel=1e-9)


@pytest.mark.parametrize(("distribution", "shift"), TABLES)
def test_wasserstein_is_that_of_the_binned_rows(distribution: Distribution, shift: float) -> None:
    """The distance of counts at positions is scipy's distance of rows that lie there."""
    reference, current = table(distribution, shift)
    positions = np.cumsum(np.random.default_rng(2).exponential(size=len(reference)))

    theirs = stats.wasserstein_distance(positions[rows(reference)], positions[rows(current)])
    ours = wasserstein_distance(reference, current, positions)
    assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(("distribution", "shift"), TABLES)
def test_psi_is_both_divergences_of_the_smoothed_shares(
    distribution: Distribution, shift: float
) -> None:
    """PSI is the sum of scipy's two Kullback-Leibler divergences of counts with half a count more in each cell."""
    reference, current = (side + 0.5 for side in table(distribution, shift))

    theirs = stats.entropy(reference, current) + stats.entropy(current, reference)
    ours = population_stability_index(*table(distribution, shift))
    assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(("distribution", "shift"), TABLES)
def test_rank_location_is_the_wilcoxon_test(distribution: Distribution, shift: float) -> None:
    """The p-value is scipy's Mann-Whitney test of the binned rows, under ties, without continuity correction."""
    reference, current = table(distribution, shift)
    theirs = stats.mannwhitneyu(
        rows(current), rows(reference), use_continuity=False, method="asymptotic"
    )

    assert rank_location_test(reference, current).p_value == pytest.approx(theirs.pvalue, rel=1e-6)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.1, 2.0])
def test_rank_scale_is_the_mood_test(factor: float) -> None:
    """Without ties z and p-value are those of scipy's test of Mood."""
    rng = np.random.default_rng(43)
    raw = rng.normal(size=400), rng.normal(size=150) * factor
    ranks = np.split(np.argsort(np.argsort(np.concatenate(raw))), [400])
    theirs = stats.mood(raw[1], raw[0])

    ours = rank_scale_test(*(np.bincount(side, minlength=550) for side in ranks))

    assert ours.z == pytest.approx(theirs.statistic, rel=1e-9)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize("test", [rank_location_test, rank_scale_test])
@pytest.mark.parametrize("distribution", [*CONTINUOUS[:1], *DISCRETE[:2]], ids=str)
def test_rank_tests_have_their_size_under_ties(
    test: Callable[..., tuple[float, float]], distribution: Distribution
) -> None:
    """Of 3000 windows without drift, 5 % have a p-value below 5 %, whatever the ties."""
    rng = np.random.default_rng(47)
    shares = distribution.cell_shares(quantile_edges(distribution, 20))
    below = sum(
        test(rng.multinomial(5000, shares), rng.multinomial(500, shares))[1] <= 0.05
        for _ in range(3000)
    )

    # Four standard deviations of a binomial share of 5 % of 3000.
    assert below / 3000 == pytest.approx(0.05, abs=0.016)


@pytest.mark.parametrize(
    "counts",
    [(0, 50_000, 2, 900), (500, 50_000, 20, 1000), (5000, 50_000, 60, 500), (3, 40, 9, 30)],
)
def test_larger_share_is_the_hypergeometric_tail(counts: tuple[int, int, int, int]) -> None:
    """The p-value is scipy's hypergeometric tail and Fisher's one-sided exact test."""
    r, n, c, m = counts

    ours = larger_share_p_value(r, n, c, m)

    assert ours == pytest.approx(stats.hypergeom.sf(c - 1, n + m, r + c, m), rel=1e-8)
    fisher = stats.fisher_exact([[c, m - c], [r, n - r]], alternative="greater").pvalue
    assert ours == pytest.approx(fisher, rel=1e-8)
