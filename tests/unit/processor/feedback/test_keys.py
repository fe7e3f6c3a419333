"""How predictions are told apart by one number."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.feedback import keys
from otel_ml_processor.feedback.keys import (
    NO_KEY,
    context_key,
    id_key,
    sample_key,
    sample_keys,
    span_keys,
)


def ids_of(trace_id: bytes, span_id: bytes) -> np.ndarray:
    """Return ids as a decoder gives them."""
    return np.frombuffer(trace_id + span_id, dtype="<u8").reshape(1, 3)


def test_a_span_has_one_key_however_it_is_named() -> None:
    """By the decoder's numbers, by the bytes in a log record, by an id in the form of a traceparent."""
    trace_id, span_id = bytes(range(16)), bytes(range(8))
    key = context_key(trace_id, span_id)
    assert key != NO_KEY
    assert span_keys(ids_of(trace_id, span_id)).tolist() == [key]
    assert id_key(f"00-{trace_id.hex()}-{span_id.hex()}-01") == key
    assert id_key(f"00-{trace_id.hex()}-{span_id.hex()}-00") == key


def mixed(word: int) -> int:
    """Return the finaliser of MurmurHash3, as it is published."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        word = (word ^ (word >> 33)) * factor % (1 << 64)
    return word ^ (word >> 33)


@pytest.mark.parametrize("is_compiled", [IS_COMPILED, False])
def test_keys_are_what_is_published(monkeypatch: pytest.MonkeyPatch, *, is_compiled: bool) -> None:
    """With a compiler or without, laid out as columns or as rows: predictions that a restart keeps are found by whoever goes on."""
    monkeypatch.setattr(keys, "IS_COMPILED", is_compiled)
    random = np.random.default_rng(3)
    ids = random.integers(0, 1 << 64, (1000, 3), dtype=np.uint64)
    ids[::7, 2] = 0
    ids[3::7, :2] = 0
    ids[5::7, 0] = 0
    expected = [
        max(1, mixed(mixed(mixed(span) ^ first) ^ second)) if span and first | second else NO_KEY
        for first, second, span in ids.tolist()
    ]
    assert span_keys(ids).tolist() == expected
    assert span_keys(np.asfortranarray(ids)).tolist() == expected
    assert span_keys(ids[:0]).tolist() == []


def test_what_is_no_span_has_no_key() -> None:
    """Ids that are missing, all zeros or cut off lead nowhere."""
    assert context_key(b"", b"") == NO_KEY
    assert context_key(bytes(16), bytes(8)) == NO_KEY
    assert context_key(bytes(range(16)), b"1234567") == NO_KEY
    assert id_key(f"00-{'0' * 32}-{'0' * 16}-01") == NO_KEY
    assert sample_key(NO_KEY, 3) == NO_KEY


def test_neighbours_are_told_apart() -> None:
    """A million spans that differ in a few bits, and the samples of a batch: no two have the same key."""
    n = 1_000_000
    ids = np.ones((n, 3), dtype=np.uint64)
    ids[:, 2] = np.arange(1, n + 1)
    assert len(np.unique(span_keys(ids))) == n
    of_batch = sample_keys(np.full(4096, 17, dtype=np.uint64), np.arange(4096))
    assert len(np.unique(of_batch)) == 4096
    assert of_batch[5] == sample_key(17, 5)
    assert 17 not in of_batch.tolist()


def test_bits_of_keys_are_fair() -> None:
    """The first bit decides who is kept in a full ring: it is set for half of consecutive spans, within four deviations."""
    n = 100_000
    ids = np.ones((n, 3), dtype=np.uint64)
    ids[:, 2] = np.arange(1, n + 1)
    share = (span_keys(ids) >> np.uint64(63)).sum() / n
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(n)


def test_any_text_can_be_an_id() -> None:
    """Empty ones, long ones and lone surrogates have keys of their own."""
    names = ["", "a", "b", "x" * 10_000, "\ud800", "00-no-traceparent-01"]
    assert len({id_key(name) for name in names}) == len(names)
    assert NO_KEY not in map(id_key, names)
