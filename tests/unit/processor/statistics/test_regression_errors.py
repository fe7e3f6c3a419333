"""Errors of predicted numbers, however large or small those are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from otel_ml_processor.statistics.regression import RegressionErrors


@pytest.mark.parametrize("large", [9e153, -9e153])
def test_numbers_whose_sums_are_infinite_raise_nothing(large: float) -> None:
    """One label of such a size is enough to send: what it does to a score may be infinite, and must not stop all others."""
    errors = RegressionErrors()
    for _ in range(3):
        errors += RegressionErrors.of(np.array([0.0, 1.0]), np.array([large, large]))

    assert errors.rows == 6
    assert errors.mae == pytest.approx(abs(large))
    assert math.isnan(errors.r2)
    assert errors.rmse == math.inf


def test_a_truth_next_to_nothing_makes_an_infinite_share() -> None:
    """As a number, without a warning."""
    errors = RegressionErrors.of(np.array([1.0]), np.array([5e-324]))

    assert errors.mape == math.inf
    assert errors.rmse == pytest.approx(1.0)


@pytest.mark.parametrize("mean", [0.0, 2_000.0, 1e6, 1.7e9, 1e12])
def test_truths_that_are_large_beside_their_spread_have_their_r2(mean: float) -> None:
    """Years, prices and times of day in seconds since 1970: in seven parts, as labels come, it is scikit-learn's of all rows."""
    random = np.random.default_rng(7)
    truth = mean + random.normal(size=700)
    said = truth + random.normal(0, 0.3, 700)
    errors = RegressionErrors()
    for part in np.split(np.arange(700), 7):
        errors += RegressionErrors.of(said[part], truth[part])

    assert errors.r2 == pytest.approx(metrics.r2_score(truth, said), rel=1e-3)


@pytest.mark.parametrize("truth", [0.3, -1e9 / 3, 1e-9 / 7])
def test_a_truth_that_never_changes_has_no_r2(truth: float) -> None:
    """Whatever rounding leaves of its variance, in one part or in many: not minus ten to the sixteenth."""
    whole = RegressionErrors.of(np.full(30, truth + 1), np.full(30, truth))
    parts = RegressionErrors()
    for _ in range(30):
        parts += RegressionErrors.of(np.array([truth + 1]), np.array([truth]))

    assert math.isnan(whole.r2)
    assert math.isnan(parts.r2)


def test_a_weight_is_as_many_rows() -> None:
    """Three times each row is what all rows three times are."""
    random = np.random.default_rng(8)
    truth, said = random.normal(50, 1, 40), random.normal(50, 1, 40)
    weighted = RegressionErrors.of(said, truth).times(3)

    three = RegressionErrors.of(np.tile(said, 3), np.tile(truth, 3))
    assert (weighted.rows, weighted.mae, weighted.r2) == pytest.approx(
        (three.rows, three.mae, three.r2)
    )
