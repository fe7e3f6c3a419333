from __future__ import annotations

from math import comb

import pytest

from otel_ml_processor.statistics.hypergeometric import larger_share_p_value


def test_the_tail_is_counted_exactly() -> None:
    """Of 10 rows 4 hit and 5 are the window: three or four hits among the five happen in 66 of 252 draws."""
    draws = sum(comb(4, k) * comb(6, 5 - k) for k in (3, 4))

    assert larger_share_p_value(1, 5, 3, 5) == pytest.approx(draws / comb(10, 5))


def test_it_agrees_with_exact_integers_far_out() -> None:
    """40 hits in 1000 rows against 900 in 50 000: the ratio of two integers with thousands of digits."""
    hits, rows, drawn = 940, 51_000, 1000
    draws = sum(comb(hits, k) * comb(rows - hits, drawn - k) for k in range(40, hits + 1))

    assert larger_share_p_value(900, 50_000, 40, 1000) == pytest.approx(
        draws / comb(rows, drawn), rel=1e-8
    )


def test_a_smaller_share_is_no_evidence() -> None:
    """Fewer missing values than in the reference alarm nobody."""
    assert larger_share_p_value(500, 1000, 10, 1000) == pytest.approx(1)


@pytest.mark.parametrize(
    "table", [(0, 100, 0, 10), (100, 100, 10, 10), (0, 0, 5, 10), (3, 10, 0, 0), (0, 0, 0, 0)]
)
def test_where_nothing_can_differ_the_p_value_is_one(table: tuple[int, int, int, int]) -> None:
    """No row hits, every row hits, or a side has no rows: there is nothing to test."""
    assert larger_share_p_value(*table) == pytest.approx(1, abs=1e-9)


def test_a_window_of_millions_is_answered_at_once() -> None:
    """The size of the window costs nothing: ten million rows, and the tail still is what symmetry says (about a half)."""
    p_value = larger_share_p_value(10**7, 10**8, 10**6, 10**7)

    assert p_value == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((5, 4, 0, 1), "expected 0 to 4 hits among 4 rows, got 5"),
        ((0, 4, -1, 1), "expected 0 to 1 hits among 1 rows, got -1"),
    ],
)
def test_impossible_counts_are_refused(table: tuple[int, int, int, int], message: str) -> None:
    """More hits than rows, or fewer than none, are told with both numbers."""
    with pytest.raises(ValueError, match=message):
        larger_share_p_value(*table)
