"""Which rows a window holds, and when it closes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.config import Duration, StreamsConfig, WindowConfig
from otel_ml_processor.profile import Source
from otel_ml_processor.windows import streams as windows_of_streams
from otel_ml_processor.windows.placed import PlacedRows, place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.streams import OVERFLOW, ClosedWindow, Streams

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
START = 1_700_000_000 * SECOND // HOUR * HOUR
FRAUD = StreamKey("shop", "production", "fraud", "1")

HOURLY = WindowConfig(name="1h", length=Duration(3600))
DAILY = WindowConfig(name="24h", length=Duration(86400))
BY_ROWS = WindowConfig(name="rows", rows=10)


def rows_at(seconds: list[float], stream: StreamKey = FRAUD) -> PlacedRows:
    """Return one row per entry, ended so many *seconds* after START, with nothing but its time."""
    n = len(seconds)
    nothing = np.full(n, np.nan)
    rows = InferenceColumns(
        stream=stream,
        spans=np.arange(n),
        end_times_ns=np.array([START + round(s * SECOND) for s in seconds], dtype=np.int64),
        labels=TextColumn(np.full(n, -1, dtype=np.int64), ()),
        confidences=nothing,
        entropies=nothing,
        margins=nothing,
        values=nothing,
        features={},
    )
    return place(rows, None)


def streams(*windows: WindowConfig, **settings: object) -> Streams:
    """Return streams without references, with a minimum of two rows unless told otherwise."""
    return Streams(StreamsConfig(**{"min_rows": 2, **settings}), windows, lambda _: None)


def at(seconds: float) -> int:
    """Return the clock *seconds* after START."""
    return START + round(seconds * SECOND)


def spans(closed: list[ClosedWindow]) -> list[tuple[str, float, float, int]]:
    """Return name, begin and end in seconds after START, and the number of rows of each window."""
    return [
        (c.name, (c.start_ns - START) / SECOND, (c.end_ns - START) / SECOND, c.summary.rows)
        for _, _, c in closed
    ]


def test_an_hourly_window_closes_when_event_time_passes_its_end_by_the_lateness() -> None:
    """Rows of an hour are assessed together, two minutes after a later span has shown that the hour is over."""
    kept = streams(HOURLY)
    kept.add([rows_at([10, 20, 3599])], at(3599))
    kept.add([rows_at([3600 + 119])], at(3719))
    assert spans(kept.close(at(3719))) == []
    kept.add([rows_at([3600 + 120])], at(3720))
    assert spans(kept.close(at(3720))) == [("1h", 0, 3600, 3)]


def test_a_quiet_stream_closes_its_window_by_the_clock() -> None:
    """After 30 s of silence event time goes on with the clock, so the last window of the evening is not left open."""
    kept = streams(HOURLY)
    kept.add([rows_at([10, 20])], at(20))
    assert spans(kept.close(at(3600 + 119))) == []
    assert spans(kept.close(at(3600 + 120))) == [("1h", 0, 3600, 2)]


def test_a_row_for_a_closed_window_is_counted_late_and_added_nowhere() -> None:
    """What has been assessed does not change afterwards; the late row is counted once, not once per kind of window."""
    kept = streams(HOURLY, DAILY)
    kept.add([rows_at([10, 20]), rows_at([3600 + 300])], at(3900))
    kept.add([rows_at([30])], at(3901))
    assert spans(kept.close(at(3901))) == [("1h", 0, 3600, 2)]
    assert kept.counts.late == 1
    assert [c.summary.rows for _, _, c in kept.finish()] == [1, 4]


def test_a_window_with_too_few_rows_is_carried_into_the_next_one() -> None:
    """Fewer than the minimum of rows are not tested, and not thrown away."""
    kept = streams(HOURLY, min_rows=3)
    kept.add([rows_at([10, 20])], at(20))
    kept.add([rows_at([3600 + 10, 7200 + 120])], at(7320))
    closed = kept.close(at(7320))
    assert spans(closed) == [("1h", 0, 3600, 2), ("1h", 0, 7200, 3)]
    assert [c.is_sufficient for _, _, c in closed] == [False, True]


def test_a_span_from_the_future_is_counted_and_does_not_move_event_time() -> None:
    """One client with a clock a day ahead must not close everybody else's windows."""
    kept = streams(HOURLY)
    kept.add([rows_at([86_400, 10, 20])], at(20))
    assert kept.counts.clamped == 1
    assert spans(kept.close(at(40))) == []
    kept.add([rows_at([30])], at(40))
    assert kept.counts.late == 0
    assert spans(kept.finish()) == [("1h", 0, 3600, 4)]


