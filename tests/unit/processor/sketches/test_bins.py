"""Where a number is counted."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from tests.data.value_columns import ABSENT, value_column

AGES = Bins(np.array([18.0, 40.0, 65.0]), minimum=0.0, maximum=100.0)


def test_a_value_on_an_edge_lies_in_the_bin_below_it() -> None:
    """Bins are closed on the right: 18 is still in the first bin, the next number is not."""
    column = value_column([18, np.nextafter(18.0, 19.0), 40, 65, 65.5])

    assert AGES.assign(column).tolist() == [0, 1, 1, 2, 3]


def test_every_finite_number_has_a_bin() -> None:
    """The outer bins are open: a number far outside the reference is counted in them, not lost."""
    column = value_column([-1e300, 1e300, 10**29, -0.0, 5e-324])

    assert AGES.assign(column).tolist() == [0, 3, 3, 0, 0]


@pytest.mark.parametrize(
    ("value", "slot"),
    [
        (None, Slot.MISSING),
        (float("nan"), Slot.MISSING),
        (float("inf"), Slot.NON_FINITE),
        (float("-inf"), Slot.NON_FINITE),
        ("Infinity", Slot.NON_FINITE),
        ("-Infinity", Slot.NON_FINITE),
        ("infinity", Slot.TYPE_ERROR),
        ("42", Slot.TYPE_ERROR),
        ("", Slot.TYPE_ERROR),
        ([1, 2], Slot.TYPE_ERROR),
    ],
)
def test_what_is_no_number_has_a_slot_of_its_own(value: object, slot: Slot) -> None:
    """A missing, infinite or mistyped value never lands in a bin, and is told apart from the others."""
    counts = AGES.count(value_column([value]))

    assert counts[AGES.n_cells + slot] == 1
    assert counts.sum() == 1


def test_a_boolean_is_zero_or_one() -> None:
    """A producer that sends `true` for a 0/1 feature is understood."""
    flag = Bins(np.array([0.5]), minimum=0.0, maximum=1.0)

    assert flag.assign(value_column([False, True])).tolist() == [0, 1]


def test_what_was_not_captured_is_counted_nowhere() -> None:
    """Content that the producer cut says nothing about the value: it is not missing."""
    column = value_column([ABSENT, 30, ABSENT])

    assert AGES.assign(column).tolist() == [-1, 1, -1]
    assert AGES.count(column).tolist() == [0, 1, 0, 0] + [0] * N_SLOTS


def test_numbers_beyond_the_reference_are_also_counted_as_out_of_range() -> None:
    """Below and above are counted apart, each beside its outer bin; the limits themselves and infinities are not outside."""
    column = value_column([-1, -5, 0, 100, 101, float("inf"), None, "x", True])

    outside = AGES.outside(column)
    counts = AGES.count(column)

    assert outside.tolist() == [-1, -1, 0, 0, 1, 0, 0, 0, 0]
    assert counts[AGES.n_cells + Slot.BELOW_RANGE] == 2
    assert counts[AGES.n_cells + Slot.ABOVE_RANGE] == 1
    assert counts[: AGES.n_cells].tolist() == [4, 0, 0, 2]


def test_an_empty_column_counts_nothing() -> None:
    """No rows give zeros of the full shape, not an error."""
    assert AGES.count(value_column([])).tolist() == [0] * (4 + N_SLOTS)


def test_a_constant_column_has_one_bin() -> None:
    """Without edges everything finite is in the only bin, and leaving the reference's value shows as out of range."""
    constant = Bins(np.array([]), minimum=7.0, maximum=7.0)

    counts = constant.count(value_column([7, 8]))

    assert counts[0] == 2
    assert counts[1 + Slot.ABOVE_RANGE] == 1
