"""Rows of calls whose sampler has said how many each stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.assess.confidence import assess_confidence
from otel_ml_processor.assess.sampling import is_biased
from otel_ml_processor.assess.weighted import weighted
from otel_ml_processor.state.stored_streams import StoredSummary
from otel_ml_processor.windows.adjusted_counts import ONE
from otel_ml_processor.windows.call_ranges import MAX_PROCESSES, CallRanges
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.summary import Summary
from tests.data.value_columns import inferences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import InferenceColumns

THRESHOLD = 0.7
ALL, HALF, QUARTER, TENTH = 0, 1 << 55, 3 << 54, (9 << 56) // 10
"""Rejection thresholds: each row stands for one, two, four, ten calls."""
UNSAID = -1
NOBODY = (0, -1)


def rows_of(
    thresholds: Sequence[int],
    calls: Sequence[tuple[int, int]] | None = None,
    confidences: Sequence[float] | None = None,
    failed: Sequence[bool] | None = None,
) -> InferenceColumns:
    """Return a row per threshold, of calls without a number unless *calls* are given."""
    rows = inferences(len(thresholds), confidences=list(confidences or [0.9] * len(thresholds)))
    return replace(
        rows,
        thresholds=np.array(thresholds, dtype=np.int64),
        calls=None if calls is None else np.array(calls, dtype=np.int64).reshape(-1, 2),
        is_failed=None if failed is None else np.array(failed),
    )


def ranges_of(*parts: InferenceColumns) -> CallRanges:
    """Return what is kept of the calls of *parts*."""
    ranges = CallRanges()
    for part in parts:
        ranges.add(part, THRESHOLD)
    return ranges


def summary_of(*parts: InferenceColumns) -> Summary:
    """Return the summary of a window of *parts*."""
    summary = Summary(low_confidence=THRESHOLD)
    for part in parts:
        summary.add(place(part, None))
    return summary


def test_a_sampler_says_what_came_where_calls_have_no_numbers() -> None:
    """Of foreign telemetry too: three that stand for two each and one that stands for four are four of ten."""
    assert ranges_of(rows_of([HALF, HALF, HALF, QUARTER])).received() == pytest.approx(0.4)
    assert ranges_of(rows_of([ALL, ALL])).received() == 1.0


def test_a_single_call_of_a_process_has_no_gap_but_a_threshold() -> None:
    """A process of one call each, as functions on demand are: the numbers tell nothing, the sampler says a tenth."""
    rows = rows_of([TENTH] * 5, [(process, 0) for process in range(5)])
    assert ranges_of(rows).received() == pytest.approx(0.1, rel=1e-4)


def test_a_threshold_goes_before_the_gap() -> None:
    """Numbers 1 to 5 without a gap, as when a window sees the middle of a burst; each stands for four."""
    calls = [(1, n) for n in range(1, 6)]
    assert ranges_of(rows_of([QUARTER] * 5, calls)).received() == 0.25


def test_what_was_lost_behind_the_sampler_is_missed_by_the_numbers() -> None:
    """Half was sampled, and of what was only every fifth arrived: 1, 11, 21, 31, 41. A tenth came, whatever the sampler says."""
    calls = [(1, n) for n in range(1, 42, 10)]
    assert ranges_of(rows_of([HALF] * 5, calls)).received() == pytest.approx(0.1)


def test_calls_without_a_threshold_share_what_the_others_leave() -> None:
    """
    Of a hundred calls of one process the ten that failed were kept whatever, and every tenth of the others.

    By hand: numbers 0 to 99; nine stand for ten each, so that the ten others stand for (100 - 90) / 10 = one. With the mean gap alone
    they would stand for five.
    """
    calls = [(7, n) for n in (*range(0, 90, 10), *range(90, 100))]
    rows = rows_of([TENTH] * 9 + [UNSAID] * 10, calls, [1.0] * 9 + [0.0] * 10)
    (counted,) = ranges_of(rows).by_process.values()
    # The numbers tell 99 / 18 * 19 = 104.5 calls, of which nine are known to stand for 90.
    assert counted.weight == pytest.approx((99 / 18 * 19 - 90) / 10, rel=1e-4)
    found = ranges_of(rows).confidence()
    assert found is not None
    assert found.mean == pytest.approx(90 / 104.5, rel=1e-3)
    assert found.low == pytest.approx(14.5 / 104.5, rel=1e-3)


def test_estimates_weight_each_row_by_what_it_stands_for() -> None:
    """
    Unsure calls are all kept, of sure ones a tenth: of ten that came five are low, of the 55 that were asked five.

    By hand: mean (5 * .5 + 50 * 1) / 55, low 5 / 55; of what came .75 and a half.
    """
    summary = summary_of(rows_of([ALL] * 5 + [TENTH] * 5, None, [0.5] * 5 + [1.0] * 5))
    plain = assess_confidence(summary.scores)
    found = weighted(plain, summary.calls)
    assert plain is not None
    assert found is not None
    assert (plain.mean, plain.low) == (0.75, 0.5)
    assert found.mean == pytest.approx(52.5 / 55, rel=1e-4)
    assert found.low == pytest.approx(5 / 55, rel=1e-4)
    assert (found.rows, found.quantiles) == (plain.rows, plain.quantiles)


def test_equal_thresholds_change_no_estimate() -> None:
    """What stands for as many calls everywhere is weighted, and is what it was."""
    summary = summary_of(rows_of([QUARTER] * 10, None, [0.25] * 5 + [1.0] * 5))
    found = weighted(assess_confidence(summary.scores), summary.calls)
    assert found is not None
    assert (found.mean, found.low) == (0.625, 0.5)
    assert not is_biased(summary)


def test_rows_of_which_nothing_is_known_leave_the_estimate_as_it_is() -> None:
    """One row without number and threshold, and no weight is right for it."""
    summary = summary_of(rows_of([ALL, TENTH, UNSAID], None, [0.5, 1.0, 1.0]))
    plain = assess_confidence(summary.scores)
    assert weighted(plain, summary.calls) is plain


def test_the_largest_threshold_is_counted_exactly() -> None:
    """A row may stand for 2**56 calls, and sums of such rows stay integers beyond 64 bits."""
    ranges = ranges_of(rows_of([(1 << 56) - 1] * 3, None, [1.0] * 3))
    assert ranges.unnumbered.all_calls == 3 * ONE << 56
    assert ranges.unnumbered.quanta == (3 * ONE << 56) << 32
    assert ranges.received() == pytest.approx(2.0**-56)


def test_a_batch_is_one_call() -> None:
    """Of a batch of three each row stands for two, and all for two calls."""
    rows = replace(rows_of([HALF] * 4), spans=np.array([0, 0, 0, 1]))
    assert ranges_of(rows).unnumbered[:3] == (2, 4, 4 * ONE)


def test_more_processes_than_are_told_apart_lose_only_their_own() -> None:
    """Of many processes some are kept, with the thresholds of their own calls, in whatever parts they came."""
    rows = rows_of([HALF] * 100, [(process, 3) for process in range(100)])
    ranges = ranges_of(*(rows[n : n + 7] for n in range(0, 100, 7)))
    assert sorted(ranges.by_process) == list(range(MAX_PROCESSES))
    assert all(counted.adjusted.all_calls == 2 * ONE for counted in ranges.by_process.values())
    assert ranges.received() == 0.5


@given(
    st.lists(
        st.tuples(
            st.sampled_from([UNSAID, ALL, HALF, TENTH, (1 << 56) - 1])
            | st.integers(0, (1 << 56) - 1),
            st.integers(0, 70),
            st.integers(-1, 300),
            st.sampled_from([float("nan"), 0.0, 0.3, 1.0, 2.0]),
            st.booleans(),
        ),
        max_size=60,
    ),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_parts_in_any_order_are_the_same_integers(
    said: list[tuple[int, int, int, float, bool]], size: int, random: object
) -> None:
    """Added at once, or row by row in any order, merged, written and read: bit for bit, and what a naive sum of fractions says."""

    def rows(some: Sequence[tuple[int, int, int, float, bool]]) -> InferenceColumns:
        thresholds, processes, numbers, confidences, failed = zip(*some, strict=True)
        return rows_of(thresholds, list(zip(processes, numbers, strict=True)), confidences, failed)

    whole = summary_of(*([rows(said)] if said else []))
    parts = [summary_of(rows([row])) for row in said]
    random.shuffle(parts)  # type: ignore[attr-defined]  # hypothesis gives a `Random`
    merged = Summary(low_confidence=THRESHOLD)
    for begin in range(0, len(parts), size):
        together = Summary(low_confidence=THRESHOLD)
        for part in parts[begin : begin + size]:
            together.merge(part)
        merged.merge(together)
    written = msgspec.msgpack.encode(StoredSummary.of(merged))
    read = msgspec.msgpack.decode(written, type=StoredSummary).summary(None)
    for summary in (merged, read):
        for name in CallRanges.__slots__:
            assert getattr(summary.calls, name) == getattr(whole.calls, name)
    naive = [(ONE << 56) // ((1 << 56) - row[0]) for row in said if row[0] >= 0]
    bad = [row[4] or row[3] < THRESHOLD for row in said if row[0] >= 0]
    squares = sum(weight**2 for weight in naive)
    assert whole.calls.outcomes[:4] == (len(naive), sum(bad), sum(naive), squares)
    assert whole.calls.failed == sum(row[4] and not row[3] < THRESHOLD for row in said)
    share = whole.calls.received()
    assert share is None or 0 < share <= 1


def test_sums_of_a_process_that_did_not_come_are_refused() -> None:
    """A file in which thresholds are of other processes than calls is none of ours."""
    stored = StoredSummary.of(summary_of(rows_of([HALF], [(5, 1)])))
    without = msgspec.structs.replace(stored, calls=())
    with pytest.raises(ValueError, match="found 5"):
        without.summary(None)


def kept(rng: np.random.Generator, n: int, bad: float, keep_bad: float, keep: float) -> np.ndarray:
    """Return, of the calls that came of *n*, whether each was bad: so many are, and so many of them and of the others were kept."""
    is_bad = rng.uniform(size=n) < bad
    came = rng.uniform(size=n) < np.where(is_bad, keep_bad, keep)
    return np.asarray(is_bad[came])


@pytest.mark.parametrize("carries", [True, False], ids=["with adjusted count", "without"])
def test_what_is_kept_for_its_outcome_is_called_biased(*, carries: bool) -> None:
    """Failed calls are all kept, of the others a tenth: whether the failed say so (`th:0`) or say nothing."""
    failed = kept(np.random.default_rng(3), 5000, 0.05, 1.0, 0.1)
    thresholds = np.where(failed, ALL if carries else UNSAID, TENTH).tolist()
    rows = rows_of(thresholds, None, np.where(failed, np.nan, 0.9).tolist(), failed.tolist())
    assert is_biased(summary_of(rows))


def test_unsure_calls_that_are_kept_are_called_biased_too() -> None:
    """The outcome may be a low confidence."""
    unsure = kept(np.random.default_rng(4), 5000, 0.05, 1.0, 0.1)
    thresholds = np.where(unsure, ALL, TENTH).tolist()
    assert is_biased(summary_of(rows_of(thresholds, None, np.where(unsure, 0.5, 0.9).tolist())))


def test_a_row_that_failed_and_is_unsure_is_bad_once() -> None:
    """Whatever a call says that failed: where all stand for one, nothing is biased."""
    rows = rows_of([ALL] * 8, None, [0.1] * 4 + [0.9] * 4, [True] * 4 + [False] * 4)
    summary = summary_of(rows)
    assert summary.calls.failed + summary.scores.low == summary.calls.outcomes.bad == 4
    assert not is_biased(summary)


def test_what_is_sampled_whatever_its_outcome_is_not_called_biased() -> None:
    """Different thresholds by chance, or by process, in 300 windows: none is called biased, though some do not say theirs."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(300):
        unsure = rng.uniform(size=1000) < 0.1
        thresholds = rng.choice([UNSAID, ALL, HALF, TENTH], size=1000).tolist()
        rows = rows_of(thresholds, None, np.where(unsure, 0.5, 0.9).tolist())
        found += is_biased(summary_of(rows))
    assert found == 0


@pytest.mark.parametrize(
    "thresholds", [[UNSAID] * 4, [ALL] * 4, []], ids=["unsaid", "all", "empty"]
)
def test_where_nothing_tells_of_sampling_nothing_is_called_biased(thresholds: list[int]) -> None:
    """Of what was kept for its outcome and does not say so nothing can be told."""
    rows = rows_of(thresholds, None, [0.1, 0.2, 0.9, 0.9][: len(thresholds)])
    assert not is_biased(summary_of(rows))
