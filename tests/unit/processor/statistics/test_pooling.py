from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from otel_ml_processor.statistics.pooling import pooled

IntArray = NDArray[np.int64]


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


def test_exactly_as_many_as_are_needed_are_enough() -> None:
    """A third of 9 + 5 + 1 rows is 5, though the thirds of each, added up in binary, are a little less."""
    reference, current = np.array([2, 1, 0, 27]), np.array([7, 4, 1, 48])

    left, right = pooled(reference, current, ordered=True)

    assert left.tolist() == [3, 27]
    assert right.tolist() == [12, 48]


def plainly_pooled(reference: IntArray, current: IntArray, *, ordered: bool) -> list[list[int]]:
    """Return the groups of both sides, one cell taken after the other: the naive twin of `pooled`."""
    cells = list(zip(reference.tolist(), current.tolist(), strict=True))
    n, m = (sum(side) for side in zip(*cells, strict=True))
    if not ordered:
        cells.sort(key=sum, reverse=True)

    def is_enough(group: list[tuple[int, int]]) -> bool:
        return sum(map(sum, group)) * min(n, m) >= 5 * (n + m)

    if ordered:
        groups: list[list[tuple[int, int]]] = [[]]
        for cell in cells:
            if is_enough(groups[-1]):
                groups.append([])
            groups[-1].append(cell)
    else:
        groups = [[cell] for cell in cells if is_enough([cell])]
        groups.append(cells[len(groups) :])
    while len(groups) > 1 and not is_enough(groups[-1]):
        groups[-2:] = [groups[-2] + groups[-1]]
    return [[sum(cell[side] for cell in group) for group in groups] for side in (0, 1)]


@pytest.mark.parametrize("ordered", [True, False])
def test_columns_are_pooled_as_each_by_itself(ordered: bool) -> None:
    """Three hundred columns at once have the groups of a plain loop over their cells, and empty cells behind them."""
    rng = np.random.default_rng(53)
    shares = rng.dirichlet(np.full(12, 0.3), size=300)
    sizes = rng.choice([1, 30, 60, 900], size=(2, 300))
    reference, current = (
        np.stack([rng.multinomial(n, row) for n, row in zip(side, shares, strict=True)])
        for side in sizes
    )

    found = pooled(reference, current, ordered=ordered)

    assert found[0].shape == found[1].shape
    for i in range(300):
        groups = plainly_pooled(reference[i], current[i], ordered=ordered)
        for side, expected in zip(found, groups, strict=True):
            empty = side.shape[-1] - len(expected)
            assert side[i].tolist() == expected + [0] * empty


def test_sides_that_cannot_be_compared_are_refused() -> None:
    """Different cells and empty sides are told with both numbers."""
    with pytest.raises(ValueError, match="reference has 2 bins but current has 1"):
        pooled(np.array([1, 1]), np.array([1]), ordered=True)
    with pytest.raises(ValueError, match="reference has 0 samples and current has 1"):
        pooled(np.array([0]), np.array([1]), ordered=False)
