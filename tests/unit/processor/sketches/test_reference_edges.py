"""Where the edges between bins lie."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from otel_ml_processor.sketches.reference_edges import MAX_DISTINCT, reference_edges


def edges_of(values: list[float] | np.ndarray) -> list[float]:
    """Return the edges that the reference *values* get."""
    return reference_edges(*np.unique(np.asarray(values, dtype=float), return_counts=True)).tolist()


def masses(values: list[float] | np.ndarray) -> list[int]:
    """Return the rows per bin, counted by numpy's own rule for bins closed on the right."""
    edges = [-np.inf, *edges_of(values), np.inf]
    return [
        int(sum(low < value <= high for value in values)) for low, high in itertools.pairwise(edges)
    ]


def test_many_distinct_values_make_twenty_bins_of_equal_mass() -> None:
    """Of 0 ... 199 each bin has ten, and edges are 9.5, 19.5 ... 189.5."""
    assert edges_of(np.arange(200)) == [10 * k - 0.5 for k in range(1, 20)]


def test_few_distinct_values_have_a_bin_each() -> None:
    """Up to 32 values, however unequal their shares, the edges are midway between neighbours."""
    assert edges_of([1, 1, 1, 2, 4, 4, 8]) == [1.5, 3.0, 6.0]
    assert len(edges_of(np.arange(MAX_DISTINCT))) == MAX_DISTINCT - 1
    assert len(edges_of(np.arange(MAX_DISTINCT + 1))) == 19


@pytest.mark.parametrize("value", [5.0, 0.0, -1e-3, 1e300, np.finfo(float).max, 0.1])
def test_a_constant_column_tells_every_other_value_apart(value: float) -> None:
    """A default that is always 5 has drifted when it is always 6; what float32 makes of 5 has not."""
    bins = np.searchsorted(
        edges_of([value, value]), [value, np.float32(value) if abs(value) < 1e30 else value]
    )
    assert bins[0] == bins[1]
    others = [value * 0.99 - 0.01, -value - 1.0]
    assert bins[0] not in np.searchsorted(edges_of([value]), others)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("where", [-1.0, 50.5, 1000.0])
def test_a_value_that_many_rows_share_has_a_bin_of_its_own(share: float, where: float) -> None:
    """Zero for "none", 999 for "unknown": the pile at one value, low, middle or high, is not mixed with its neighbours."""
    others = np.arange(100.0)
    pile = np.full(round(len(others) * share / (1 - share)), where)

    assert len(pile) in masses(np.concatenate([others, pile]))


def test_no_bin_is_empty() -> None:
    """There is no edge beyond the largest value, and none twice, even where most rows share two values."""
    values = np.concatenate([np.zeros(500), np.ones(400), np.linspace(2, 3, 50)])

    assert min(masses(values)) > 0


def test_values_next_to_each_other_are_divided() -> None:
    """Between adjacent floats there is no middle, between huge ones the sum overflows; the edge still lies between them."""
    up = np.nextafter(1.0, 2.0)
    tiny = 5e-324

    assert edges_of([1.0, up]) == [1.0]
    assert edges_of([0.0, tiny]) == [0.0]
    assert edges_of([3 * tiny, 4 * tiny]) == [3 * tiny]
    assert edges_of([1e308, 1.7e308]) == [1.35e308]
    assert edges_of([-1.7e308, 1.7e308]) == [0.0]
