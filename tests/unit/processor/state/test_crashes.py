"""Whatever the processor writes to its folder, it may be killed before, during and after it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.data.state_house import NOW, House, request, singly

if TYPE_CHECKING:
    from pathlib import Path

LATER = NOW + 900_000_000_000
REQUESTS = [
    request(range(5)),
    request(range(5, 12)),
    request(range(3000, 3003), "other"),
    request(range(12, 30)),  # the first window of 20 rows ends in it
    request(range(28, 45)),  # two of its spans have been there
    request(range(45, 47), at_ns=LATER),  # closes the window of ten minutes
    request(range(47, 50), at_ns=LATER),
]


def now_ns() -> int:
    """Return when all of it happens: no request is from the future."""
    return LATER + 10_000_000_000


class Crash(NamedTuple):
    """The folder as it was at some moment, how many requests had been acknowledged, and when that was."""

    folder: Path
    acknowledged: int
    step: str


class Crashes:
    """Copies the folder of a processor at every call that changes a file in it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Watch; half of what is written at once is there in one of the copies."""
        self.folder = folder
        self.found: list[Crash] = []
        self.house: House | None = None
        for name in ("write", "pwrite", "fsync", "replace", "unlink"):
            self._watch(name, patch)

    def _watch(self, name: str, patch: pytest.MonkeyPatch) -> None:
        real: Any = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._crash(f"before {name}")
            # It may always write less than it is given.
            if name == "write" and len(arguments[1]) > 1:
                written = real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                self._crash("half written")
                return written
            result = real(*arguments, **named)
            self._crash(f"after {name}")
            return result

        patch.setattr(os, name, call)

    def _crash(self, step: str) -> None:
        copy = self.folder.with_name(f"crash-{len(self.found)}")
        shutil.copytree(self.folder, copy)
        self.found.append(Crash(copy, len(self.house.taken) if self.house else 0, step))


def crashes_of(folder: Path, *, journal: bool) -> list[Crash]:
    """Return every crash of a processor that takes all requests, with a snapshot and time in between and at the end."""
    with pytest.MonkeyPatch.context() as patch:
        crashes = Crashes(folder, patch)
        folder.mkdir()
        house = crashes.house = House(folder, journal=journal, clock_ns=now_ns)
        for number, one in enumerate(REQUESTS):
            house.take(one)
            if number in {1, 4}:
                house.tick()
                house.save()
        house.stop()
    return crashes.found


class Told(NamedTuple):
    """What a processor that was never killed has counted."""

    content: list[bytes]
    windows: list[bytes]
    rows: int


def told_in_order() -> list[Told]:
    """Return it after no request, after the first, the first two ..."""
    house = House(None, clock_ns=now_ns)
    told = [Told(house.content(), house.windows(), house.rows())]
    for one in REQUESTS:
        house.take(one)
        told += [Told(house.content(), house.windows(), house.rows())]
    return told


def test_with_a_journal_whatever_was_acknowledged_is_there_and_counted_once(tmp_path: Path) -> None:
    """
    At every crash: all that was acknowledged, and at most the request that was being worked on.

    Then its senders repeat what was not acknowledged, and somebody on the way sends everything once more, span by span: the counts are those of a
    processor that was never killed, bit for bit.
    """
    told, one_by_one = told_in_order(), singly(REQUESTS)
    crashes = crashes_of(tmp_path / "state", journal=True)
    assert {crash.acknowledged for crash in crashes} == set(range(len(REQUESTS) + 1))
    for crash in crashes:
        house = House(crash.folder, clock_ns=now_ns)
        may_be_there = told[crash.acknowledged : crash.acknowledged + 2]
        assert house.content() in [told.content for told in may_be_there], crash
        house.take(*REQUESTS[crash.acknowledged :])
        house.take(*one_by_one)
        assert house.content() == told[-1].content, crash
        house.vanish()


def test_without_a_journal_the_loss_is_told_exactly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the windows lack after a crash is what the log says, whenever it happens; a sender that repeats everything is counted once."""
    told, one_by_one = told_in_order(), singly(REQUESTS)
    for crash in crashes_of(tmp_path / "state", journal=False):
        caplog.clear()
        house = House(crash.folder, clock_ns=now_ns)
        said = [record.message for record in caplog.records if "are lost" in record.message]
        lost = int(said[0].split()[1]) if said else 0
        before_time_closed_one = crash.acknowledged <= 4
        if before_time_closed_one:
            may_be_there = told[crash.acknowledged : crash.acknowledged + 2]
            assert house.rows() + lost in [told.rows for told in may_be_there], crash
        house.take(*one_by_one)
        assert house.windows() == told[-1].windows, crash
        house.vanish()
