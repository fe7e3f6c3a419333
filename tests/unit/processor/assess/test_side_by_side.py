"""Columns of any number of cells in one block."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from otel_ml_processor.assess import drift
from otel_ml_processor.assess.drift import statistics_of
from otel_ml_processor.assess.side_by_side import blocks, side_by_side
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Comparison
from tests.data.comparisons import compared, counted
from tests.data.together import compared_together, equally_correlated, normal_rows, profile_of


def test_fewer_cells_than_others_have_empty_ones_in_front() -> None:
    """The slots of all columns stand below each other, and the last value cells too."""
    wide = compared([1, 2, 3, 4], [5, 6, 7, 8], current_slots={Slot.MISSING: 9})
    narrow = compared([10, 20], [30, 40], reference_slots={Slot.ABOVE_RANGE: 2})

    reference, current = side_by_side([wide, narrow])

    assert reference[:, :-N_SLOTS].tolist() == [[1, 2, 3, 4], [0, 0, 10, 20]]
    assert current[:, :-N_SLOTS].tolist() == [[5, 6, 7, 8], [0, 0, 30, 40]]
    assert reference[:, -N_SLOTS:].tolist() == [[0] * 6, [0, 0, 0, 0, 0, 2]]
    assert current[:, -N_SLOTS:].tolist() == [[9, 0, 0, 0, 0, 0], [0] * 6]


def test_narrow_integers_become_wide_ones() -> None:
    """A window that has been laid to rest is held in few bytes, of which sums would run over."""
    counts = counted([250, 250])
    narrow = Comparison(
        compared([1], [1]).target, "x", ordered=True, reference=counts, current=counts.astype("u1")
    )

    _, current = side_by_side([narrow])

    assert current.dtype == np.int64
    assert current.sum() == 500


def test_pairs_stand_as_the_rows_that_have_all_features() -> None:
    """What is kept of pairs are sums, no cells: of them only the number of rows is a count, and no row is in a slot."""
    rng = np.random.default_rng(3)
    correlated = equally_correlated(5, 0.6)
    reference = Reference.of(profile_of(normal_rows(rng, 2000, correlated)))
    errors, pairs = compared_together(reference, normal_rows(rng, 300, correlated))

    before, now = side_by_side([errors, pairs])[:, 1]

    assert (before.sum(), now.sum()) == (2000, 300)
    assert (before[-N_SLOTS - 1], now[-N_SLOTS - 1]) == (2000, 300)


def test_a_column_far_wider_than_others_stands_alone() -> None:
    """What a block takes is bounded, whatever a profile says; nothing is left out, and nothing changes its place."""
    narrow, wide = compared([1, 2], [3, 4]), compared([1] * 90, [1] * 90)
    columns = [narrow, narrow, wide, narrow, wide]

    found = list(blocks(columns, max_cells=100))

    assert [columns[block] for block in found] == [[narrow, narrow], [wide], [narrow], [wide]]
    assert list(blocks(columns)) == [slice(0, 5)]
    assert list(blocks([])) == []


def test_readings_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one block or in many, drift is told alike."""
    rng = np.random.default_rng(11)
    columns = [
        compared(rng.integers(1, 50, size=n).tolist(), rng.integers(1, 50, size=n).tolist())
        for n in (3, 40, 5, 40, 7)
    ]
    together = statistics_of(columns)

    monkeypatch.setattr(drift, "blocks", partial(blocks, max_cells=45))

    for apart, beside in zip(statistics_of(columns), together, strict=True):
        assert apart.keys() == beside.keys()
        for driver, found in apart.items():
            assert found.p_value == pytest.approx(beside[driver].p_value, rel=1e-11)
