"""Errors of predicted numbers, however large or small those are."""

from __future__ import annotations

import math

import numpy as np
import pytest

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
