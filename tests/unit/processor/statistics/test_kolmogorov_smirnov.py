from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from otel_ml_processor.statistics.kolmogorov_smirnov import kolmogorov_smirnov_distance
from tests.data.distributions import NORMAL, quantile_edges


@pytest.mark.parametrize("shift", [0.05, 0.5, 2.0])
def test_the_distance_of_a_shifted_normal(shift: float) -> None:
    """N(0, 1) against N(d, 1): the distribution functions are furthest apart midway, by 2 * Phi(d / 2) - 1."""
    edges = quantile_edges(NORMAL, 10_000)
    reference = np.rint(NORMAL.cell_shares(edges) * 1e12).astype(np.int64)
    current = np.rint(NORMAL.shifted(shift).cell_shares(edges) * 1e12).astype(np.int64)

    distance = kolmogorov_smirnov_distance(reference, current)

    assert distance == pytest.approx(2 * stats.norm.cdf(shift / 2) - 1, abs=2e-4)


def test_the_largest_gap_between_the_distribution_functions() -> None:
    """Half against nothing below the first edge, three quarters against a quarter below the second: 0.5 is the larger."""
    assert kolmogorov_smirnov_distance(np.array([2, 1, 1]), np.array([0, 1, 3])) == pytest.approx(
        0.5
    )


def test_one_bin_hides_everything() -> None:
    """A single bin has no edge at which anything could differ."""
    assert kolmogorov_smirnov_distance(np.array([10]), np.array([3])) == 0


def test_sides_that_cannot_be_compared_are_refused() -> None:
    """Different bins and empty sides are told with both numbers."""
    with pytest.raises(ValueError, match="reference has 2 bins but current has 3"):
        kolmogorov_smirnov_distance(np.array([1, 1]), np.array([1, 1, 1]))
    with pytest.raises(ValueError, match="reference has 2 samples and current has 0"):
        kolmogorov_smirnov_distance(np.array([1, 1]), np.array([0, 0]))
