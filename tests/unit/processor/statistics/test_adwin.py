"""What the window over means promises by itself; that it is river's is shown beside the other oracles."""

import math
import random

import pytest

from otel_ml_processor.statistics.adwin import Adwin


def test_a_step_is_told_with_its_size() -> None:
    """Where .9 becomes .6 for good, that it fell by .3 is found, and the window has let go of most of what was before."""
    adwin = Adwin()
    steps = [adwin.add(0.9) for _ in range(200)] + [adwin.add(0.6) for _ in range(200)]
    found = [step for step in steps if step]
    assert found
    assert found[0] == pytest.approx(-0.3, abs=0.05)
    assert 0.6 <= adwin.mean < 0.7


def test_steady_means_are_hardly_ever_cut() -> None:
    """Of 20 000 steady means at most 2 per thousand lead to a cut: the level that it is asked for."""
    source, adwin = random.Random(5), Adwin(delta=0.002)
    for _ in range(20_000):
        adwin.add(source.betavariate(8, 2))
    assert adwin.detections <= 40


def test_memory_grows_with_the_logarithm() -> None:
    """Of 20 000 values a few dozen numbers are kept."""
    adwin = Adwin()
    for _ in range(20_000):
        adwin.add(0.5)
    assert adwin.n == 20_000
    assert len(adwin.memory()) <= 6 * math.log2(20_000)


def test_it_goes_on_from_what_it_remembered() -> None:
    """One that recalls the memory of another says the same of every further value."""
    source, first, second = random.Random(3), Adwin(), Adwin()
    for _ in range(300):
        first.add(source.uniform(0.7, 1))
    second.recall(first.memory())
    for _ in range(300):
        value = source.uniform(0.3, 0.6)
        assert second.add(value) == first.add(value)
    assert second.memory() == first.memory()


def test_nothing_has_no_mean() -> None:
    """Before the first value the mean is not a number, and nothing raises."""
    assert math.isnan(Adwin().mean)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1])
def test_what_is_no_mean_of_shares_is_refused(value: float) -> None:
    """A value outside [0, 1] would break the promise, so it is named."""
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Adwin().add(value)


@pytest.mark.parametrize("level", [0, 1, -1, 2])
def test_a_level_is_a_probability(level: float) -> None:
    """A level of 0 would never cut, one of 1 always."""
    with pytest.raises(ValueError, match="level"):
        Adwin(level)


@pytest.mark.parametrize(
    "bucket", [(0, 0.0, 0.0), (1, 2.0, 0.0), (1, 0.5, -1.0), (1, math.nan, 0.0)]
)
def test_a_memory_that_is_none_is_refused(bucket: tuple[int, float, float]) -> None:
    """A damaged state is told, not believed."""
    with pytest.raises(ValueError, match="sum of values"):
        Adwin().recall([bucket])
