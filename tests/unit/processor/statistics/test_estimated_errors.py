"""A tree of expected errors: its leaves divide all rows, and say what a walk from its root would."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from otel_ml_processor.statistics.estimated_errors import (
    MAX_LEAVES,
    CellColumn,
    Split,
    expected_errors,
    grown_tree,
    leaf_masks,
    leaves_of,
)


def columns_of(seed: int, n: int = 4_000) -> list[CellColumn]:
    """Return an ordered column of 20 cells, one of 7 categories, and one of two."""
    random = np.random.default_rng(seed)
    return [
        CellColumn(random.integers(0, 20, n), 20, ordered=True),
        CellColumn(random.integers(0, 7, n), 7, ordered=False),
        CellColumn(random.integers(0, 2, n), 2, ordered=True),
    ]


def walked(splits: list[Split], cells: list[int]) -> int:
    """Return the leaf of one row, question by question."""
    child = 0
    while child >= 0:
        split = splits[child]
        child = split.children[0] if cells[split.column] in split.inside else split.children[1]
    return -1 - child


def leaves(splits: list[Split], columns: list[CellColumn]) -> np.ndarray:
    """Return the leaf of each row, by masks."""
    masks = leaf_masks(splits, [column.n_cells for column in columns])
    return leaves_of(np.stack([m[c.cells] for m, c in zip(masks, columns, strict=True)]))


@given(st.integers(0, 2**32 - 1))
def test_masks_lead_where_a_walk_from_the_root_does(seed: int) -> None:
    """Whatever the tree: every row has exactly one leaf, the one that the questions lead to."""
    columns = columns_of(seed, 1_500)
    errors = np.random.default_rng(seed).exponential(1 + columns[0].cells % 5 + columns[1].cells)
    splits = grown_tree(columns, errors)
    found = leaves(splits, columns)
    rows = zip(*(column.cells[:200].tolist() for column in columns), strict=True)
    assert found[:200].tolist() == [walked(splits, list(row)) for row in rows]
    assert set(found.tolist()) == set(range(len(splits) + 1))


def test_leaves_are_few_and_none_is_small() -> None:
    """At most 32 leaves, of 100 rows each at least."""
    columns = columns_of(1, 40_000)
    errors = (columns[0].cells + 3.0 * columns[1].cells) ** 2
    sizes = np.bincount(leaves(grown_tree(columns, errors), columns))
    assert len(sizes) == MAX_LEAVES
    assert sizes.min() >= 100


def test_it_explains_as_much_as_the_tree_of_scikit_learn() -> None:
    """Of ordered columns, with as many leaves of as many rows: the same reduction of variance, to a thousandth."""
    columns = columns_of(2, 8_000)[::2]
    noise = np.random.default_rng(3).exponential(1, 8_000)
    errors = np.sqrt(columns[0].cells * (1 + 2 * columns[1].cells)) + 0.1 * noise
    cells = np.stack([column.cells for column in columns], axis=1)
    peer = DecisionTreeRegressor(max_leaf_nodes=MAX_LEAVES, min_samples_leaf=100).fit(cells, errors)

    found = leaves(grown_tree(columns, errors), columns)
    means = np.bincount(found, errors) / np.bincount(found)
    explained = 1 - ((errors - means[found]) ** 2).mean() / errors.var()
    assert explained == pytest.approx(peer.score(cells, errors), abs=1e-3)


def test_categories_are_grouped_by_their_errors_whatever_their_numbers() -> None:
    """Categories 1, 3 and 5 are wrong by 4, the others by 1: one question tells them apart."""
    cells = np.arange(7_000) % 7
    errors = np.where(np.isin(cells, (1, 3, 5)), 4.0, 1.0)
    (split,) = grown_tree([CellColumn(cells, 7, ordered=False)], errors)
    assert set(split.inside) in ({0, 2, 4, 6}, {1, 3, 5})


@pytest.mark.parametrize(
    "errors", [np.ones(4_000), np.zeros(4_000), np.full(4_000, 0.1)], ids=["ones", "zeros", "tenth"]
)
def test_errors_that_are_all_alike_have_no_tree(errors: np.ndarray) -> None:
    """Nothing tells rows apart that are wrong by the same; rounding is no reason for a split."""
    assert grown_tree(columns_of(4), errors) == []


def test_a_handful_of_rows_has_no_tree() -> None:
    """Fewer than two leaves of 100 rows cannot be divided."""
    columns = columns_of(5, 199)
    assert grown_tree(columns, columns[0].cells.astype(float)) == []


def test_a_leaf_may_be_of_a_hundred_rows() -> None:
    """Two hundred rows of which half are wrong by 1 and half by 4 are two leaves; where one is missing on either side they stay one."""
    cells = np.repeat([0, 1], 100)
    errors = np.where(cells, 4.0, 1.0)
    (split,) = grown_tree([CellColumn(cells, 2, ordered=True)], errors)
    assert split.inside == (0,)
    for kept in (cells[1:], cells[:-1]):
        assert grown_tree([CellColumn(kept, 2, ordered=True)], np.where(kept, 4.0, 1.0)) == []


def test_a_column_in_order_is_cut_at_one_place() -> None:
    """Where the middle of a range is wrong by more, what lies below a value is asked, never what lies around it."""
    cells = np.arange(6_000) % 6
    errors = np.where(np.isin(cells, (2, 3)), 4.0, 1.0)
    splits = grown_tree([CellColumn(cells, 6, ordered=True)], errors)
    assert [split.inside for split in splits] == [
        tuple(range(len(split.inside))) for split in splits
    ]
    assert {walked(splits, [cell]) for cell in (2, 3)}.isdisjoint(
        walked(splits, [cell]) for cell in (0, 1, 4, 5)
    )


@pytest.mark.parametrize("n", [300, 4_000])
def test_one_wild_error_decides_nothing(n: int) -> None:
    """An error of 1e300 leaves the questions as they are, in few rows too."""
    columns = columns_of(6, n)
    errors = 1.0 + (columns[0].cells > 9)
    wild = errors.copy()
    wild[0] = 1e300
    assert grown_tree(columns, wild) == grown_tree(columns, np.where(wild > 2, 2.0, wild))


def test_expected_errors_are_means_over_rows() -> None:
    """Three rows that are wrong by 1, one by 5, with squares 2 and 26: as worked out by hand. Of nothing they are not known."""
    groups = np.array([1.0, 5.0]), np.array([2.0, 26.0])
    found = expected_errors(np.array([3, 1]), *groups)
    assert found == {"mae": 2.0, "rmse": math.sqrt(8.0)}
    assert all(map(math.isnan, expected_errors(np.array([0, 0]), *groups).values()))
