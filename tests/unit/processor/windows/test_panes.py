"""Windows of time are sums of panes: decided once, told as often as a pane passes, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.columns import InferenceColumns, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.config import Duration, StreamsConfig, WindowConfig
from otel_ml_processor.profile import Source
from otel_ml_processor.windows.panes import pane_length_ns
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.streams import ClosedWindow, Streams
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from otel_ml_processor.windows.placed import PlacedRows

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
START = 1_700_006_400 * SECOND  # 2023-11-15 00:00 UTC
FRAUD = StreamKey("shop", "production", "fraud", "1")
HOURLY = WindowConfig(name="1h", length=Duration(3600))
DAILY = WindowConfig(name="24h", length=Duration(86400))


def rows_at(
    minutes: list[float], features: np.ndarray | None = None, reference: Reference | None = None
) -> PlacedRows:
    """Return one row per entry, ended so many *minutes* after START, with *features* of shape (n_features, n_rows)."""
    n = len(minutes)
    nothing = np.full(n, np.nan)
    values = np.zeros((0, n)) if features is None else features
    kinds, texts = np.full(n, 2, dtype=np.uint8), np.full(n, -1, dtype=np.int64)
    rows = InferenceColumns(
        stream=FRAUD,
        spans=np.arange(n),
        end_times_ns=np.array([START + round(m * MINUTE) for m in minutes], dtype=np.int64),
        labels=TextColumn(texts, ()),
        confidences=np.full(n, 0.9),
        entropies=nothing,
        margins=nothing,
        values=nothing,
        features={f"x{i}": ValueColumn(kinds, column, texts) for i, column in enumerate(values)},
    )
    return place(rows, reference)


def streams(
    *windows: WindowConfig, reference: Reference | None = None, min_rows: int = 2
) -> Streams:
    """Return streams whose windows are closed without delay and need two rows."""
    return Streams(
        StreamsConfig(min_rows=min_rows, lateness=Duration(0)), windows, lambda _: reference
    )


def at(minutes: float) -> int:
    """Return the clock *minutes* after START."""
    return START + round(minutes * MINUTE)


def spans(closed: list[ClosedWindow]) -> list[tuple[str, float, float, int]]:
    """Return name, begin and end in minutes after START, and the number of rows of each window."""
    return [
        (c.name, (c.start_ns - START) / MINUTE, (c.end_ns - START) / MINUTE, c.summary.rows)
        for _, _, c in closed
    ]


@pytest.mark.parametrize(
    ("length_s", "pane_s", "expected_s"),
    [
        (3600, None, 300),
        (86_400, None, 3600),
        (7 * 86_400, None, 7 * 3600),
        (600, None, 50),
        (100, None, 10),
        (3600, 900, 900),
        (3600, 3600, 3600),
    ],
)
def test_a_pane_is_a_whole_part_of_its_window(
    length_s: float, pane_s: float | None, expected_s: float
) -> None:
    """Five minutes of an hour, an hour of a day; of 100 s the twelfth part is no round number, so it is the tenth."""
    pane = None if pane_s is None else Duration(pane_s)
    window = WindowConfig(name="w", length=Duration(length_s), pane=pane)
    assert pane_length_ns(window) == expected_s * SECOND


def test_numbers_are_fresh_after_every_pane() -> None:
    """A window of an hour slides by five minutes: it ends with the last pane that has passed, and is told once."""
    kept = streams(HOURLY)
    kept.add([rows_at([1, 2, 3, 6])], at(6))
    assert spans(kept.slide(at(6))) == [("1h", -55, 5, 3)]
    assert spans(kept.slide(at(6))) == []
    kept.add([rows_at([10])], at(10))
    assert spans(kept.slide(at(10))) == [("1h", -50, 10, 4)]


def test_a_sliding_window_reaches_back_into_the_hour_that_was_decided() -> None:
    """At a quarter past it holds the last three quarters of the hour before, at the full hour nothing: that window is closed anyway."""
    kept = streams(HOURLY)
    kept.add([rows_at([10, 20, 30, 40, 50])], at(50))
    kept.slide(at(50))
    kept.add([rows_at([60])], at(60))
    assert spans(kept.close(at(60))) == [("1h", 0, 60, 5)]
    assert spans(kept.slide(at(60))) == []
    kept.add([rows_at([75])], at(75))
    assert spans(kept.slide(at(75))) == [("1h", 15, 75, 5)]


def test_every_length_slides_by_its_own_panes() -> None:
    """The day is fresh every hour, the hour every five minutes."""
    kept = streams(HOURLY, DAILY)
    kept.add([rows_at([1, 2, 121])], at(121))
    assert spans(kept.close(at(121))) == [("1h", 0, 60, 2)]
    assert spans(kept.slide(at(121))) == [("24h", 120 - 1440, 120, 2)]
    kept.add([rows_at([122, 126])], at(126))
    assert spans(kept.slide(at(126))) == [("1h", 65, 125, 2)]


def test_too_few_rows_slide_nowhere() -> None:
    """The last numbers stay until there are enough rows for new ones."""
    kept = streams(HOURLY, min_rows=3)
    kept.add([rows_at([1, 2, 6])], at(6))
    assert spans(kept.slide(at(6))) == []
    kept.add([rows_at([11])], at(11))
    assert spans(kept.slide(at(11))) == [("1h", -50, 10, 3)]


def test_what_slides_is_decided_once_all_the_same() -> None:
    """However often numbers are told in between, each row is in one window that is closed."""
    kept = streams(HOURLY)
    closed = []
    for minute in range(0, 180, 3):
        kept.add([rows_at([minute])], at(minute))
        closed += kept.close(at(minute))
        kept.slide(at(minute))
    closed += kept.finish()
    assert spans(closed) == [("1h", 0, 60, 20), ("1h", 60, 120, 20), ("1h", 120, 180, 20)]


def test_a_row_that_is_late_for_its_pane_still_goes_into_it() -> None:
    """A pane that has been told takes rows as long as its window is open: the window counts them, and so do later numbers."""
    kept = streams(HOURLY)
    kept.add([rows_at([1, 2, 20])], at(20))
    assert spans(kept.slide(at(20))) == [("1h", -40, 20, 2)]
    kept.add([rows_at([3, 25])], at(25))
    assert spans(kept.slide(at(25))) == [("1h", -35, 25, 4)]
    assert kept.counts.late == 0
    assert spans(kept.finish()) == [("1h", 0, 60, 5)]


def test_a_request_across_panes_and_windows_puts_each_row_where_it_belongs() -> None:
    """Rows of one request, not in the order of time, in two hours."""
    kept = streams(HOURLY)
    kept.add([rows_at([5, 55, 4, 6, 59, 61, 62])], at(62))
    assert spans(kept.close(at(62))) == [("1h", 0, 60, 5)]
    assert spans(kept.finish()) == [("1h", 60, 120, 2)]


def test_of_one_request_the_newest_panes_are_counted() -> None:
    """Whoever sends chooses the times; each pane takes memory, so of tens of thousands of them the earliest are late."""
    hours, most = 6000, 4096
    held = streams(HOURLY, min_rows=1)
    order = np.random.default_rng(0).permutation(hours)
    held.add([rows_at([60.0 * hour for hour in order.tolist()])], START + 9000 * HOUR)
    closed = held.finish()
    first = START + (hours - most) * HOUR
    assert sum(one.closed.summary.rows for one in closed) + held.counts.late == hours
    assert min(one.closed.start_ns for one in closed) >= first
    in_order = streams(HOURLY, min_rows=1)
    in_order.add([rows_at([60.0 * hour for hour in range(hours)])], START + 9000 * HOUR)
    starts = [one.closed.start_ns for one in in_order.finish()]
    assert starts == [first + i * HOUR for i in range(most)]
    assert in_order.counts.late == hours - most


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60), st.sampled_from([300, 900, 3600]))
def test_panes_do_not_change_what_is_decided(minutes: list[int], pane_s: int) -> None:
    """Windows with panes of any length close with the rows that windows of a single pane close with, in whatever order rows come."""
    plain, paned = (
        streams(WindowConfig(name="1h", length=Duration(3600), pane=Duration(pane)))
        for pane in (3600, pane_s)
    )
    closed: list[list[ClosedWindow]] = []
    for kept in (plain, paned):
        closed.append([])
        for minute in minutes:
            kept.add([rows_at([minute, minute])], at(200))
            closed[-1] += kept.close(at(0))
            kept.slide(at(0))
        closed[-1] += kept.finish()
    assert spans(closed[0]) == spans(closed[1])
    assert plain.counts.late == paned.counts.late


def of_features(n_features: int) -> Reference:
    """Return the reference of so many features with twenty bins each."""
    rng = np.random.default_rng(1)
    return Reference.of(
        build_profile(
            {f"x{i}": rng.normal(size=2000) for i in range(n_features)},
            model="fraud",
            version="1",
            created="2026-01-01T00:00:00Z",
            source=Source(kind="array", uri="", rows=2000),
        )
    )


def held_bytes(kept: Streams) -> int:
    """Return the bytes of all arrays that the windows of *kept* hold."""
    (stream,) = kept._streams.values()
    panes = [
        pane
        for windows in stream.windows
        for pane in (*windows._panes.values(), *windows._last.values())  # type: ignore[attr-defined]  # these are windows of time
    ]
    assert len(panes) == 12 + 24 + 1  # and the one of the hour that has just begun
    return sum(p.counts.nbytes + p.hours.nbytes + p.scores.counts.nbytes for p in panes)


def filled(n_features: int, rows: int) -> Streams:
    """Return the streams of a model after a day, with *rows* every five minutes."""
    reference = of_features(n_features)
    rng = np.random.default_rng(2)
    kept = streams(HOURLY, DAILY, reference=reference)
    for minute in [*range(0, 24 * 60, 5), 24 * 60 - 1]:  # the day is not over yet
        features = rng.normal(size=(n_features, rows))
        kept.add([rows_at([minute] * rows, features, reference)], at(minute))
        kept.close(at(minute))
        kept.slide(at(minute))
    return kept


def test_a_feature_takes_at_most_four_kilobytes_with_all_panes_full() -> None:
    """Of 25 features more than of 5 the arrays of 36 panes and the one being filled take 20 times at most 4 KiB."""
    few, many = (held_bytes(filled(n, rows=300)) for n in (5, 25))
    assert 0 < (many - few) / 20 <= 4096


def test_panes_at_rest_count_the_same() -> None:
    """Narrow integers are still the integers: nothing is lost or wraps, whatever their size."""
    summary = Summary(of_features(1))
    for value in (0, 255, 256, 65_536, (1 << 32) + 5):
        summary.counts[:] = value
        summary.scores.counts[:] = value
        resting = summary.copy()
        resting.rest()
        again = resting.copy()
        assert again.counts.tolist() == summary.counts.tolist()
        assert again.scores.counts.tolist() == summary.scores.counts.tolist()
        assert again.counts.dtype == np.int64
