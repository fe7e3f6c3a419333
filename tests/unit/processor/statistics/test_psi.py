from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from otel_ml_processor.statistics.psi import debiased_psi, population_stability_index
from tests.data.distributions import NORMAL, quantile_edges

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION = 1_000_000


def test_psi_is_the_sum_of_differences_times_log_ratios() -> None:
    """Half a count in each of two bins: (1.5, 3.5)/5 against (3.5, 1.5)/5 is 2 * 0.4 * ln(7/3)."""
    psi = population_stability_index(np.array([1, 3]), np.array([3, 1]))

    assert psi == pytest.approx(0.8 * math.log(7 / 3))


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.0])
def test_psi_of_a_shifted_normal_tends_to_the_square_of_the_shift(shift: float) -> None:
    """N(0, 1) against N(d, 1) has PSI d**2; 2000 bins of equal share reach it to one per cent."""
    edges = quantile_edges(NORMAL, 2000)
    reference = np.rint(NORMAL.cell_shares(edges) * 1e12).astype(np.int64)
    current = np.rint(NORMAL.shifted(shift).cell_shares(edges) * 1e12).astype(np.int64)

    psi = population_stability_index(reference, current)

    assert psi == pytest.approx(shift**2, rel=0.01)


def test_an_empty_bin_costs_no_more_than_a_rare_sample() -> None:
    """A bin that the window never fills leaves the value finite and close to that of one sample in it."""
    reference = np.array([1000, 1000, 10])

    empty = population_stability_index(reference, np.array([1000, 1000, 0]))
    one = population_stability_index(reference, np.array([1000, 1000, 1]))

    assert 0 < one < empty < 0.02


def test_without_pseudo_counts_an_empty_bin_makes_it_infinite() -> None:
    """The unsmoothed divergence has no finite value where one side cannot happen, and says so without a warning."""
    assert (
        population_stability_index(np.array([1, 1]), np.array([2, 0]), pseudo_count=0) == math.inf
    )


def test_a_bin_that_both_sides_leave_empty_is_free_without_pseudo_counts() -> None:
    """Nothing against nothing is no difference."""
    with_empty = population_stability_index(np.array([1, 0, 3]), np.array([3, 0, 1]), 0)

    assert with_empty == pytest.approx(math.log(3))


@pytest.mark.parametrize("statistic", [population_stability_index, debiased_psi])
def test_a_bin_that_both_sides_leave_empty_says_nothing(statistic: Callable[..., float]) -> None:
    """A category that nobody has used is as if it were not there: half a count in it would be a difference of 200 rows and 20 000."""
    with_empty = statistic(np.array([12_000, 0, 8000]), np.array([110, 0, 90]))

    assert with_empty == statistic(np.array([12_000, 8000]), np.array([110, 90]))


def test_debiased_psi_is_zero_on_average_without_drift() -> None:
    """PSI without drift is on average (B - 1)(1/n + 1/m): taken off, half of the windows are left with nothing."""
    rng = np.random.default_rng(5)
    shares = np.full(20, 0.05)
    raw, debiased = [], []
    for _ in range(400):
        sides = rng.multinomial(50_000, shares), rng.multinomial(1000, shares)
        raw.append(population_stability_index(*sides))
        debiased.append(debiased_psi(*sides))

    assert np.mean(raw) == pytest.approx(19 * (1 / 50_000 + 1 / 1000), rel=0.05)
    assert 0.4 < np.mean(np.array(debiased) == 0) < 0.65


def test_debiased_psi_takes_off_what_chance_adds() -> None:
    """Two bins, 10 and 10 rows: one degree of freedom at 1/10 + 1/10 goes."""
    sides = np.array([2, 8]), np.array([8, 2])

    assert debiased_psi(*sides) == pytest.approx(population_stability_index(*sides) - 0.2)


def test_bins_in_which_the_sides_are_alike_are_bins_too() -> None:
    """Three of them have rows, so two degrees of freedom go, though the first tells nothing."""
    sides = np.array([1000, 1000, 1000]), np.array([1000, 500, 1500])

    chance = 2 * (1 / 3000 + 1 / 3000)
    assert debiased_psi(*sides) == pytest.approx(population_stability_index(*sides) - chance)


@pytest.mark.parametrize("statistic", [population_stability_index, debiased_psi])
def test_sides_on_different_bins_are_refused_with_both_numbers(
    statistic: Callable[..., float],
) -> None:
    """Bins that do not correspond are a programming error, told with what was found on each side."""
    with pytest.raises(ValueError, match="reference has 3 bins but current has 2"):
        statistic(np.array([1, 1, 1]), np.array([1, 1]))


def test_an_empty_side_is_refused_with_both_numbers() -> None:
    """Nothing has no distribution."""
    with pytest.raises(ValueError, match="reference has 7 samples and current has 0"):
        population_stability_index(np.array([3, 4]), np.array([0, 0]))


def test_a_negative_count_is_refused() -> None:
    """A count below zero cannot have been counted."""
    with pytest.raises(ValueError, match="counts >= 0, got -1"):
        population_stability_index(np.array([3, 4]), np.array([5, -1]))


def test_counts_beyond_32_bits_do_not_overflow() -> None:
    """A year of a busy model is counted as well as an hour of a quiet one."""
    small = population_stability_index(np.array([10, 30]) * MILLION, np.array([30, 10]) * MILLION)
    large = population_stability_index(
        np.array([10, 30]) * MILLION**2, np.array([30, 10]) * MILLION**2
    )

    assert large == pytest.approx(small, rel=1e-6)
