"""Sums over ordered lists: scikit-learn's means, and what is taken back leaves no trace."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from otel_ml_processor.statistics.ranking_sums import RankingSums

lists = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=2, max_size=12), min_size=1, max_size=6
)


def order_of(relevance: np.ndarray) -> np.ndarray:
    """Return scores that put items where they stand."""
    return -np.arange(len(relevance), dtype=float)


@given(lists)
def test_means_are_those_of_scikit_learn(shown: list[list[float]]) -> None:
    """NDCG and MAP over the lists with a relevant item, MRR over all of them."""
    sums = RankingSums()
    relevances = [np.array(one) for one in shown]
    for relevance in relevances:
        sums.add(relevance)
    relevant = [r for r in relevances if r.any()]
    first = [1 / (np.flatnonzero(r)[0] + 1) if r.any() else 0.0 for r in relevances]
    assert sums.scores["mrr"] == pytest.approx(np.mean(first))
    if not relevant:
        assert math.isnan(sums.scores["ndcg"])
        assert math.isnan(sums.scores["map"])
        return
    gains = [ndcg_score([r], [order_of(r)]) for r in relevant]
    precisions = [average_precision_score(r > 0, order_of(r)) for r in relevant]
    assert sums.scores["ndcg"] == pytest.approx(np.mean(gains))
    assert sums.scores["map"] == pytest.approx(np.mean(precisions))


@given(lists, lists)
def test_parts_are_merged_and_taken_back(one: list[list[float]], other: list[list[float]]) -> None:
    """Two parts together are the whole, and without the second again the first."""
    first, second, both = RankingSums(), RankingSums(), RankingSums()
    for sums, shown in ((first, one), (second, other), (both, one), (both, other)):
        for relevance in shown:
            sums.add(np.array(relevance))
    second.merge(first)
    assert second.scores == pytest.approx(both.scores, nan_ok=True)
    for relevance in other:
        both.take_back(np.array(relevance))
    assert both.lists == first.lists
    assert both.relevant == first.relevant
    assert both.scores == pytest.approx(first.scores, nan_ok=True)


def test_nothing_has_no_score() -> None:
    """Without a list every score is unknown, not zero."""
    assert all(map(math.isnan, RankingSums().scores.values()))


def test_gains_near_the_largest_number_are_gains() -> None:
    """Only how they compare matters: the largest there are, and the smallest, give what 1 and 0 do."""
    expected = ndcg_score([[0.0, 1.0, 1.0]], [order_of(np.zeros(3))])
    for gain in (1.7e308, 5e-324):
        sums = RankingSums()
        sums.add(np.array([0.0, gain, gain]))
        assert sums.scores["ndcg"] == pytest.approx(expected)
