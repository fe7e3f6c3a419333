"""Where a category is counted."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.columns import Kind, ValueColumn
from otel_ml_processor.sketches.categories import MAX_OTHER_KNOWN, Categories, category_of
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from tests.data.value_columns import ABSENT, value_column

CARRIERS = Categories(("UA", "B6"), frozenset({"HA", "OO"}))


def test_frequent_names_have_a_cell_and_rarer_known_ones_share_the_last() -> None:
    """UA and B6 are counted each, HA and OO together."""
    column = value_column(["B6", "UA", "HA", "OO", "UA"])

    assert CARRIERS.assign(column).tolist() == [1, 0, 2, 2, 0]
    assert CARRIERS.count(column).tolist() == [2, 1, 2] + [0] * N_SLOTS


@pytest.mark.parametrize(
    ("value", "slot"),
    [
        ("ZZ", Slot.UNSEEN),
        ("ua", Slot.UNSEEN),
        ("", Slot.UNSEEN),
        (12, Slot.UNSEEN),
        (True, Slot.UNSEEN),
        ("Infinity", Slot.UNSEEN),
        (float("inf"), Slot.NON_FINITE),
        (None, Slot.MISSING),
        (float("nan"), Slot.MISSING),
        ({"a": 1}, Slot.TYPE_ERROR),
    ],
)
def test_what_the_reference_does_not_know_has_a_slot_of_its_own(value: object, slot: Slot) -> None:
    """A name never seen is unseen, not `other`; missing, infinite and mistyped values are told apart from it."""
    counts = CARRIERS.count(value_column([value]))

    assert counts[CARRIERS.n_cells + slot] == 1
    assert counts.sum() == 1


def test_the_same_category_is_found_whatever_type_it_was_sent_as() -> None:
    """3, 3.0 and "3" are one category, so are True and "True"; "3.0" as a text is another."""
    codes = Categories(("3", "2.5", "True", "0"), frozenset({"-7"}))
    column = value_column([3, 3.0, "3", 2.5, "2.5", True, "True", -0.0, -7, "3.0", 1, False])

    unseen = codes.n_cells + Slot.UNSEEN
    assert codes.assign(column).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 4, unseen, unseen, unseen]


@pytest.mark.parametrize(
    ("number", "name"),
    [(3.0, "3"), (-0.0, "0"), (2.5, "2.5"), (1e16, "10000000000000000"), (1e-7, "1e-07")],
)
def test_a_whole_number_is_named_without_a_fraction(number: float, name: str) -> None:
    """`1`, never `1.0`: the same name in profiles and on the wire."""
    assert category_of(number) == name


def test_known_names_that_only_look_like_numbers_do_not_catch_numbers() -> None:
    """A text "007" or "1e3" is a name; the number 7 or 1000 is not it."""
    names = Categories(("007", "1e3", "nan", "inf", "1_0"), frozenset())
    unseen = names.n_cells + Slot.UNSEEN

    assert names.assign(value_column([7, 1000, 10])).tolist() == [unseen] * 3
    assert names.assign(value_column(["007", "1e3", "nan", "inf", "1_0"])).tolist() == list(
        range(5)
    )


def test_a_list_of_known_names_that_was_cut_calls_nothing_unseen() -> None:
    """With 1000 other names kept there may have been more, so a name not among them may have been one; one less, and it is unseen."""
    kept = [f"tail {i}" for i in range(MAX_OTHER_KNOWN)]
    cut = Categories(("UA",), frozenset(kept))
    whole = Categories(("UA",), frozenset(kept[1:]))

    assert cut.assign(value_column(["new", 5, False])).tolist() == [1, 1, 1]
    assert whole.assign(value_column(["new"])).tolist() == [whole.n_cells + Slot.UNSEEN]


def test_what_was_not_captured_is_counted_nowhere() -> None:
    """An absent value is neither missing nor unseen."""
    assert CARRIERS.count(value_column([ABSENT])).tolist() == [0] * (3 + N_SLOTS)


def test_a_text_is_looked_up_once_per_dictionary_entry() -> None:
    """Rows refer to the dictionary; an entry that no row uses is not counted."""
    column = ValueColumn(
        kinds=np.full(4, Kind.TEXT, dtype=np.uint8),
        numbers=np.full(4, np.nan),
        texts=np.array([2, 2, 0, 2]),
        dictionary=("UA", "ZZ", "B6"),
    )

    assert CARRIERS.count(column).tolist() == [1, 3, 0] + [0] * N_SLOTS


def test_names_have_no_range() -> None:
    """Nothing is below or above a category."""
    assert CARRIERS.outside(value_column(["UA", 1e300])).tolist() == [0, 0]
