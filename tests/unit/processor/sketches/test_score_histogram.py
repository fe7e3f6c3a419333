"""How sure a window's predictions were."""

from __future__ import annotations

import math

import numpy as np
import pytest

from otel_ml_processor.sketches.score_histogram import N_GRID_CELLS, ScoreHistogram


def scores(*confidences: float, threshold: float = 0.7) -> ScoreHistogram:
    """Return a histogram of *confidences* that say nothing else."""
    histogram = ScoreHistogram(threshold)
    nothing = np.full(len(confidences), np.nan)
    histogram.add(np.array(confidences), nothing, nothing)
    return histogram


def test_confidence_below_the_threshold_is_low() -> None:
    """Below, not at: .7 itself is not low. What was not said is not low either."""
    assert scores(0.2, 0.7, np.nextafter(0.7, 0), 0.9, np.nan).low == 2


def test_a_quantile_of_round_confidences_is_exact() -> None:
    """Of 1, 2 ... 100 percent the 5 % quantile is 5 percent and the median 50 percent."""
    histogram = scores(*(i / 100 for i in range(1, 101)))

    assert histogram.quantile(0.05) == 0.05
    assert histogram.quantile(0.5) == 0.5
    assert histogram.quantile(0.07) == 0.07
    assert histogram.quantile(1) == 1.0


def test_a_quantile_is_at_most_a_thousandth_too_high() -> None:
    """Against the exact quantile of 5000 beta-distributed confidences, at nine levels."""
    values = np.random.default_rng(7).beta(8, 2, 5000)
    histogram = scores(*values)

    for level in (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99):
        exact = np.quantile(values, level, method="inverted_cdf")
        assert 0 <= histogram.quantile(level) - exact <= 1 / N_GRID_CELLS


def test_the_quantile_of_nothing_is_not_a_number() -> None:
    """No confidence was said: there is no median."""
    assert math.isnan(scores(np.nan).quantile(0.5))


def test_both_ends_of_the_grid_take_their_values() -> None:
    """0 is in the first cell, 1 in the last."""
    counts = scores(0.0, 1.0, 1.0).counts

    assert (counts[0], counts[-1], counts.sum()) == (1, 2, 3)


def test_one_bad_confidence_moves_one_count() -> None:
    """Infinity is counted as invalid; histogram, low count and mean are as without it."""
    without, with_it = scores(0.25, 0.75), scores(0.25, np.inf, 0.75)

    assert with_it.confidence.invalid == 1
    assert with_it.low == without.low
    assert with_it.confidence.mean == without.confidence.mean
    assert with_it.counts.tolist() == without.counts.tolist()


def test_entropy_and_margin_have_means_of_their_own() -> None:
    """Each is averaged over the rows that said it."""
    histogram = ScoreHistogram(0.7)

    histogram.add(np.array([0.5, 0.5]), np.array([1.0, np.nan]), np.array([0.0, 0.5]))

    assert histogram.entropy.mean == 1.0
    assert histogram.margin.mean == 0.25


def test_histograms_with_different_thresholds_do_not_merge() -> None:
    """Their low counts mean different things; the message says both, and nothing was added."""
    mine, other = scores(0.5, threshold=0.7), scores(0.5, threshold=0.6)

    with pytest.raises(ValueError, match=r"below 0\.7 as low, the other below 0\.6"):
        mine.merge(other)
    assert mine.counts.sum() == 1
