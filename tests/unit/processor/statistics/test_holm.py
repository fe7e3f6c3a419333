from __future__ import annotations

import pytest

from otel_ml_processor.statistics.holm import holm_adjusted


def test_a_worked_example() -> None:
    """Sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04, and adjusted values never fall: .04 .06 .06 .06."""
    assert holm_adjusted([0.03, 0.01, 0.04, 0.02]).tolist() == pytest.approx(
        [0.06, 0.04, 0.06, 0.06]
    )


def test_one_test_pays_nothing() -> None:
    """There is nothing to share with."""
    assert holm_adjusted([0.03]).tolist() == [0.03]


def test_the_smallest_pays_for_all() -> None:
    """The best of many must beat alpha divided by their number, and never exceeds 1."""
    assert holm_adjusted([0.001, *[1.0] * 19])[0] == pytest.approx(0.02)
    assert holm_adjusted([0.5, 0.6]).max() == 1.0


def test_no_tests_give_nothing() -> None:
    """An empty family has no p-values."""
    assert holm_adjusted([]).tolist() == []


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    """A p-value outside of [0, 1], or none at all, cannot be adjusted."""
    with pytest.raises(ValueError, match=r"expected p-values in \[0, 1\]"):
        holm_adjusted([0.5, wrong])
