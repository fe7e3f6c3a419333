"""Counts by value of a text, against a naive twin."""

import math
import random

import numpy as np
import pytest

from otel_ml_processor.columns import TextColumn
from otel_ml_processor.sketches.by_value import ByValue

VALUES = ("emea", "apac", "amer", "größe", "x")


def rows(n: int, seed: int = 1) -> tuple[TextColumn, tuple[np.ndarray, ...], np.ndarray]:
    """Return texts (some rows without), three scores (some not said, some no probability), and one place among three outputs."""
    random_ = np.random.default_rng(seed)
    codes = random_.integers(-1, len(VALUES), n)
    scores = tuple(np.where(random_.random(n) < 0.1, np.nan, random_.random(n)) for _ in range(3))
    scores[0][:3] = [7.0, -1.0, math.inf]
    return TextColumn(codes, VALUES), scores, random_.integers(-2, 5, (1, n))


def counted(*parts: tuple[TextColumn, tuple[np.ndarray, ...], np.ndarray]) -> ByValue:
    """Return the counts of *parts*, added one after the other."""
    by_value = ByValue(0.7, 3, 3)
    for texts, scores, outputs in parts:
        by_value.add(texts, scores, outputs)
    return by_value


def test_each_value_is_counted_as_if_it_were_alone() -> None:
    """Rows, low ones, means, quantiles and outputs of a value are those of its rows, worked out one by one."""
    texts, scores, outputs = rows(500)
    by_value = ByValue(0.7, 10, 3)
    by_value.add(texts, scores, outputs)
    for value, found in by_value:
        mine = texts.codes == VALUES.index(value)
        sure = [s for s in scores[0][mine] if 0 <= s <= 1]
        assert found.rows == mine.sum()
        assert found.confident_rows == len(sure)
        assert found.low == sum(s < 0.7 for s in sure)
        assert found.means[0] == pytest.approx(sum(sure) / len(sure), abs=1e-9)
        assert found.means[2] == pytest.approx(np.nanmean(scores[2][mine]), abs=1e-9)
        exact = sorted(sure)[math.ceil(len(sure) / 2) - 1]
        assert exact <= found.quantile(0.5) <= exact + 0.01
        assert found.outputs.tolist() == [(outputs[0][mine] == k).sum() for k in range(3)]


def test_texts_that_no_row_has_change_nothing() -> None:
    """However many texts a request names beside those of the rows, the counts are the same."""
    texts, scores, outputs = rows(500)
    many = tuple(f"text {k}" for k in range(1000))
    further = TextColumn(np.where(texts.codes < 0, -1, texts.codes + 400), many[:400] + VALUES)
    by_value = counted((further, scores, outputs))
    assert {v: b.tolist() for v, b in by_value.blocks.items()} == {
        v: b.tolist() for v, b in counted((texts, scores, outputs)).blocks.items()
    }
    assert len(by_value) == 3
    nothing = counted((TextColumn(np.full(500, -1), many), scores, outputs))
    assert (len(nothing), nothing.others) == (0, None)


def test_order_and_division_change_nothing() -> None:
    """Whole, in parts, and merged backwards: the same integers, also of the values that are not told apart."""
    parts = [rows(200, seed) for seed in range(4)]
    whole = counted(*parts)
    merged = ByValue(0.7, 3, 3)
    for part in random.Random(2).sample(parts, 4):
        merged.merge(counted(part))
    assert {v: b.tolist() for v, b in merged.blocks.items()} == {
        v: b.tolist() for v, b in whole.blocks.items()
    }
    assert whole.others is not None
    assert merged.others is not None
    assert merged.others.tolist() == whole.others.tolist()
    assert whole.whole.rows == sum((texts.codes >= 0).sum() for texts, _, _ in parts)


def test_memory_is_bounded_whatever_comes() -> None:
    """Of ten thousand values three are told apart, the known ones first; no row is lost."""
    by_value = ByValue(0.7, 3, known=["v7777"])
    names = tuple(f"v{i}" for i in range(10_000))
    nothing = np.full(10_000, np.nan)
    by_value.add(TextColumn(np.arange(10_000), names), (nothing, nothing, nothing))
    assert {value for value, _ in by_value} == {"v7777", "v0", "v1"}
    assert by_value.rest is not None
    assert by_value.rest.rows == 10_000 - 3


def test_a_text_that_is_too_long_is_no_name() -> None:
    """It is counted among the others."""
    by_value = ByValue(0.7, 3)
    sure = np.array([0.5])
    by_value.add(TextColumn(np.array([0]), ("x" * 300,)), (sure, sure, sure))
    assert not len(by_value)
    assert by_value.rest is not None
    assert by_value.rest.low == 1


def test_nothing_has_no_mean_and_no_quantile() -> None:
    """No row at all, or rows that say no score: not a number, never an exception."""
    by_value = ByValue(0.7, 3)
    empty = np.zeros(0)
    by_value.add(TextColumn(np.zeros(0, dtype=np.int64), ()), (empty, empty, empty))
    assert by_value.rest is None
    assert math.isnan(by_value.whole.quantile(0.5))
    assert all(map(math.isnan, by_value.whole.means))


def test_unlike_ones_are_not_merged() -> None:
    """Another threshold, or other outputs, would make the sum mean nothing."""
    for other in (ByValue(0.6, 3), ByValue(0.7, 3, 2)):
        with pytest.raises(ValueError, match="both must be alike"):
            ByValue(0.7, 3).merge(other)


def test_blocks_of_another_length_are_refused() -> None:
    """A damaged state is told, and nothing of it is added."""
    by_value = ByValue(0.7, 3)
    with pytest.raises(ValueError, match="expected blocks of"):
        by_value.add_counts({"emea": np.zeros(3, dtype=np.int64)}, None)
    assert not len(by_value)
