"""Repeated inputs and differing answers, from hashes alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.sketches.repeated_inputs import (
    MAX_INPUTS,
    NO_OUTPUT,
    RepeatedInputs,
    mixed,
)

Calls = list[tuple[int, int]]
LEAST, MOST = -(2**63), 2**63 - 1
CALLS = st.lists(
    st.tuples(
        st.integers(0, 30) | st.sampled_from([LEAST, MOST, -1]),
        st.integers(0, 3) | st.sampled_from([LEAST, MOST]),
    ),
    max_size=80,
)


def repeated_of(calls: Calls) -> RepeatedInputs:
    """Return what is kept of *calls*, each the hash of an input and of an output."""
    inputs, outputs = np.array(calls, dtype=np.int64).reshape(-1, 2).T
    repeated = RepeatedInputs()
    repeated.add(inputs, outputs)
    return repeated


def naive_shares(calls: Calls) -> tuple[float | None, float | None]:
    """Return the two shares with everything kept."""
    counts = Counter(given for given, _ in calls if given)
    answers: dict[int, set[int]] = defaultdict(set)
    for given_input, answer in calls:
        if answer != NO_OUTPUT:
            answers[given_input].add(answer)
    again = [given_input for given_input, n in counts.items() if n > 1]
    calls_that_say = sum(counts.values())
    return (
        1 - len(counts) / calls_that_say if calls_that_say else None,
        sum(len(answers[g]) > 1 for g in again) / len(again) if again else None,
    )


@given(CALLS, st.integers(1, 9), st.randoms(use_true_random=False))
def test_shares_are_those_of_who_keeps_everything(calls: Calls, size: int, random: Random) -> None:
    """Few inputs, in parts of any size and in any order: exactly the shares of a plain count; an input without a hash is none, an answer unsaid differs from nothing."""
    whole = RepeatedInputs()
    parts = [calls[at : at + size] for at in range(0, len(calls), size)]
    random.shuffle(parts)
    for part in parts:
        whole.merge(repeated_of(part))
    repeated, inconsistent = naive_shares(calls)
    assert whole.repeated() == pytest.approx(repeated)
    assert whole.inconsistent() == pytest.approx(inconsistent)


def test_many_inputs_merge_to_the_same_numbers_in_any_order() -> None:
    """Twenty times as many inputs as are kept, shuffled and in other parts: the same integers."""
    calls = [(k * k % 40_009 + 1, k % 3) for k in range(20 * MAX_INPUTS)]
    whole = repeated_of(calls)
    shuffled = Random(3).sample(calls, len(calls))
    merged = RepeatedInputs()
    for at in range(0, len(shuffled), 777):
        merged.merge(repeated_of(shuffled[at : at + 777]))
    assert whole.calls == merged.calls == len(calls)
    assert whole.columns.tolist() == merged.columns.tolist()
    assert whole.columns.shape == (4, MAX_INPUTS)


def test_inputs_that_never_repeat_are_told_as_that() -> None:
    """A hundred thousand different inputs in a row: no share of repeats at all, though only 512 of them are kept."""
    counted = repeated_of([(k, 0) for k in range(1, 100_001)])
    assert (counted.repeated(), counted.inconsistent()) == (0.0, None)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_one_input_that_comes_all_the_time_is_seen(seed: int, share: float) -> None:
    """A health check among many different inputs: told within three standard errors of the number of different inputs, kept or not."""
    random = np.random.default_rng(seed)
    inputs = np.where(random.random(50_000) < share, 7, random.integers(8, 2**62, 50_000))
    counted = RepeatedInputs()
    counted.add(inputs, np.zeros(50_000, dtype=np.int64))
    different = len(np.unique(inputs)) / 50_000
    error = 6 * different / np.sqrt(MAX_INPUTS - 2)  # three of the count, and as many of the bounds
    assert counted.repeated() == pytest.approx(1 - different, abs=error)


@pytest.mark.parametrize("seed", range(8))
def test_the_share_of_a_sample_is_that_of_all(seed: int) -> None:
    """Each input some four times, a tenth of them answered in two ways: both shares to within four standard errors of a sample of 512."""
    random = np.random.default_rng(seed)
    inputs = random.integers(1, 10_001, 40_000)
    outputs = np.where(inputs % 10 == 0, np.arange(40_000), 1)
    counted = RepeatedInputs()
    counted.add(inputs, outputs)
    assert counted.repeated() == pytest.approx(1 - len(np.unique(inputs)) / 40_000, abs=0.06)
    assert counted.inconsistent() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / MAX_INPUTS))


def test_nothing_said_is_nothing_told() -> None:
    """Without calls, and of calls without a hash, there are no shares, and no error."""
    empty = RepeatedInputs()
    assert (empty.repeated(), empty.inconsistent()) == (None, None)
    silent = repeated_of([(0, 5)] * 9)
    assert (silent.calls, silent.repeated(), silent.inconsistent()) == (0, None, None)


@given(st.lists(st.integers(LEAST, MOST), unique=True, min_size=2, max_size=60))
def test_mixing_keeps_words_apart(words: list[int]) -> None:
    """Different words stay different: no input is taken for another."""
    assert len(set(mixed(np.array(words, dtype=np.int64)).tolist())) == len(words)


def test_mixing_is_the_published_finalizer() -> None:
    """The first three outputs of SplitMix64 with seed 1234567, as its authors' reference implementation gives them."""
    step = 0x9E3779B97F4A7C15
    states = [(1234567 + k * step) % 2**64 for k in range(3)]
    words = mixed(np.array(states, dtype=np.uint64).view(np.int64)).view(np.uint64)
    assert words.tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]
