"""Panes, hours and the overflow stream survive what windows survive, and numbers that slide reach the metrics."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from otel_ml_conventions.metrics import (
    METRIC_ML_CONFIDENCE_MEAN,
    METRIC_ML_DRIFT_STATUS,
    METRIC_ML_DRIFT_WINDOW_SAMPLES,
    METRIC_ML_PREDICTION_SAMPLES,
)
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.config import Duration, StreamsConfig, WindowConfig
from otel_ml_processor.profile import HourlyCounts, Profile, sealed
from otel_ml_processor.state.merging import absorb_streams
from otel_ml_processor.state.snapshot import read_snapshot
from otel_ml_processor.state.stored_streams import StoredIncrement, StoredStream
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.references import References
from otel_ml_processor.windows.streams import OVERFLOW, Streams
from tests.data.state_house import NOW, House, profile, request
from tests.data.value_columns import inferences

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000
WINDOWS = [
    WindowConfig(name="10m", length=Duration(600)),
    WindowConfig(name="24h", length=Duration(86_400)),
    WindowConfig(name="rows", rows=200),
]
LENGTHS = WINDOWS[:2]


@cache
def seasonal() -> Profile:
    """Return the profile of `fraud`, each hour of the day with a part of its rows."""
    whole = profile()
    assert whole.confidence is not None
    counts = [
        [[count // 24 for count in column.counts] + [0] * 4] * 24
        for column in (*whole.features, whole.confidence)
    ]
    slots = HourlyCounts(season="hour_of_day", counts=counts)
    return sealed(msgspec.structs.replace(whole, slots=slots, correlation=None, pca=None))


def requests() -> list[bytes]:
    """Return requests of several panes, hours and windows."""
    return [
        request(range(20 * k, 20 * k + 20), at_ns=NOW + minutes * 60 * SECOND)
        for k, minutes in enumerate((0, 1, 3, 2, 12, 70, 71))
    ]


class Clock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        """Begin two hours after the first request."""
        self.now_ns = NOW + 7200 * SECOND

    def __call__(self) -> int:
        """Return the time."""
        return self.now_ns


@pytest.mark.parametrize("journal", [True, False])
def test_panes_and_hours_go_on_after_the_end(tmp_path: Path, *, journal: bool) -> None:
    """Killed with a journal, or stopped without: what is open then is byte for byte that of a processor that never ended."""
    clock = Clock()
    facts = {"windows": WINDOWS, "reference": seasonal(), "clock_ns": clock}
    never = House(None, **facts)  # type: ignore[arg-type]  # each of its own type
    one = House(tmp_path, journal=journal, **facts)  # type: ignore[arg-type]  # as above
    for k, taken in enumerate(requests()):
        never.take(taken)
        one.take(taken)
        if k == 3:
            one.vanish() if journal else one.stop()
            one = House(tmp_path, journal=journal, **facts)  # type: ignore[arg-type]  # as above
    assert one.windows() == never.windows()
    (copy,) = one.ledger.streams.copies()
    assert sum(pane.summary.hours.sum() for pane in copy.windows[1].opened) == 140


def test_merged_panes_and_hours_equal_those_of_one(tmp_path: Path) -> None:
    """Two processors that were each fed a part of every pane have together what one has that was fed all, late rows and all."""
    facts = {"windows": LENGTHS, "reference": seasonal(), "clock_ns": Clock()}
    fed = requests()[:4]
    whole = House(None, **facts).take(*fed)  # type: ignore[arg-type]  # each of its own type
    for name in ("even", "odd"):
        part = fed[name == "odd" :: 2]
        House(tmp_path / name, **facts).take(*part).stop()  # type: ignore[arg-type]  # as above
    merged = Streams(
        StreamsConfig(),
        LENGTHS,
        whole.references.reference,
        divisions=Divisions.of(whole.config),
    )
    for name in ("even", "odd"):
        snapshot = read_snapshot(tmp_path / name / "snapshot").snapshot
        absorb_streams(merged, snapshot, whole.references.reference)
    of_merged, of_whole = (
        [StoredStream.of(copy).windows for copy in streams.copies()]
        for streams in (merged, whole.ledger.streams)
    )
    assert msgspec.msgpack.encode(of_merged) == msgspec.msgpack.encode(of_whole)


def test_other_panes_begin_anew(tmp_path: Path) -> None:
    """Panes of another length cannot be added up; the windows that have them are not taken for others."""
    House(tmp_path, windows=LENGTHS).take(request(range(5))).stop()
    pane = WindowConfig(name="10m", length=Duration(600), pane=Duration(60))
    other = House(tmp_path, windows=[pane, LENGTHS[1]])
    assert other.ledger.streams.copies() == []


def test_the_overflow_is_written_and_read_like_any_stream() -> None:
    """Increments of streams beyond the cap are those of the overflow; a twin that reads them counts the same there."""
    references = References.of([("fraud.json", profile())])
    kept, twin = (Streams(StreamsConfig(max=1), WINDOWS, references.reference) for _ in range(2))
    rows = inferences(30, confidences=[0.9] * 30, features={"amount": [0.5] * 30})
    for model in ("fraud", "other", "third"):
        stream = StreamKey("shop", "", model, "1")
        placed = place(replace(rows, stream=stream), references.reference(stream))
        for increment in kept.add([placed], SECOND):
            written = msgspec.msgpack.encode(StoredIncrement.of(increment))
            read = msgspec.msgpack.decode(written, type=StoredIncrement)
            twin.repeat(read.increment(references.reference))
    of_kept, of_twin = ([StoredStream.of(c) for c in s.copies()] for s in (kept, twin))
    assert of_kept == of_twin
    rows_of = {s.key[2]: s.windows[1].opened[0].summary.rows for s in of_kept}
    assert rows_of == {"fraud": 30, OVERFLOW.model: 60}


def test_which_calls_came_is_written_and_read() -> None:
    """Ids of 64 bits, numbers of 63, and sums of any size come back as they were, and are the same in a twin."""
    stream = StreamKey("shop", "", "other", "1")
    calls = [[-(1 << 63), 5], [(1 << 63) - 1, (1 << 63) - 1], [0, -1]]
    rows = replace(inferences(3, confidences=[0.5, 0.9, 1.0]), stream=stream, calls=np.array(calls))
    kept, twin = (Streams(StreamsConfig(), LENGTHS, lambda _: None) for _ in range(2))
    for increment in kept.add([place(rows, None)], SECOND):
        written = msgspec.msgpack.encode(StoredIncrement.of(increment))
        read = msgspec.msgpack.decode(written, type=StoredIncrement)
        twin.repeat(read.increment(lambda _: None))
    (of_twin,) = twin.copies()
    ranges = of_twin.windows[0].opened[0].summary.calls.by_process
    assert {process: (r.lowest, r.came, r.said) for process, r in ranges.items()} == {
        -(1 << 63): (5, 1, 1),
        (1 << 63) - 1: ((1 << 63) - 1, 1, 1),
    }
    assert [StoredStream.of(copy) for copy in kept.copies()] == [StoredStream.of(of_twin)]


def test_numbers_slide_and_states_stay() -> None:
    """Every pane the metrics have the numbers of the last ten minutes; the state is that of the last window that was decided."""
    clock = Clock()
    house = House(None, windows=LENGTHS, clock_ns=clock)
    start = NOW - NOW % (600 * SECOND)

    def told(minutes: float, rows: range) -> tuple[int, list[float], bool]:
        """Take *rows* then, let time pass, and return rows and state of the metrics, and whether a confidence is told."""
        at_ns = start + round(60 * minutes) * SECOND
        clock.now_ns = at_ns
        house.take(request(rows, at_ns=at_ns))
        house.tick()
        samples = house.counted(METRIC_ML_DRIFT_WINDOW_SAMPLES, ml_window_name="10m")
        steady = house.counted(
            METRIC_ML_DRIFT_STATUS,
            ml_window_name="10m",
            ml_drift_state="insufficient",
            ml_feature_name="amount",
        )
        mean = house.counted(METRIC_ML_CONFIDENCE_MEAN, ml_window_name="10m")
        return (
            int(samples[0][0]) if samples else 0,
            [value for value, _ in steady],
            bool(mean),
        )

    assert told(1, range(300)) == (0, [], False)
    assert told(4, range(300, 310)) == (300, [1.0], True)
    assert told(13, range(310, 320)) == (310, [0.0], True)


def test_of_a_stream_that_made_room_nothing_more_is_said() -> None:
    """Its last window is told, and then its metrics are gone, so that series of old versions do not pile up."""
    clock = Clock()
    house = House(None, windows=WINDOWS, clock_ns=clock)
    house.ledger.streams._config = StreamsConfig(max=1, silent=Duration(60))
    house.take(request(range(3), "fraud", at_ns=clock.now_ns))
    house.tick()
    assert house.counted(METRIC_ML_PREDICTION_SAMPLES, ml_model_name="fraud")
    clock.now_ns += 3600 * SECOND
    house.take(request(range(3, 6), "other", at_ns=clock.now_ns))
    house.tick()
    assert {r.window.name for r, _ in house.readings if r.stream.model == "fraud"} >= {"10m", "24h"}
    assert house.counted(METRIC_ML_PREDICTION_SAMPLES, ml_model_name="fraud") == []
    assert house.counted(METRIC_ML_PREDICTION_SAMPLES, ml_model_name="other")
