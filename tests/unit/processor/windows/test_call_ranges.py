"""How much of a model's calls came, and what the others probably were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.assess.confidence import assess_confidence
from otel_ml_processor.assess.weighted import weighted
from otel_ml_processor.windows.call_ranges import MAX_PROCESSES, CallRanges
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.summary import Summary
from tests.data.value_columns import inferences

if TYPE_CHECKING:
    from otel_ml_processor.columns import InferenceColumns

THRESHOLD = 0.7


def rows_of(
    calls: list[tuple[int, int]], confidences: list[float] | None = None
) -> InferenceColumns:
    """Return one row per call, each a process and a number (-1: not said)."""
    rows = inferences(len(calls), confidences=confidences or [0.9] * len(calls))
    return replace(rows, calls=np.array(calls, dtype=np.int64).reshape(-1, 2))


def ranges_of(*batches: list[tuple[int, int]]) -> CallRanges:
    """Return the ranges of calls that came in these batches."""
    ranges = CallRanges()
    for batch in batches:
        ranges.add(rows_of(batch), THRESHOLD)
    return ranges


def test_gaps_between_numbers_are_calls_that_did_not_come() -> None:
    """Of 1, 11, 21, 31, 41 every tenth came; of a process without gaps all did. Together 10 of 55."""
    every_tenth = [(1, n) for n in range(1, 42, 10)]
    assert ranges_of(every_tenth).received() == pytest.approx(0.1)
    assert ranges_of([(2, n) for n in range(7, 12)]).received() == 1.0
    both = ranges_of(every_tenth, [(2, n) for n in range(7, 12)])
    assert both.received() == pytest.approx(10 / 55)


def test_calls_that_say_nothing_are_not_guessed_at() -> None:
    """A producer without numbers, and one call by itself, tell of no gap."""
    assert ranges_of([(0, -1)] * 5).received() is None
    assert ranges_of([(3, 900)]).received() == 1.0
    silent = CallRanges()
    silent.add(inferences(5), THRESHOLD)
    assert silent.received() is None


def test_a_call_of_many_samples_is_one_call() -> None:
    """A batch of three says its number three times."""
    ranges = CallRanges()
    rows = replace(rows_of([(1, 4), (1, 4), (1, 4), (1, 5)]), spans=np.array([0, 0, 0, 1]))
    ranges.add(rows, THRESHOLD)
    assert (ranges.by_process[1].came, ranges.received()) == (2, 1.0)


def test_numbers_out_of_order_across_requests_leave_no_gap() -> None:
    """What comes late closes the gap that it left."""
    assert ranges_of([(1, 1), (1, 5)], [(1, 3)], [(1, 4), (1, 2)]).received() == 1.0


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(-1, 300)), max_size=120),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_parts_in_any_order_are_the_same_numbers(
    calls: list[tuple[int, int]], size: int, random: object
) -> None:
    """Also with more processes than are told apart: those that are kept were counted from their first call."""
    whole = ranges_of(calls)
    parts = [ranges_of([call]) for call in calls]
    random.shuffle(parts)  # type: ignore[attr-defined]  # hypothesis gives a `Random`
    merged = CallRanges()
    for begin in range(0, len(parts), size):
        together = CallRanges()
        for part in parts[begin : begin + size]:
            together.merge(part)
        merged.merge(together)
    assert merged.by_process == whole.by_process
    assert len(merged.by_process) <= MAX_PROCESSES


def test_estimates_weight_each_process_by_what_it_left_out() -> None:
    """
    One process is sampled at a tenth and unsure, one is whole and sure.

    By hand: 5 calls at .5 stand for 50, 5 at 1.0 for 5. Mean (25 + 5) / 55, low 50 / 55; of what came it is .75 and a half.
    """
    calls = [(1, n) for n in range(1, 42, 10)] + [(2, n) for n in range(5)]
    summary = Summary(low_confidence=THRESHOLD)
    summary.add(place(rows_of(calls, [0.5] * 5 + [1.0] * 5), None))
    plain = assess_confidence(summary.scores)
    found = weighted(plain, summary.calls)
    assert plain is not None
    assert found is not None
    assert (plain.mean, plain.low) == (0.75, 0.5)
    assert found.mean == pytest.approx(30 / 55)
    assert found.low == pytest.approx(50 / 55)
    assert (found.rows, found.quantiles) == (plain.rows, plain.quantiles)


@pytest.mark.parametrize(
    "calls",
    [
        [(1, n) for n in range(1, 42, 10)] + [(2, n) for n in range(1, 42, 10)],
        [(1, n) for n in range(1, 42, 10)] + [(0, -1)] * 5,
        [(0, -1)] * 10,
    ],
    ids=["all are sampled alike", "half say nothing", "none says anything"],
)
def test_where_nothing_can_be_weighted_the_estimate_is_of_what_came(
    calls: list[tuple[int, int]],
) -> None:
    """Equal weights change nothing, and rows of unknown calls have no weight."""
    summary = Summary(low_confidence=THRESHOLD)
    summary.add(place(rows_of(calls, [0.5] * 5 + [1.0] * 5), None))
    plain = assess_confidence(summary.scores)
    assert weighted(plain, summary.calls) is plain


def test_random_sampling_is_estimated_without_bias() -> None:
    """Of 20 000 calls sampled at 5 % the estimated share is that, within five standard errors (.0016 each)."""
    came = np.flatnonzero(np.random.default_rng(4).uniform(size=20_000) < 0.05)
    found = ranges_of([(9, int(n)) for n in came]).received()
    assert found == pytest.approx(0.05, abs=5 * 0.0016)


def test_the_order_of_processes_shows_in_no_digit() -> None:
    """Seven processes with gaps of their own: whichever came first, as after a restart or a merge, what is told is the same to the last digit."""
    random = np.random.default_rng(2)
    parts = [
        rows_of([(p, int(n)) for n in random.integers(0, 1000, 30)], random.random(30).tolist())
        for p in range(1, 8)
    ]
    told = set()
    for _ in range(20):
        ranges = CallRanges()
        for at in random.permutation(7):
            ranges.add(parts[at], THRESHOLD)
        told.add((ranges.received(), ranges.confidence()))
    assert len(told) == 1