def test_a_stream_whose_clock_is_always_ahead_closes_its_windows_by_ours() -> None:
    """A service whose clock is two minutes fast: none of its rows moves event time, so it is idle however many come, and nothing piles up."""
    kept = streams(HOURLY, lateness=Duration(0))
    closed = []
    for second in range(0, 11_000, 20):
        kept.add([rows_at([second + 120])], at(second))
        closed += kept.close(at(second + 19))
    assert spans(closed) == [
        ("1h", 0, 3600, 180),
        ("1h", 3600, 7200, 180),
        ("1h", 7200, 10800, 180),
    ]
    assert kept.counts.clamped == 550
    assert kept.counts.late == 0
    (left,) = kept.copies()
    assert len(left.windows[0].opened) == 1


def test_what_comes_late_still_counts_beside_rows_that_are_ahead() -> None:
    """Rows of an hour ago, as a queue lets them go, move event time: rows from the future in between make none of them late."""
    kept = streams(HOURLY)
    for second in range(0, 600, 10):
        kept.add([rows_at([second])], at(3600 + second))
        kept.add([rows_at([86_400])], at(3600 + second + 5))
        assert kept.close(at(3600 + second + 9)) == []
    assert kept.counts.late == 0


def test_a_clock_that_is_put_back_takes_event_time_with_it() -> None:
    """A machine that began a month ahead: what came then counts, and so does what comes when the clock is right, in windows of its own time."""
    month = 30 * 86_400
    kept = streams(HOURLY, min_rows=3)
    kept.add([rows_at([month, month + 10])], at(month + 10))
    assert spans(kept.close(at(month + 7200))) == [("1h", month, month + 3600, 2)]
    kept.add([rows_at([10, 20])], at(20))
    assert spans(kept.close(at(3600 + 120))) == [("1h", 0, 3600, 4)]
    assert kept.counts.late == 0


def test_after_a_clock_was_put_back_numbers_are_fresh_again() -> None:
    """Panes that pass are told, as before; they were not for as long as the clock had been put back by."""
    kept = streams(HOURLY)
    for begin in (86_400, 0):
        kept.add([rows_at([begin + 10, begin + 20])], at(begin + 20))
        (slid,) = kept.slide(at(begin + 20 + 600))
        assert slid.closed.summary.rows == 2


def test_a_quiet_stream_closes_its_window_though_the_clock_was_put_back() -> None:
    """Thirty seconds of silence are thirty seconds from then on."""
    kept = streams(HOURLY)
    kept.add([rows_at([10, 20])], at(7000))
    assert spans(kept.close(at(3590))) == []
    assert spans(kept.close(at(3720))) == [("1h", 0, 3600, 2)]


def test_a_stream_without_event_time_has_no_lag() -> None:
    """Only a row from the future has come: nothing is behind the clock yet, least of all by centuries."""
    kept = streams(HOURLY)
    kept.add([rows_at([86_400])], at(0))
    assert kept.lag_s(at(1)) == 0.0


def amounts() -> Reference:
    """Return a reference of one feature, `amount`."""
    profile = build_profile(
        {"amount": np.arange(100.0)},
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=100),
    )
    return Reference.of(profile)


def an_amount_at(seconds: float, reference: Reference) -> PlacedRows:
    """Return one row with an amount, ended so many *seconds* after START."""
    value = ValueColumn(
        np.array([Kind.NUMBER], dtype=np.uint8), np.array([5.0]), np.array([-1], dtype=np.int64)
    )
    return place(replace(rows_at([seconds]).rows, features={"amount": value}), reference)


