from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.statistics.pooling import pooled


def test_cells_that_expect_enough_are_left_alone() -> None:
    """Where the approximation holds, no detail is given away."""
    reference, current = np.array([50, 60, 70]), np.array([10, 10, 10])

    left, right = pooled(reference, current, ordered=True)

    assert left.tolist() == [50, 60, 70]
    assert right.tolist() == [10, 10, 10]


def test_ordered_cells_join_their_neighbours_in_order() -> None:
    """
    The window is a tenth of all rows, so a cell needs 50 of both to expect 5 in it.

    From the left: 20 + 40 of both are enough, 60 is, 10 + 10 are not and join the group before them.
    """
    reference = np.array([18, 36, 54, 9, 9])
    current = np.array([2, 4, 6, 1, 1])

    left, right = pooled(reference, current, ordered=True)

    assert left.tolist() == [54, 72]
    assert right.tolist() == [6, 8]


def test_the_rarest_categories_join_each_other() -> None:
    """Categories have no neighbours: what is rare comes together, wherever it stands, with as much more as it needs."""
    reference = np.array([9, 540, 27, 270, 54])
    current = np.array([1, 60, 3, 30, 6])

    left, right = pooled(reference, current, ordered=False)

    assert left.tolist() == [540, 270, 90]
    assert right.tolist() == [60, 30, 10]


def test_too_few_rows_leave_one_cell() -> None:
    """Five rows cannot expect five in two cells, in order or not."""
    reference, current = np.array([400, 300, 300]), np.array([2, 1, 2])

    for ordered in (True, False):
        left, right = pooled(reference, current, ordered=ordered)
        assert left.tolist() == [1000]
        assert right.tolist() == [5]


def test_the_smaller_side_decides_also_when_it_is_the_reference() -> None:
    """A reference of a hundred rows under a window of ten thousand is pooled just as the other way round."""
    small, large = np.array([97, 1, 2]), np.array([9700, 100, 200])

    left, right = pooled(small, large, ordered=False)

    assert left.tolist() == [100]
    assert right.tolist() == [10_000]


def test_which_side_a_row_is_on_does_not_change_the_cells() -> None:
    """Pooling looks at both sides together, so it cannot favour an alarm."""
    both = np.array([300, 20, 30, 500, 100, 50])
    one = np.array([30, 20, 0, 40, 10, 0])
    other = np.array([26, 0, 8, 50, 6, 10])

    for ordered in (True, False):
        left = sum(pooled(both - one, one, ordered=ordered))
        right = sum(pooled(both - other, other, ordered=ordered))
        assert np.array_equal(left, right)


def test_sides_that_cannot_be_compared_are_refused() -> None:
    """Different cells and empty sides are told with both numbers."""
    with pytest.raises(ValueError, match="reference has 2 bins but current has 1"):
        pooled(np.array([1, 1]), np.array([1]), ordered=True)
    with pytest.raises(ValueError, match="reference has 0 samples and current has 1"):
        pooled(np.array([0]), np.array([1]), ordered=False)
