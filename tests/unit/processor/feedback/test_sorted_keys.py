"""Where the keys of predictions lead to, however many there are."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.feedback import sorted_keys
from otel_ml_processor.feedback.sorted_keys import SortedKeys


@pytest.mark.parametrize("run", [1, 7, 64, 1 << 16])
def test_a_key_leads_where_a_dictionary_says(run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts of any size, with look-ups between them and keys that come twice, the first one holds; a strange key leads nowhere."""
    monkeypatch.setattr(sorted_keys, "RUN", run)
    random = np.random.default_rng(run)
    keys, twin = SortedKeys(), dict[int, int]()
    sought = np.arange(60, dtype=np.uint64)
    for _ in range(40):
        new = random.integers(0, 50, random.integers(0, 12), dtype=np.uint64)
        rows = random.integers(0, 1000, len(new), dtype=np.int32)
        keys.add(new, rows)
        for key, row in zip(new.tolist(), rows.tolist(), strict=True):
            twin.setdefault(key, row)
        if random.random() < 0.5:
            assert keys.rows(sought).tolist() == [twin.get(key, -1) for key in sought.tolist()]
    assert keys.rows(sought).tolist() == [twin.get(key, -1) for key in sought.tolist()]


def test_the_largest_keys_are_told_apart() -> None:
    """Keys use all of their 64 bits; those beside each other at the end are different ones."""
    keys = SortedKeys()
    last = np.array([(1 << 64) - 1, (1 << 64) - 2, 1 << 63], dtype=np.uint64)
    keys.add(last, np.array([3, 2, 1], dtype=np.int32))
    assert keys.rows(last).tolist() == [3, 2, 1]
    assert keys.rows(last - np.uint64(3)).tolist() == [-1, -1, -1]


def test_nothing_leads_nowhere() -> None:
    """An empty look-up gives nothing, and where there are no keys every look-up is in vain."""
    keys = SortedKeys()
    none = np.zeros(0, dtype=np.uint64)
    keys.add(none, none.astype(np.int32))
    assert keys.rows(none).tolist() == []
    assert keys.rows(np.array([0, 5], dtype=np.uint64)).tolist() == [-1, -1]