@pytest.mark.parametrize("replayed_s", [0, 86_400])
def test_a_silent_stream_is_silent_for_as_long_as_it_is(replayed_s: int) -> None:
    """An hour without a row is an hour without a value, told once, though event time goes on with the clock; rows of a day ago are no day old."""
    reference = amounts()
    kept = Streams(StreamsConfig(), [HOURLY], lambda _: reference)
    kept.add([an_amount_at(0, reference)], at(replayed_s))
    now_ns = at(replayed_s + 3600)
    kept.close(now_ns)

    (totals,) = kept.totals()

    assert totals.freshness is not None
    assert totals.freshness.silent_s(now_ns) == 3600
    assert dict(totals.freshness.stale_s(now_ns)) == {"amount": 3600}


def test_rows_without_a_value_age_it_by_their_own_time() -> None:
    """Twenty minutes of rows that lack the amount, then ten of silence: half an hour."""
    reference = amounts()
    kept = Streams(StreamsConfig(), [HOURLY], lambda _: reference)
    kept.add([an_amount_at(0, reference)], at(0))
    kept.add([place(rows_at([1200]).rows, reference)], at(1200))
    kept.close(at(1800))

    (totals,) = kept.totals()

    assert totals.freshness is not None
    assert dict(totals.freshness.stale_s(at(1800))) == {"amount": 1800}


def test_a_row_from_the_future_is_not_when_a_feature_was_last_seen() -> None:
    """It is taken to be of now in all that is told of time, or a feature that falls silent would stay fresh for as long."""
    reference = amounts()
    kept = Streams(StreamsConfig(), [HOURLY], lambda _: reference)
    kept.add([an_amount_at(86_400, reference)], at(10))

    (totals,) = kept.totals()

    assert totals.freshness is not None
    assert totals.freshness.seen_ns == {"amount": at(10)}


def test_row_windows_hold_exactly_as_many_rows_however_the_requests_are_cut() -> None:
    """Windows of ten rows are the same ten rows whether they come in one request or in twenty-five."""
    one, many = streams(BY_ROWS), streams(BY_ROWS)
    one.add([rows_at(list(range(25)))], at(25))
    for second in range(25):
        many.add([rows_at([second])], at(second))
    expected = [("rows", 0, 9 + 1e-9, 10), ("rows", 10, 19 + 1e-9, 10)]
    assert spans(one.close(at(25))) == spans(many.close(at(25))) == expected
    assert [c.summary.rows for _, _, c in one.finish()] == [5]


def test_windows_that_close_faster_than_they_are_told_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each kind so many wait, the newest; the rows of the others are counted, for nobody hears of them."""
    monkeypatch.setattr(windows_of_streams, "_MAX_CLOSED", 3)
    kept = streams(BY_ROWS)
    for number in range(10):
        kept.add([rows_at([number] * 10)], at(10))
    assert spans(kept.close(at(10))) == [
        ("rows", number, number + 1e-9, 10) for number in (7, 8, 9)
    ]
    assert kept.counts.untold == 70


def test_rows_that_were_carried_on_are_told_with_a_later_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A window with too few rows that makes room costs none of them: they come again in the next one."""
    monkeypatch.setattr(windows_of_streams, "_MAX_CLOSED", 1)
    kept = streams(HOURLY, min_rows=5)
    kept.add([rows_at([hour * 3600 for hour in range(7)])], at(6 * 3600))
    *_, last = spans(kept.close(at(6 * 3600)))
    assert last == ("1h", 0, 5 * 3600, 5)
    assert kept.counts.untold == 0


def test_streams_do_not_mix() -> None:
    """The same model in staging and in production are two streams."""
    staging = StreamKey("shop", "staging", "fraud", "1")
    kept = streams(BY_ROWS)
    kept.add([rows_at([1] * 6), rows_at([1] * 6, staging)], at(1))
    assert spans(kept.close(at(1))) == []
    assert {key: c.summary.rows for key, _, c in kept.finish()} == {FRAUD: 6, staging: 6}


def version(number: int) -> StreamKey:
    """Return the stream of a version of one model."""
    return StreamKey("shop", "", "fraud", str(number))


def test_streams_beyond_the_cap_are_counted_together() -> None:
    """A client that sends a new version with every request cannot fill the memory, whatever windows there are."""
    kept = streams(BY_ROWS, HOURLY, DAILY, max=3)
    for number in range(10):
        kept.add([rows_at([1, 2], version(number))], at(2))
    finished = kept.finish()
    assert kept.counts.overflow == 14
    rows: Counter[tuple[StreamKey, str]] = Counter()
    for key, _, closed in finished:
        rows[key, closed.name] += closed.summary.rows
    assert rows == {
        (key, name): n
        for key, n in [*((version(i), 2) for i in range(3)), (OVERFLOW, 14)]
        for name in ("rows", "1h", "24h")
    }


