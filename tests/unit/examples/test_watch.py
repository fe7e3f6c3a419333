"""What the demo makes of the processor's page: the real page, serving readings made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from play import Player
from screen import drifted_text
from watch import Drifted, Watch, Window

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.reading import (
    ConfidenceReading,
    PairReading,
    Reading,
    TargetReading,
    WindowSpan,
)
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.page import ProcessorFacts
from otel_ml_processor.emit.pages import pages
from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.self_metrics import SelfMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIFTING, STEADY = MlDriftStateValues.DRIFTING, MlDriftStateValues.STEADY
BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
DAYS = [date(2013, 3, 1) + timedelta(days=number // 10) for number in range(800)]
SIZE = 200


def target(
    name: str, psi: float, state: MlDriftStateValues = DRIFTING, **more: object
) -> TargetReading:
    """Return the reading of one feature, or of the confidence where it has no name."""
    kind = MlDriftTargetValues.FEATURE if name else MlDriftTargetValues.CONFIDENCE
    reading = TargetReading(kind, name, SIZE, {"psi": psi}, 0.001, psi, state, driver="chi_squared")
    return replace(reading, **more)  # type: ignore[arg-type]  # the caller names fields


def reading(seconds: float, *targets: TargetReading) -> Reading:
    """Return a reading of a window that ended so many seconds after the beginning."""
    end = BEGIN + timedelta(seconds=seconds)
    span = WindowSpan("rows", nanoseconds(end) - 2_000_000_000, nanoseconds(end))
    confidence = ConfidenceReading(SIZE, 0.9, 0.2, 0.8, {0.5: 0.95}, 0.05, 0.6)
    stream = StreamKey("late-arrivals", "demo", "late-arrival", "1")
    return Reading(stream, span, SIZE, targets[0].state, targets, confidence)


def nanoseconds(moment: datetime) -> int:
    """Return *moment* as spans carry it."""
    return round(moment.timestamp() * 1e9)


@pytest.fixture(name="book")
def _book() -> MetricBook:
    """The processor's book, empty."""
    return MetricBook(windows=["rows"], scores=["psi"], self_metrics=SelfMetrics())


@pytest.fixture(name="page")
def _page(book: MetricBook) -> Iterator[str]:
    """The address of the processor's page, served for real."""
    facts = ProcessorFacts("tee", "127.0.0.1:14317", "1")
    server = HttpServer("127.0.0.1:0", pages(book, facts, lambda: True))
    server.start()
    yield server.endpoint
    server.stop()


@pytest.fixture(name="watch")
def _watch(page: str) -> Watch:
    """A watch beside a player whose flights were answered a hundred a second."""
    player = Player("http://127.0.0.1:9")
    player.answer_times += [BEGIN.timestamp() + number / 100 for number in range(800)]
    return Watch(page, player, DAYS, SIZE)


def test_before_the_first_window_there_is_nothing_to_see(watch: Watch) -> None:
    """The page answers, with no stream on it yet."""
    assert watch.look() is None
    assert watch.windows == []
    with pytest.raises(KeyError):
        watch.score("temp")


def test_a_window_is_told_with_the_days_of_its_flights(watch: Watch, book: MetricBook) -> None:
    """State, what drifted with the largest score first, confidence; and the days, which only the player knows."""
    book.update(
        reading(2, target("dewp", 0.5), target("temp", 1.5), target("hour", 0.001, STEADY)), None
    )
    window = watch.look()
    drifted = (Drifted("temp", 1.5, 0.001), Drifted("dewp", 0.5, 0.001))
    assert window == Window(1, tuple(DAYS[:200]), SIZE, "drifting", drifted, 0.9, 0.05)
    assert watch.score("temp") == 1.5


def test_a_window_is_told_once(watch: Watch, book: MetricBook) -> None:
    """However often one looks; the next one is told again."""
    book.update(reading(2, target("temp", 1.5)), None)
    assert [watch.look() is None for _ in range(3)] == [False, True, True]
    book.update(reading(4, target("temp", 1.5)), None)
    assert [watch.look() is None for _ in range(3)] == [False, True, True]
    assert [window.number for window in watch.windows] == [1, 2]


def test_no_two_windows_can_close_unseen(watch: Watch, book: MetricBook) -> None:
    """The page has the last window alone: so many flights may be sent as complete one window that has not been seen, and not the one after it."""
    assert watch.may_be_sent == 2 * SIZE - 1
    book.update(reading(2, target("temp", 1.5)), None)
    watch.look()
    assert watch.may_be_sent == 3 * SIZE - 1


@pytest.mark.parametrize("seconds", [5.6, 6.0, 6.4])
def test_a_window_that_was_missed_does_not_shift_the_next(
    watch: Watch, book: MetricBook, seconds: float
) -> None:
    """Which window it is follows from when its last flight was answered, to within half a second, not from counting looks."""
    book.update(reading(seconds, target("temp", 1.5)), None)
    window = watch.look()
    assert window is not None
    assert window.number == 3
    assert window.days == tuple(DAYS[400:600])


def test_missing_and_unseen_values_are_told_as_shares(watch: Watch, book: MetricBook) -> None:
    """Where it was not the values that moved, the score would mislead."""
    missing = target("humid", 0.02, missing=0.034, driver="missing")
    unseen = target("dest", 0.01, unseen=0.012, driver="unseen")
    book.update(reading(2, missing, unseen, target("", 0.3)), None)
    window = watch.look()
    assert window is not None
    assert [(one.name, one.change) for one in window.drifted] == [
        ("confidence", ""),
        ("humid", "3% missing"),
        ("dest", "1% unseen"),
    ]


def test_what_has_no_psi_is_told_by_what_changed(watch: Watch, book: MetricBook) -> None:
    """A correlation by the features and what it was; a new schema by its share of the rows; by size among the others."""
    scores = {"rank_correlation": 0.42}
    pair = PairReading("temp", "dewp", 0.78, 0.36, 0.001, 0.4)
    correlation = target("", 0.4, target=MlDriftTargetValues.CORRELATION, scores=scores, pair=pair)
    schema = target("", 0.12, target=MlDriftTargetValues.DATA_QUALITY, scores={})
    book.update(reading(2, target("temp", 1.5), schema, correlation), None)
    window = watch.look()
    assert window is not None
    assert drifted_text(window.drifted, 3) == (
        "temp 1.50 (p=0.001), correlation of temp and dewp 0.78 to 0.36 (p=0.001), data_quality 0.12 (p=0.001)"
    )
