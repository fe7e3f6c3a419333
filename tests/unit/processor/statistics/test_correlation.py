"""Correlations from sums of whole numbers, and whether they have changed."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from otel_ml_processor.statistics.correlation import MIDDLE, PairSums, rank_scores

FloatArray = NDArray[np.float64]


def sums(n_features: int = 3) -> PairSums:
    """Return the sums of every pair."""
    return PairSums(n_features, *np.triu_indices(n_features, k=1))


def scores(n: int, seed: int = 1, n_features: int = 3, correlation: float = 0.6) -> FloatArray:
    """Return scores of rows whose features have one *correlation*, shape (n_features, n)."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    own = rng.normal(size=(n_features, n))
    mixed = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    return np.asarray(np.clip(np.rint(MIDDLE + 4 * mixed), 0, 2 * MIDDLE))


def test_scores_are_normal_quantiles_of_the_middle_of_the_ranks() -> None:
    """Four cells of a quarter each: the quantiles at 1/8, 3/8, 5/8 and 7/8, in quarters, around ten."""
    quantiles = [NormalDist().inv_cdf(rank) for rank in (0.125, 0.375, 0.625, 0.875)]

    assert rank_scores(np.array([5, 5, 5, 5])).tolist() == [
        round(MIDDLE + 4 * quantile) for quantile in quantiles
    ]


def test_empty_cells_have_scores_within_the_limits() -> None:
    """A cell at the end without a row of the reference lies as far out as a score can, and no rows at all say nothing."""
    assert rank_scores(np.array([0, 4, 4, 0])).tolist() == [0, 7, 13, 20]
    assert rank_scores(np.array([0, 0])).tolist() == [MIDDLE, MIDDLE]


def test_correlations_are_pearsons() -> None:
    """Of the scores, as numpy has them, from sums alone."""
    rows = scores(500)
    upper = np.triu_indices(3, k=1)

    found = sums().correlations(sums().of(rows))

    assert found == pytest.approx(np.asarray(np.corrcoef(rows))[upper])


def test_what_falls_with_another_has_a_negative_correlation() -> None:
    """A feature and its mirror image: -1, and a noisy one what numpy has."""
    first, second, _ = scores(500)
    rows = np.stack([first, 2 * MIDDLE - first, 2 * MIDDLE - second])
    upper = np.triu_indices(3, k=1)

    found = sums().correlations(sums().of(rows))

    assert found == pytest.approx(np.asarray(np.corrcoef(rows))[upper])
    assert found[0] == pytest.approx(-1)


def test_sums_of_parts_are_the_sums_of_the_whole() -> None:
    """Bit for bit: two processors that count half each know what one would."""
    rows = scores(500)

    parts = sums().of(rows[:, :123]) + sums().of(rows[:, 123:])

    assert parts.tolist() == sums().of(rows).tolist()


def test_of_no_rows_nothing_is_known() -> None:
    """An empty window, and a feature that does not vary, have no correlation and no alarm."""
    nothing = sums().of(np.zeros((3, 0)))
    constant = sums().of(np.full((3, 50), 7.0))
    block = sums().of(scores(500))

    assert np.isnan(sums().correlations(nothing)).all()
    assert np.isnan(sums().correlations(constant)).all()
    assert sums().change(block, constant, np.ones(3)) is None


def test_a_constant_feature_leaves_the_other_pairs() -> None:
    """Of three pairs one is left to be compared, and only that one counts."""
    reference = scores(5000)
    current = scores(800, seed=2, correlation=0.1)
    current[0] = 3

    change = sums().change(sums().of(reference), sums().of(current), np.ones(3))

    assert change is not None
    assert change.pair == 2
    z = np.arctanh(change.after) - np.arctanh(change.before)
    p_value = 2 * stats.norm.sf(abs(z) / np.sqrt(1 / 5000 + 1 / 800))
    assert change.p_value == pytest.approx(p_value, rel=1e-6)
    assert change.effect == pytest.approx(z**2 - 1 / 5000 - 1 / 800)


def test_the_p_value_counts_all_pairs() -> None:
    """The most remarkable of three pairs is three times as likely."""
    reference, current = sums().of(scores(5000)), sums().of(scores(800, seed=2))
    one = PairSums(3, np.array([0]), np.array([1]))
    single = one.change(one.of(scores(5000)), one.of(scores(800, seed=2)), np.ones(1))

    change = sums().change(reference, current, np.array([1.0, 100.0, 100.0]))

    assert single is not None
    assert change is not None
    assert change.pair == 0
    assert change.p_value == pytest.approx(min(1.0, 3 * single.p_value))


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_the_spread_of_normal_scores_is_fishers(correlation: float) -> None:
    """Fisher's z of normal features has the variance 1 / n, whatever the correlation."""
    rows = scores(40_000, correlation=correlation)

    assert sums().spreads(sums().of(rows), rows) == pytest.approx(1.0, abs=0.06)


def test_the_spread_is_that_of_repeated_samples() -> None:
    """Of features that are not normal: two classes of rows, one of them all noise. Fisher's z of many samples varies as told."""
    rng = np.random.default_rng(3)

    def sample(n: int) -> FloatArray:
        rows = scores(n, seed=int(rng.integers(1 << 30)), n_features=2, correlation=0.95)
        noise = rng.random(n) < 0.3
        rows[:, noise] = rng.integers(0, 21, size=(2, int(noise.sum())))
        return rows

    pair = sums(2)
    found = [np.arctanh(pair.correlations(pair.of(sample(400)))[0]) for _ in range(2000)]
    large = sample(100_000)

    told = pair.spreads(pair.of(large), large)[0]

    assert told > 1.3  # so that a formula for normal features would fail here
    assert told == pytest.approx(np.std(found) * np.sqrt(400), rel=0.06)


def test_one_row_in_two_hundred_is_no_alarm() -> None:
    """However closely two features depend on each other, it takes more than one row in opposite corners to break it."""
    common = scores(20_000, n_features=1, seed=4)
    noise = np.random.default_rng(5).integers(-1, 2, size=common.shape)
    rows = np.clip(np.concatenate([common, common + noise]), 2, 18)
    window = rows[:, :200].copy()
    window[:, 0] = 2, 18
    pair = sums(2)
    reference = pair.of(rows[:, 200:])

    change = pair.change(reference, pair.of(window), pair.spreads(reference, rows[:, 200:]))

    assert change is not None
    assert change.before > 0.95
    assert change.p_value > 0.001


def test_one_row_that_differs_is_no_change_of_duplicates() -> None:
    """Two columns that are the same but for one row in a thousand do not change their correlation from one window to the next."""
    rows = np.tile(scores(5000, n_features=1), (2, 1))
    window = np.tile(scores(1000, seed=2, n_features=1), (2, 1))
    window[1, 0] = 20 - window[1, 0]
    pair = sums(2)

    change = pair.change(pair.of(rows), pair.of(window), pair.spreads(pair.of(rows), rows))

    assert change is not None
    assert change.effect == 0.0
