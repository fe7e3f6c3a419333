from __future__ import annotations

import math

import numpy as np
import pytest

from otel_ml_processor.statistics.chi_squared import chi_squared_test


def test_a_worked_example() -> None:
    """Ten rows against ten, (2, 8) and (8, 2): every cell expects 5 and is off by 3, so 4 * 9 / 5; erfc gives its tail."""
    test = chi_squared_test(np.array([2, 8]), np.array([8, 2]))

    assert test.statistic == pytest.approx(7.2)
    assert test.degrees_of_freedom == 1
    assert test.p_value == pytest.approx(math.erfc(math.sqrt(7.2 / 2)))


def test_equal_proportions_are_no_evidence() -> None:
    """The same shares from five times as many rows: statistic 0, p-value 1."""
    test = chi_squared_test(np.array([50, 100, 150]), np.array([10, 20, 30]))

    assert test == (0.0, 2, 1.0)


def test_cells_that_nobody_uses_do_not_count() -> None:
    """A cell empty on both sides is no degree of freedom and no division by zero."""
    with_empty = chi_squared_test(np.array([2, 0, 8]), np.array([8, 0, 2]))

    assert with_empty == chi_squared_test(np.array([2, 8]), np.array([8, 2]))


def test_one_cell_cannot_be_tested() -> None:
    """A constant agrees with itself."""
    assert chi_squared_test(np.array([100, 0]), np.array([7, 0])) == (0.0, 0, 1.0)


def test_billions_of_rows_do_not_overflow() -> None:
    """Multiplying every count by a billion multiplies the statistic by a billion."""
    test = chi_squared_test(np.array([2, 8]) * 10**9, np.array([8, 2]) * 10**9)

    assert test.statistic == pytest.approx(7.2e9)
    assert test.p_value == 0


def test_sides_that_cannot_be_compared_are_refused() -> None:
    """Different cells and empty sides are told with both numbers."""
    with pytest.raises(ValueError, match="reference has 2 bins but current has 3"):
        chi_squared_test(np.array([1, 1]), np.array([1, 1, 1]))
    with pytest.raises(ValueError, match="reference has 2 samples and current has 0"):
        chi_squared_test(np.array([1, 1]), np.array([0, 0]))