def test_what_is_beyond_the_cap_is_compared_with_nothing() -> None:
    """Rows of several models have no reference together, also where each has one of its own."""
    profile = build_profile(
        {"x": np.arange(9.0)},
        model="fraud",
        created="",
        source=Source(kind="array", uri="", rows=9),
    )
    reference = Reference.of(profile)
    kept = Streams(StreamsConfig(max=1), [HOURLY], lambda _: reference)
    for number in (1, 2):
        kept.add([place(rows_at([1, 2], version(number)).rows, reference)], at(2))
    assert [(key, found) for key, found, _ in kept.finish()] == [
        (version(1), reference),
        (OVERFLOW, None),
    ]


def test_the_stream_that_was_silent_for_longest_makes_room() -> None:
    """Of an old version its last window is told, and only then it is gone; the new one has windows of its own."""
    kept = streams(BY_ROWS, max=2, silent=Duration(3600))
    for number, minute in ((1, 0), (2, 10), (1, 20)):
        kept.add([rows_at([60 * minute], version(number))], at(60 * minute))
    kept.add([rows_at([4500], version(3))], at(4500))
    assert kept.retired() == []
    assert {key: c.summary.rows for key, _, c in kept.close(at(4500))} == {version(2): 1}
    assert kept.retired() == [version(2)]
    assert kept.retired() == []
    assert {key: c.summary.rows for key, _, c in kept.finish()} == {version(1): 2, version(3): 1}
    assert kept.counts.overflow == 0


def test_a_stream_that_was_not_silent_for_long_makes_no_room() -> None:
    """Whoever makes up names cannot push out the models that are at work."""
    kept = streams(BY_ROWS, max=1, silent=Duration(3600))
    kept.add([rows_at([0], version(1))], at(0))
    kept.add([rows_at([3599], version(2))], at(3599))
    assert kept.retired() == []
    assert {key: c.summary.rows for key, _, c in kept.finish()} == {version(1): 1, OVERFLOW: 1}


def test_a_stream_that_made_room_and_comes_again_begins_anew() -> None:
    """It takes the place of whichever has been silent for longest then."""
    kept = streams(BY_ROWS, max=1, silent=Duration(60))
    for minute, number in enumerate((1, 2, 1)):
        kept.add([rows_at([60 * minute], version(number))], at(60 * minute))
    closed = kept.close(at(120))
    assert [(key, c.summary.rows) for key, _, c in closed] == [(version(1), 1), (version(2), 1)]
    assert set(kept.retired()) == {version(1), version(2)}
    assert [(key, c.summary.rows) for key, _, c in kept.finish()] == [(version(1), 1)]


def test_a_twin_makes_room_for_the_same_streams() -> None:
    """Increments written down and done again lead to the same streams, retired ones and the overflow included."""
    kept, twin = (streams(BY_ROWS, HOURLY, max=2, silent=Duration(60)) for _ in range(2))
    for minute, number in ((0, 1), (0, 2), (0, 3), (2, 3), (2, 4), (2, 5)):
        increments = kept.add(
            [rows_at([60 * minute + 1, 60 * minute + 2], version(number))], at(60 * minute)
        )
        for increment in increments:
            twin.repeat(increment)
    told = [
        sorted((str(key), c.name, c.summary.rows) for key, _, c in each.finish())
        for each in (kept, twin)
    ]
    assert told[0] == told[1]
    assert {key for key, _, _ in told[0]} == {
        *(str(version(n)) for n in (1, 2, 3, 4)),
        str(OVERFLOW),
    }


@pytest.mark.parametrize("requests", [[[5, None], [7]], [[None], [5, 7]], [[5, 7], [None]]])
def test_a_span_without_an_end_says_nothing_of_what_a_window_covers(
    requests: list[list[float | None]],
) -> None:
    """It is one of the rows; that something began to drift in 1970 is not said for it."""
    kept = streams(WindowConfig(name="rows", rows=3))
    for seconds in requests:
        kept.add([rows_at([-START / SECOND if s is None else s for s in seconds])], at(8))
    assert spans(kept.close(at(8))) == [("rows", 5, 7 + 1 / SECOND, 3)]


