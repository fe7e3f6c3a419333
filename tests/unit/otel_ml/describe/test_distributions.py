"""Logits become probabilities, and probabilities stay what they are."""

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from otel_ml.describe.probabilities import distributions

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_logits_become_their_softmax(scale: float) -> None:
    """As scipy has it, however large they are."""
    logits = RNG.normal(size=(5, 4)) * scale
    np.testing.assert_allclose(distributions(logits), softmax(logits, axis=1), rtol=1e-12)


def test_logarithms_of_probabilities_become_probabilities() -> None:
    """The softmax takes the logarithm back."""
    rows = RNG.dirichlet([1.0, 2.0, 3.0], size=6)
    np.testing.assert_allclose(distributions(np.log(rows)), rows, rtol=1e-12)


@pytest.mark.parametrize(
    "output",
    [
        RNG.dirichlet([1.0, 1.0], size=3),
        RNG.normal(size=(3, 1)),
        RNG.normal(size=3),
        np.ones((2, 3), dtype=np.int64),
        np.empty((0, 3)),
        [[0.0, 1.0]],
        None,
    ],
)
def test_anything_else_is_left_as_it_is(output: Any) -> None:
    """Probabilities, a single column, other shapes and types: the very object."""
    assert distributions(output) is output


def test_what_is_no_number_stays_none() -> None:
    """No row of NaN becomes a distribution."""
    assert np.isnan(distributions(np.array([[np.nan, 1.0]]))).any()
