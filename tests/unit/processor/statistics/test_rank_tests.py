from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from otel_ml_processor.statistics.chi_squared import chi_squared_test
from otel_ml_processor.statistics.rank_tests import rank_location_test, rank_scale_test

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_ml_processor.statistics.counts import IntArray
    from otel_ml_processor.statistics.rank_tests import RankTest


def test_location_says_the_direction() -> None:
    """A window further up has z > 0, one further down the mirror image."""
    reference = np.array([100, 100, 100, 100])

    up = rank_location_test(reference, np.array([10, 20, 30, 40]))
    down = rank_location_test(reference, np.array([40, 30, 20, 10]))

    assert up.z > 0
    assert up.z == pytest.approx(-down.z)
    assert up.p_value == pytest.approx(down.p_value)


def test_scale_says_the_direction() -> None:
    """A window further out has z > 0, one further in z < 0; neither has moved."""
    reference = np.array([100, 100, 100, 100])

    wider = np.array([40, 10, 10, 40])
    narrower = np.array([10, 40, 40, 10])

    assert rank_scale_test(reference, wider).z > 3
    assert rank_scale_test(reference, narrower).z < -3
    assert rank_location_test(reference, wider).z == pytest.approx(0)


def test_location_of_one_row_is_its_standardised_rank() -> None:
    """One row of the window on top of four of the reference: rank 5, mean 3, variance of ranks 2, so z is 2 / sqrt(2)."""
    test = rank_location_test(np.array([1, 1, 1, 1, 0]), np.array([0, 0, 0, 0, 1]))

    assert test.z == pytest.approx(2 / np.sqrt(2))


@pytest.mark.parametrize("test", [rank_location_test, rank_scale_test])
def test_variance_is_that_of_all_divisions(test: Callable[[IntArray, IntArray], RankTest]) -> None:
    """Over all ways to draw three of eight tied rows the z values have mean 0 and variance 1, exactly."""
    cells = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    z_values = []
    for drawn in combinations(range(8), 3):
        current = np.bincount(cells[list(drawn)], minlength=4)
        reference = np.bincount(cells, minlength=4) - current
        z_values.append(test(reference, current).z)

    assert np.mean(z_values) == pytest.approx(0, abs=1e-12)
    assert np.mean(np.square(z_values)) == pytest.approx(1)


def test_location_and_scale_do_not_overlap_under_ties() -> None:
    """Over all divisions of unevenly tied rows the two z values are uncorrelated: a shift does not pass for a change of scale."""
    cells = np.array([0, 0, 0, 0, 1, 1, 2, 3])
    products = []
    for drawn in combinations(range(8), 3):
        current = np.bincount(cells[list(drawn)], minlength=4)
        reference = np.bincount(cells, minlength=4) - current
        products.append(
            rank_location_test(reference, current).z * rank_scale_test(reference, current).z
        )

    assert np.mean(products) == pytest.approx(0, abs=1e-12)


def test_with_three_cells_location_and_scale_are_the_whole_of_chi_squared() -> None:
    """Two degrees of freedom, two components: their squares add up to the statistic times (N - 1) / N."""
    reference, current = np.array([120, 45, 80]), np.array([30, 40, 5])
    rows = reference.sum() + current.sum()

    squares = (
        rank_location_test(reference, current).z ** 2 + rank_scale_test(reference, current).z ** 2
    )

    assert squares == pytest.approx(
        chi_squared_test(reference, current).statistic * (rows - 1) / rows
    )


def test_too_few_cells_are_no_evidence() -> None:
    """A constant has no location to compare, two values have no scale: z is 0 and the p-value 1."""
    assert rank_location_test(np.array([9, 0]), np.array([4, 0])) == (0.0, 1.0)
    assert rank_scale_test(np.array([9, 2, 0]), np.array([4, 4, 0])) == (0.0, 1.0)


@pytest.mark.parametrize("test", [rank_location_test, rank_scale_test])
def test_two_rows_are_enough_for_an_answer(test: Callable[[IntArray, IntArray], RankTest]) -> None:
    """One row against one row: finite, and no evidence worth the name."""
    p_value = test(np.array([1, 0, 0]), np.array([0, 0, 1])).p_value

    assert 0.1 < p_value <= 1


@pytest.mark.parametrize("test", [rank_location_test, rank_scale_test])
def test_sides_that_cannot_be_compared_are_refused(
    test: Callable[[IntArray, IntArray], RankTest],
) -> None:
    """Different cells and empty sides are told with both numbers."""
    with pytest.raises(ValueError, match="reference has 2 bins but current has 3"):
        test(np.array([1, 1]), np.array([1, 1, 1]))
    with pytest.raises(ValueError, match="reference has 0 samples and current has 2"):
        test(np.array([0, 0]), np.array([1, 1]))
