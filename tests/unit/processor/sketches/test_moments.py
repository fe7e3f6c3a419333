"""The exact mean of values in [0, 1]."""

from __future__ import annotations

import math

import numpy as np
import pytest

from otel_ml_processor.sketches.moments import Moments, in_unit


def test_the_mean_is_that_of_the_values() -> None:
    """Multiples of 2**-32 are kept exactly: the mean of 0, 1/4 and 1 is 5/12."""
    moments = Moments()

    moments.add(np.array([0.0, 0.25, 1.0]))

    assert moments.count == 3
    assert moments.mean == pytest.approx(5 / 12, abs=1e-15)


def test_what_was_not_said_is_not_counted() -> None:
    """NaN changes neither count nor mean."""
    moments = Moments()

    moments.add(np.array([np.nan, 0.5, np.nan]))

    assert (moments.count, moments.mean, moments.invalid) == (1, 0.5, 0)


def test_a_value_that_is_no_probability_is_invalid_and_nothing_else() -> None:
    """1e300, infinities and -0.1 are counted as invalid; the mean stays that of the others."""
    moments = Moments()

    moments.add(np.array([0.5, 1e300, np.inf, -np.inf, -0.1, 1.1]))

    assert (moments.count, moments.mean, moments.invalid) == (1, 0.5, 5)


def test_the_rounding_of_float32_is_forgiven() -> None:
    """A softmax in float32 that sums to 1.0000001 gives a confidence of 1, not an invalid one."""
    values = np.array([np.float32(1.0000001), -1e-9], dtype=np.float64)

    assert in_unit(values).tolist() == [1.0, 0.0]
    assert math.isnan(in_unit(np.array([1.00001]))[0])


def test_the_mean_of_nothing_is_not_a_number() -> None:
    """An empty window has no mean confidence, and does not pretend that it is 0."""
    moments = Moments()

    moments.add(np.array([]))

    assert math.isnan(moments.mean)


def test_an_endless_stream_does_not_overflow() -> None:
    """The sum outgrows 64 bits without harm: after 2**60 ones the mean is still 1."""
    moments, total = Moments(), Moments()
    moments.add(np.ones(1 << 10))

    for _ in range(50):
        total.merge(moments)
        moments.merge(total)

    assert moments.count > 2**40
    assert moments.quanta > 2**64
    assert moments.mean == 1.0
