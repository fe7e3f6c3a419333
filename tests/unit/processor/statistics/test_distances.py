"""Distances between counts: bounds, worked examples, and what they are when nothing differs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from otel_ml_processor.statistics.hellinger import hellinger_distance
from otel_ml_processor.statistics.kullback_leibler import kullback_leibler_divergence
from otel_ml_processor.statistics.l_infinity import l_infinity_distance
from otel_ml_processor.statistics.total_variation import total_variation_distance
from otel_ml_processor.statistics.wasserstein import interquartile_range, wasserstein_distance

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Distance = Callable[[NDArray[np.int64], NDArray[np.int64]], float]

BOUNDED = [hellinger_distance, total_variation_distance, l_infinity_distance]


@pytest.mark.parametrize("distance", [*BOUNDED, kullback_leibler_divergence])
def test_a_sample_is_not_apart_from_itself(distance: Distance) -> None:
    """Equal counts have no distance."""
    sample = np.array([1, 2, 3])

    assert distance(sample, sample) == 0


@pytest.mark.parametrize("distance", BOUNDED)
def test_samples_that_share_no_bin_are_one_apart(distance: Distance) -> None:
    """More different than disjoint does not exist (one bin each, so that L-infinity is 1 too)."""
    assert distance(np.array([5, 0]), np.array([0, 2])) == 1


@pytest.mark.parametrize("distance", [*BOUNDED, kullback_leibler_divergence])
def test_sides_that_cannot_be_compared_are_refused(distance: Distance) -> None:
    """Different bins and empty sides are told with both numbers."""
    with pytest.raises(ValueError, match="reference has 1 bins but current has 2"):
        distance(np.array([1]), np.array([1, 1]))
    with pytest.raises(ValueError, match="reference has 0 samples and current has 2"):
        distance(np.array([0, 0]), np.array([1, 1]))


@pytest.mark.parametrize("distance", [*BOUNDED, kullback_leibler_divergence])
def test_a_bin_that_both_sides_leave_empty_says_nothing(distance: Distance) -> None:
    """A category that nobody has used is as if it were not there."""
    with_empty = distance(np.array([12_000, 0, 8000]), np.array([110, 0, 90]))

    assert with_empty == distance(np.array([12_000, 8000]), np.array([110, 90]))


def test_worked_examples() -> None:
    """(1/2, 1/2) against (1/4, 3/4), by hand."""
    reference, current = np.array([2, 2]), np.array([1, 3])

    assert total_variation_distance(reference, current) == 0.25
    assert l_infinity_distance(reference, current) == 0.25
    overlap = math.sqrt(1 / 8) + math.sqrt(3 / 8)
    assert hellinger_distance(reference, current) == pytest.approx(math.sqrt(1 - overlap))
    # With half a count more in each bin the shares are .5 and .5, and .3 and .7.
    divergence = 0.3 * math.log(0.3 / 0.5) + 0.7 * math.log(0.7 / 0.5)
    assert kullback_leibler_divergence(reference, current) == pytest.approx(divergence)


def test_carrying_every_row_one_unit_costs_one() -> None:
    """All rows at 0 against all rows at 1; between the two lies an empty bin at .25."""
    positions = np.array([0.0, 0.25, 1.0])

    assert wasserstein_distance(np.array([3, 0, 0]), np.array([0, 0, 7]), positions) == 1.0
    assert wasserstein_distance(np.array([3, 1, 0]), np.array([6, 2, 0]), positions) == 0.0


def test_a_lone_bin_has_no_distance() -> None:
    """There is nowhere to carry a row to."""
    assert wasserstein_distance(np.array([3]), np.array([7]), np.array([4.0])) == 0.0
    assert interquartile_range(np.array([3]), np.array([4.0])) == 0.0


def test_the_largest_numbers_have_a_distance() -> None:
    """Where nothing moved it is 0, where a quarter moved a quarter of the step between them, and what is no number is infinite, without a warning."""
    ends = np.array([-1.7e308, 1.7e308])
    assert wasserstein_distance(np.array([3, 1]), np.array([6, 2]), ends) == 0.0
    assert wasserstein_distance(np.array([3, 1]), np.array([2, 2]), ends) == 0.85e308
    assert wasserstein_distance(np.array([3, 0]), np.array([0, 3]), ends) == math.inf
    assert interquartile_range(np.array([1, 1]), ends) == math.inf


def test_the_quartiles_of_a_hundred_rows() -> None:
    """Of 1 .. 100, one per bin, the quartiles are 25 and 75."""
    assert interquartile_range(np.ones(100, dtype=np.int64), np.arange(1.0, 101.0)) == 50.0


def test_positions_must_fit_the_bins() -> None:
    """A position per bin, or there is no distance."""
    with pytest.raises(ValueError, match="expected 2 positions, one per bin, got 3"):
        wasserstein_distance(np.array([1, 1]), np.array([1, 1]), np.arange(3.0))