def test_whose_counts_do_not_fit_is_told() -> None:
    """After another `verdicts.low_confidence` an operator reads which streams begin anew, of those in a snapshot and of those in a journal."""
    before, now = (Streams(StreamsConfig(), [HOURLY], lambda _: None, low) for low in (0.6, 0.7))
    (increment,) = before.add([rows_at([1])], at(1))
    (copy,) = before.copies()
    for go_on in (lambda: now.absorb(copy), lambda: now.repeat(increment)):
        with pytest.raises(ValueError, match=rf"^{re.escape(str(FRAUD))}: .*0\.7.*0\.6"):
            go_on()
    assert now.copies() == []


@pytest.mark.parametrize(
    ("tenant", "limits", "why"),
    [
        ("", {"max_tenants": 1}, "fraud 2 of shop: it names no tenant"),
        ("b", {"max_tenants": 1}, "b: fraud 2 of shop: there are more tenants than tenants.max"),
        ("a", {"max_tenants": 1}, "a: fraud 2 of shop: there are more streams than streams.max"),
    ],
)
def test_what_finds_no_room_is_told_which_limit_it_is(
    tenant: str, limits: dict[str, int], why: str
) -> None:
    """Of a state that was kept before tenants were told apart, or with larger limits."""
    kept, before = (
        Streams(StreamsConfig(min_rows=2, max=1), [HOURLY], lambda _: None, **each)
        for each in (limits, {})
    )
    first = StreamKey("shop", "", "fraud", "1", "a")
    kept.add([rows_at([1], first)], at(1))
    before.add([rows_at([1], replace(first, version="2", tenant=tenant))], at(1))
    (copy,) = before.copies()

    with pytest.raises(ValueError, match=re.escape(why)):
        kept.absorb(copy)


def test_an_old_request_of_many_days_is_windowed_by_its_own_event_time() -> None:
    """A replay of history, many hours per request, gives the hours that a live stream would have given."""
    kept = streams(HOURLY)
    kept.add([rows_at([60 * minute for minute in range(60 * 30)])], at(90 * 86_400))
    assert kept.counts.late == 0
    closed = kept.finish()
    assert [rows for *_, rows in spans(closed)] == [60] * 30


@given(
    st.lists(st.integers(0, 20_000), min_size=1, max_size=60),
    st.integers(1, 7),
)
def test_no_row_is_lost_or_counted_twice(seconds: list[int], size: int) -> None:
    """Every row is in exactly one window of each kind, or counted late, in whatever order and portions rows come."""
    kept = streams(HOURLY, BY_ROWS, lateness=Duration(0))
    for begin in range(0, len(seconds), size):
        part = seconds[begin : begin + size]
        kept.add([rows_at([float(s) for s in part])], at(20_000))
    closed = kept.close(at(20_000)) + kept.finish()
    assert sum(c.summary.rows for _, _, c in closed if c.name == "rows") == len(seconds)
    on_time = _on_time(seconds)
    hourly = [c for _, _, c in closed if c.name == "1h"]
    tested = sum(c.summary.rows for c in hourly if c.is_sufficient)
    carried = 0 if not hourly or hourly[-1].is_sufficient else hourly[-1].summary.rows
    assert tested + carried == on_time
    assert kept.counts.late == len(seconds) - on_time


def _on_time(seconds: list[int]) -> int:
    """Return how many rows come before a newer one has passed the end of their hour: the rule, one row at a time."""
    newest, count = -1, 0
    for second in seconds:
        count += second // 3600 * 3600 + 3600 > newest
        newest = max(newest, second)
    return count


def test_the_lag_is_that_of_the_slowest_stream() -> None:
    """Who looks at the processor sees that one producer's spans come an hour late."""
    kept = streams(HOURLY)
    assert kept.lag_s(at(50)) == 0
    kept.add([rows_at([10]), rows_at([40], StreamKey("shop", "", "churn", "1"))], at(40))
    assert kept.lag_s(at(50)) == 40
