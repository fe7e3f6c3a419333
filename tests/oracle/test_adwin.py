"""ADWIN against river's, fed the same means."""

import random

import pytest

from otel_ml_processor.statistics.adwin import Adwin

# It no longer comes for the oldest Python.
AdaptiveWindowing = pytest.importorskip("river.drift.adwin_c").AdaptiveWindowing


def means(seed: int, n: int = 900) -> list[float]:
    """Return means in [0, 1]: every third seed steady, the others with a step down at a place of their own."""
    source = random.Random(seed)
    change = n if seed % 3 == 0 else source.randrange(100, 400)
    spread = 0.05 if seed % 2 else 0.2
    raw = (source.gauss(0.9 if i < change else 0.6, spread) for i in range(n))
    return [min(1.0, max(0.0, value)) for value in raw]


@pytest.mark.parametrize("seed", range(24))
def test_it_keeps_and_cuts_the_window_that_river_does(seed: int) -> None:
    """After every single value: the same window, the same mean, and a change found in the same step."""
    ours, theirs = Adwin(), AdaptiveWindowing(clock=1)
    for value in means(seed):
        step = ours.add(value)
        assert bool(step) == theirs.update(value)
        assert ours.n == theirs.get_width()
        assert ours.mean == pytest.approx(theirs.get_total() / theirs.get_width(), abs=1e-9)
    assert (ours.detections > 0) == (seed % 3 != 0)
