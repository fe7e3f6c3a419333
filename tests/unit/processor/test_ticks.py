"""What a mistake of ours costs as time passes: never the processor."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_FAILURES, METRIC_ML_PROCESSOR_OVERFLOW
from otel_ml_processor.config import WindowConfig
from otel_ml_processor.config_file import load_config
from otel_ml_processor.service import Service
from otel_ml_processor.state.snapshot import read_snapshot
from otel_ml_processor.windows import streams
from tests.data.state_house import House, request

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = (
    "receive={endpoint: '127.0.0.1:0'}",
    "http={endpoint: '127.0.0.1:0'}",
    "state={directory: state}",
)


def test_a_tick_that_fails_is_said_once_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one comes all the same, and what else a tick does is done: here the state is written."""
    service = Service(load_config(None, SETTINGS), tmp_path)
    keeper, snapshot = service._keeper, tmp_path / "state" / "snapshot"
    assert keeper is not None
    keeper.restore()
    snapshot.unlink()
    keeper._saved_ns = 0  # so that the next one is due

    def broken(_now_ns: int) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(service._pipeline, "tick", broken)
    with caplog.at_level(logging.ERROR):
        service.tick()
        service.tick()

    failures = {
        attributes["ml.processor.cause"]: count
        for name, attributes, count in service._self_metrics.snapshot()
        if name == METRIC_ML_PROCESSOR_FAILURES and count
    }
    assert failures == {"tick": 2}
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["a tick failed; further ones are counted"]
    assert snapshot.exists()


def test_an_end_that_fails_half_way_keeps_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last snapshot is written, and says that nothing came after it."""
    service = Service(load_config(None, SETTINGS), tmp_path)
    assert service._keeper is not None
    service._keeper.restore()

    def broken(_now_ns: int) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(service._pipeline, "tick", broken)
    service.stop()

    assert read_snapshot(tmp_path / "state" / "snapshot").snapshot.is_final


def test_windows_that_nobody_could_assess_in_time_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two may wait, and five of 200 rows close before the next tick: the overflow says of how many rows nothing was told."""
    monkeypatch.setattr(streams, "_MAX_CLOSED", 2)
    house = House(None, windows=[WindowConfig(name="rows", rows=200)])
    for number in range(5):
        house.take(request(range(200 * number, 200 * number + 200)))
        house.ledger.count()
    house.tick()

    overflow = house.counted(METRIC_ML_PROCESSOR_OVERFLOW, ml_processor_cause="windows")
    assert [value for value, _ in overflow] == [600]
    assert len(house.readings) == 2
