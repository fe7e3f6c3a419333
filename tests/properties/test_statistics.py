from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess.drift import assess_drift, family_p_values
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from otel_ml_processor.statistics.chi_squared import chi_squared_test
from otel_ml_processor.statistics.holm import holm_adjusted
from otel_ml_processor.statistics.hypergeometric import larger_share_p_value
from otel_ml_processor.statistics.jensen_shannon import jensen_shannon_distance
from otel_ml_processor.statistics.kolmogorov_smirnov import kolmogorov_smirnov_distance
from otel_ml_processor.statistics.pooling import MIN_EXPECTED, pooled
from otel_ml_processor.statistics.psi import debiased_psi, population_stability_index
from otel_ml_processor.statistics.rank_tests import rank_location_test, rank_scale_test
from tests.data.comparisons import compared
from tests.data.distributions import CONTINUOUS, DISCRETE, Distribution, quantile_edges

IntArray = NDArray[np.int64]
Pair = tuple[IntArray, IntArray]

ROUNDING = 1e-9


@st.composite
def pairs(draw: st.DrawFn, least_cells: int = 1, most_rows: int = 10**6) -> Pair:
    """Draw the counts of two samples on the same cells, each with at least one row, often with empty cells."""
    n_cells = draw(st.integers(least_cells, 12))
    counts = st.lists(
        st.one_of(st.just(0), st.integers(0, 20), st.integers(0, most_rows)),
        min_size=n_cells,
        max_size=n_cells,
    ).filter(any)
    return np.array(draw(counts), dtype=np.int64), np.array(draw(counts), dtype=np.int64)


@given(pairs())
def test_divergences_are_symmetric_and_not_negative(counts: Pair) -> None:
    """It does not matter which of two samples is called the reference."""
    left, right = counts

    for divergence in (population_stability_index, jensen_shannon_distance):
        assert divergence(left, right) >= 0
        assert divergence(left, right) == pytest.approx(divergence(right, left), abs=ROUNDING)


@given(pairs(), st.integers(2, 50))
def test_equal_proportions_are_no_difference(counts: Pair, times: int) -> None:
    """Equal counts have PSI 0; equal proportions have every statistic at 0 (PSI without pseudo-counts)."""
    sample, _ = counts
    more = sample * times

    assert population_stability_index(sample, sample) == 0
    assert population_stability_index(sample, more, 0) == pytest.approx(0, abs=ROUNDING)
    assert jensen_shannon_distance(sample, more) == pytest.approx(0, abs=1e-6)
    assert kolmogorov_smirnov_distance(sample, more) == pytest.approx(0, abs=ROUNDING)
    assert chi_squared_test(sample, more).statistic == pytest.approx(0, abs=1e-6)


@given(pairs(least_cells=2, most_rows=20))
def test_without_pseudo_counts_only_equal_proportions_have_no_psi(counts: Pair) -> None:
    """Where proportions differ the unsmoothed PSI is above 0."""
    left, right = counts
    proportional = np.array_equal(left * right.sum(), right * left.sum())

    assert (population_stability_index(left, right, 0) < 1e-12) == proportional


@given(pairs(least_cells=2), st.data())
def test_merging_bins_never_raises_psi(counts: Pair, data: st.DataObject) -> None:
    """Coarser bins can hide drift but never invent it (without pseudo-counts, or when a merged bin carries their sum)."""
    left, right = counts
    n_cells = len(left)
    starts = sorted({0} | data.draw(st.sets(st.integers(1, n_cells - 1))))
    merged = np.add.reduceat(left, starts), np.add.reduceat(right, starts)
    carried = np.add.reduceat(np.where(left + right > 0, 0.5, 0.0), starts)

    smoothed = population_stability_index(left, right)
    assert population_stability_index(*merged, carried) <= smoothed + ROUNDING
    assert (
        population_stability_index(*merged, 0)
        <= population_stability_index(left, right, 0) + ROUNDING
    )


@given(pairs())
def test_debiasing_only_takes_off(counts: Pair) -> None:
    """The debiased effect lies between 0 and the PSI."""
    assert 0 <= debiased_psi(*counts) <= population_stability_index(*counts)


@given(pairs())
def test_distances_keep_their_bounds(counts: Pair) -> None:
    """KS and the Jensen-Shannon divergence (the square of the distance) are at most the total variation, itself at most 1."""
    left, right = counts
    total_variation = float(np.abs(left / left.sum() - right / right.sum()).sum()) / 2

    ks = kolmogorov_smirnov_distance(left, right)
    js = jensen_shannon_distance(left, right)

    assert 0 <= ks <= total_variation + ROUNDING
    assert js**2 <= total_variation + ROUNDING
    assert js <= 1


@given(pairs())
def test_reading_the_cells_backwards_mirrors_the_rank_tests(counts: Pair) -> None:
    """Upside down, up is down and wide is wide; nothing else changes."""
    left, right = counts
    location, scale = rank_location_test(left, right), rank_scale_test(left, right)

    assert rank_location_test(left[::-1], right[::-1]).z == pytest.approx(-location.z, abs=1e-6)
    assert rank_scale_test(left[::-1], right[::-1]).z == pytest.approx(scale.z, abs=1e-6)


