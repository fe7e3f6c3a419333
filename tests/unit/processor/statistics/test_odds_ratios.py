"""The exact test that two tables have the same odds ratio, against enumeration in whole numbers."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.statistics.odds_ratios import TwoProportions, changed_odds_ratio_p_value


@st.composite
def tables(draw: st.DrawFn) -> TwoProportions:
    """Draw two groups of at most thirty rows."""
    rows, other_rows = draw(st.integers(0, 30)), draw(st.integers(0, 30))
    hits, other_hits = draw(st.integers(0, rows)), draw(st.integers(0, other_rows))
    return TwoProportions(hits, rows, other_hits, other_rows)


def enumerated(before: TwoProportions, now: TwoProportions) -> float:
    """Return the same probability by counting all pairs of tables with these margins."""
    together = before.hits + now.hits

    def ways(table: TwoProportions, hits: int) -> int:
        rest = table.hits + table.other_hits - hits
        if hits < 0 or rest < 0:
            return 0
        return comb(table.rows, hits) * comb(table.other_rows, rest)

    weights = [ways(before, x) * ways(now, together - x) for x in range(together + 1)]
    observed = weights[before.hits]
    return float(Fraction(sum(w for w in weights if w <= observed), sum(weights)))


@given(tables(), tables())
def test_it_is_the_probability_of_tables_as_unlikely(
    before: TwoProportions, now: TwoProportions
) -> None:
    """Counted out, the share of all possible pairs of tables that are no more likely than these."""
    assert changed_odds_ratio_p_value(before, now) == pytest.approx(
        enumerated(before, now), rel=1e-8
    )


@given(tables(), tables())
def test_neither_order_nor_side_matters(before: TwoProportions, now: TwoProportions) -> None:
    """Which table came first and which group is the segment changes nothing."""
    p_value = changed_odds_ratio_p_value(before, now)
    swapped = [TwoProportions(*t[2:], *t[:2]) for t in (before, now)]
    assert changed_odds_ratio_p_value(now, before) == pytest.approx(p_value, rel=1e-8)
    assert changed_odds_ratio_p_value(*swapped) == pytest.approx(p_value, rel=1e-8)


def test_a_static_difference_says_nothing() -> None:
    """Twice the rate of the rest, before and now: nothing has changed, however many rows show it."""
    before = TwoProportions(20_000, 100_000, 10_000, 100_000)
    assert changed_odds_ratio_p_value(before, TwoProportions(2_000, 10_000, 1_000, 10_000)) > 0.9


def test_millions_of_rows_are_answered() -> None:
    """The part of the sum that matters is found, not all of it walked through; a clear change is certain."""
    before = TwoProportions(3_000_000, 10_000_000, 2_500_000, 10_000_000)
    now = TwoProportions(500_000, 1_000_000, 250_000, 1_000_000)
    assert changed_odds_ratio_p_value(before, now) < 1e-100


def test_false_alarms_are_no_more_frequent_than_promised() -> None:
    """Of 4000 windows in which nothing changed at most 5 % have p <= .05, give or take three standard errors."""
    random = np.random.default_rng(7)
    alarms = 0
    for _ in range(4000):
        before = TwoProportions(random.binomial(3000, 0.3), 3000, random.binomial(9000, 0.1), 9000)
        now = TwoProportions(random.binomial(150, 0.3), 150, random.binomial(450, 0.1), 450)
        alarms += changed_odds_ratio_p_value(before, now) <= 0.05
    assert alarms / 4000 <= 0.05 + 3 * (0.05 * 0.95 / 4000) ** 0.5


@pytest.mark.parametrize("wrong", [(-1, 3, 0, 3), (4, 3, 0, 3), (0, 3, 4, 3), (0, 3, -1, 3)])
def test_what_is_no_table_is_refused(wrong: tuple[int, int, int, int]) -> None:
    """More hits than rows, or fewer than none, is a mistake of the caller, and says so."""
    with pytest.raises(ValueError, match="hits <= rows"):
        changed_odds_ratio_p_value(TwoProportions(*wrong), TwoProportions(0, 1, 0, 1))
