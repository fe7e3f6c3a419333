"""A request that comes again while what it repeats is still being written down."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from otel_ml_processor.state.journal import Journal
from tests.data.state_house import House, request

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PATIENCE_S = 30.0


def test_a_repeat_is_not_acknowledged_before_what_it_repeats_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in between would lose what its sender was told that we have."""
    house = House(tmp_path, journal=True)
    is_writing, may_end, is_decided = threading.Event(), threading.Event(), threading.Event()
    fsync, wait = os.fsync, Journal.wait

    def slow_fsync(file: int) -> None:
        is_writing.set()
        assert may_end.wait(PATIENCE_S)
        fsync(file)

    def watched_wait(journal: Journal, number: int) -> None:
        if is_writing.is_set():
            is_decided.set()
        wait(journal, number)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    monkeypatch.setattr(Journal, "wait", watched_wait)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(house.pipeline.take, request(range(5)), None)
        assert is_writing.wait(PATIENCE_S)
        again = threads.submit(house.pipeline.take, request(range(5)), None)
        again.add_done_callback(lambda _: is_decided.set())
        assert is_decided.wait(PATIENCE_S)
        was_acknowledged = again.done()
        may_end.set()

        assert not was_acknowledged
        assert first.result(PATIENCE_S) == again.result(PATIENCE_S) == b""
    house.vanish()
