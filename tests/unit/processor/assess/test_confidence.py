from __future__ import annotations

import math

import numpy as np
import pytest

from otel_ml_processor.assess.confidence import assess_confidence
from otel_ml_processor.assess.reading import ConfidenceReading
from otel_ml_processor.sketches.score_histogram import ScoreHistogram


def read(confidences: list[float] | np.ndarray, threshold: float = 0.7) -> ConfidenceReading | None:
    """Return the reading of *confidences*, of entropy .25 and without margin."""
    values = np.asarray(confidences, dtype=np.float64)
    scores = ScoreHistogram(threshold)
    scores.add(values, np.full(len(values), 0.25), np.full(len(values), np.nan))
    return assess_confidence(scores)


def test_no_confidence_is_no_reading() -> None:
    """A regression model, or a window without rows, says nothing, and nothing is said of it."""
    assert read([]) is None


def test_means_and_the_low_share() -> None:
    """Four predictions, one of them unsure: mean .8, a quarter low; what was handed in comes out."""
    reading = read([0.5, 0.8, 0.9, 1.0])

    assert reading is not None
    assert reading.rows == 4
    assert reading.mean == pytest.approx(0.8)
    assert reading.low == 0.25
    assert reading.threshold == 0.7
    assert reading.entropy == 0.25
    assert math.isnan(reading.margin)


@pytest.mark.parametrize("shape", [(8, 2), (2, 2), (0.5, 0.5), (50, 1)])
def test_quantiles_are_off_by_less_than_a_cell(shape: tuple[float, float]) -> None:
    """Whatever the confidences look like, a quantile is within .001 of that of the raw values."""
    values = np.random.default_rng(11).beta(*shape, size=5000)

    reading = read(values)

    assert reading is not None
    for level, quantile in reading.quantiles.items():
        exact = np.quantile(values, level, method="inverted_cdf")
        assert quantile == pytest.approx(exact, abs=0.001)


def test_quantiles_never_cross() -> None:
    """The 5 % quantile is not above the median, nor the median above the 95 % quantile, also for very few rows."""
    for rows in range(1, 30):
        reading = read(np.random.default_rng(rows).uniform(0.3, 1.0, size=rows))
        assert reading is not None
        assert list(reading.quantiles) == [0.05, 0.5, 0.95]
        assert list(reading.quantiles.values()) == sorted(reading.quantiles.values())


@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_a_constant_confidence_has_its_quantiles_in_its_cell(constant: float) -> None:
    """A model that always says the same is read as that, to one cell, and never outside of [0, 1]."""
    reading = read([constant] * 10)

    assert reading is not None
    assert reading.mean == pytest.approx(constant, abs=2**-32)
    for quantile in reading.quantiles.values():
        assert 0 <= quantile <= 1
        assert quantile == pytest.approx(constant, abs=0.001)
