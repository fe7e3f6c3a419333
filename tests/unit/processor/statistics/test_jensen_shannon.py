from __future__ import annotations

import math

import numpy as np
import pytest

from otel_ml_processor.statistics.jensen_shannon import jensen_shannon_distance


def test_equal_proportions_have_no_distance() -> None:
    """Twice as many rows in the same proportions are the same distribution."""
    assert jensen_shannon_distance(np.array([1, 2, 3]), np.array([2, 4, 6])) == 0


def test_samples_that_share_no_bin_are_one_apart() -> None:
    """The distance is bounded: more different than disjoint does not exist."""
    assert jensen_shannon_distance(np.array([5, 0, 0]), np.array([0, 1, 2])) == 1


def test_a_worked_example() -> None:
    """(1, 0) against (1/2, 1/2), midway (3/4, 1/4): half of log2(4/3) and half of (log2(2/3) + log2(2)) / 2."""
    divergence = (math.log2(4 / 3) + (math.log2(2 / 3) + math.log2(2)) / 2) / 2

    distance = jensen_shannon_distance(np.array([9, 0]), np.array([2, 2]))

    assert distance == pytest.approx(math.sqrt(divergence))


def test_it_does_not_matter_which_side_is_the_reference() -> None:
    """A distance is symmetric."""
    left, right = np.array([3, 0, 8, 1]), np.array([1, 5, 5, 0])

    assert jensen_shannon_distance(left, right) == jensen_shannon_distance(right, left)


def test_sides_that_cannot_be_compared_are_refused() -> None:
    """Different bins and empty sides are told with both numbers."""
    with pytest.raises(ValueError, match="reference has 1 bins but current has 2"):
        jensen_shannon_distance(np.array([1]), np.array([1, 1]))
    with pytest.raises(ValueError, match="reference has 0 samples and current has 2"):
        jensen_shannon_distance(np.array([0, 0]), np.array([1, 1]))