@given(pairs())
def test_rank_components_are_parts_of_chi_squared(counts: Pair) -> None:
    """Location and scale are two orthogonal components of the statistic, so their squares never exceed it."""
    squares = rank_location_test(*counts).z ** 2 + rank_scale_test(*counts).z ** 2

    statistic = chi_squared_test(*counts).statistic
    assert squares <= statistic * (1 + 1e-6) + 1e-6


@given(pairs(), st.booleans())
def test_pooling_loses_no_row_and_leaves_enough_in_every_cell(counts: Pair, ordered: bool) -> None:
    """Both sides keep their rows, and unless a single cell is left every cell expects at least five on the smaller side."""
    left, right = pooled(*counts, ordered=ordered)
    n, m = int(counts[0].sum()), int(counts[1].sum())

    assert (left.sum(), right.sum()) == (n, m)
    if len(left) > 1:
        assert ((left + right) * (min(n, m) / (n + m))).min() >= MIN_EXPECTED * (1 - ROUNDING)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    """An adjusted p-value is at least the raw one, at most the Bonferroni one, and the ranking stays."""
    adjusted = holm_adjusted(p_values).tolist()

    for raw, value in zip(p_values, adjusted, strict=True):
        assert raw <= value <= min(1.0, raw * len(p_values)) or value == pytest.approx(raw)
    by_raw = [value for _, value in sorted(zip(p_values, adjusted, strict=True))]
    assert by_raw == sorted(by_raw)


@given(st.integers(0, 200), st.integers(0, 2000), st.integers(1, 100), st.integers(0, 500))
def test_more_hits_are_more_evidence(hits: int, others: int, more: int, rest: int) -> None:
    """Among windows of one size the p-value falls as hits rise, and is a probability."""
    rows = 100 + rest
    p_values = [larger_share_p_value(hits, hits + others, k, rows) for k in (0, more // 2, more)]

    assert all(0 <= p_value <= 1 for p_value in p_values)
    assert np.diff(p_values).max() <= ROUNDING


SLOTS = st.dictionaries(st.sampled_from(list(Slot)[: N_SLOTS - 2]), st.integers(0, 10**4))


@settings(max_examples=300)
@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=8),
    st.data(),
    SLOTS,
    SLOTS,
    st.booleans(),
    st.sampled_from([1e-6, 0.01, 0.4]),
)
def test_whatever_was_counted_there_is_a_reading(
    cells: list[int],
    data: st.DataObject,
    reference_slots: dict[Slot, int],
    current_slots: dict[Slot, int],
    ordered: bool,
    alpha: float,
) -> None:
    """No counts make the assessment raise or say NaN, and a column of fewer rows than asked for is insufficient."""
    size = len(cells)
    current = data.draw(st.lists(st.integers(0, 1000), min_size=size, max_size=size))
    column = compared(
        cells,
        current,
        ordered=ordered,
        reference_slots=reference_slots,
        current_slots=current_slots,
    )

    (reading,) = assess_drift(
        [column],
        alpha=alpha,
        effect_floor=0.01,
        scores=["psi", "jensen_shannon", "kolmogorov_smirnov", "chi_squared"],
        min_rows=50,
    )

    numbers = [reading.p_value, reading.effect, *reading.scores.values()]
    assert all(map(math.isfinite, numbers))
    assert 0 <= reading.p_value <= 1
    assert 0 <= family_p_values([column], 0.01)["features"] <= 1
    if reading.rows < 50:
        assert reading.state is MlDriftStateValues.INSUFFICIENT


@pytest.mark.parametrize("distribution", [*CONTINUOUS, *DISCRETE], ids=str)
def test_no_distribution_drifts_against_itself(distribution: Distribution) -> None:
    """Whatever a column looks like (skewed, heavy-tailed, tied, rare, constant), 200 windows of it raise at most a handful of alarms."""
    rng = np.random.default_rng(17)
    shares = distribution.cell_shares(quantile_edges(distribution, 20))
    shares = shares / shares.sum()

    alarms = sum(
        family_p_values(
            [compared(rng.multinomial(20_000, shares), rng.multinomial(500, shares))], 0.0
        )["features"]
        <= 0.01
        for _ in range(200)
    )

    # Binomial(200, .01) exceeds 8 once in 4000 times.
    assert alarms <= 8


@pytest.mark.parametrize("distribution", CONTINUOUS, ids=str)
def test_ks_from_bins_is_below_the_exact_distance_by_a_bin_at_most(
    distribution: Distribution,
) -> None:
    """Binned on quantiles of the reference, the distance of raw samples is missed by the larger mass of one bin, never exceeded."""
    rng = np.random.default_rng(23)
    raw = distribution.sample(rng, 4000), distribution.sample(rng, 1000) * 1.3
    edges = quantile_edges(distribution, 20)
    left, right = (np.bincount(np.searchsorted(edges, side), minlength=20) for side in raw)
    values = np.sort(np.concatenate(raw))
    exact = np.abs(
        np.searchsorted(np.sort(raw[0]), values, side="right") / 4000
        - np.searchsorted(np.sort(raw[1]), values, side="right") / 1000
    ).max()

    distance = kolmogorov_smirnov_distance(left, right)

    largest_bin = max((left / 4000).max(), (right / 1000).max())
    assert distance <= exact + ROUNDING
    assert exact <= distance + largest_bin
