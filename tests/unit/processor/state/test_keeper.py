"""A processor that starts on a folder goes on where the one before ended, and nothing about the folder can stop it."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_conventions.metrics import (
    METRIC_ML_CONFIDENCE_VIOLATIONS,
    METRIC_ML_DRIFT_DETECTIONS,
    METRIC_ML_PREDICTION_SAMPLES,
    METRIC_ML_PROCESSOR_DUPLICATES,
    METRIC_ML_PROCESSOR_FAILURES,
    METRIC_ML_PROCESSOR_SNAPSHOT_AGE,
    METRIC_ML_PROCESSOR_STATE,
)
from otel_ml_processor.assess.states import StateMemory
from otel_ml_processor.config import Duration, WindowConfig
from otel_ml_processor.state import sealed_file
from otel_ml_processor.state.snapshot import StoredSnapshot, read_snapshot, write_snapshot
from tests.data.state_house import NOW, House, profile, request, singly

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


class Clock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        """Begin at `NOW`."""
        self.now_ns = NOW

    def __call__(self) -> int:
        """Return the time."""
        return self.now_ns


def failures(house: House, cause: str) -> int:
    """Return how often *cause* was counted."""
    return int(house.counted(METRIC_ML_PROCESSOR_FAILURES, ml_processor_cause=cause)[0][0])


def descriptors(folder: Path) -> list[str]:
    """Return where the descriptors lead that are open in *folder*, also to files that are gone; those of others, which other threads close, are none of them."""
    led: list[str] = []
    for one in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # it was closed meanwhile
            led.append(str(one.readlink()))
    return sorted(path for path in led if path.startswith(f"{folder.resolve()}/"))


def state_of(house: House) -> str:
    """Return how the processor says that it began."""
    began = [
        s
        for s in ("restored", "fresh")
        if house.counted(METRIC_ML_PROCESSOR_STATE, ml_processor_state=s)[0][0]
    ]
    (only,) = began
    return only


def test_windows_and_what_was_counted_go_on(tmp_path: Path) -> None:
    """After a clean end: the same windows, and neither the request nor its spans one by one are counted again."""
    first = House(tmp_path).take(request(range(15)), request(range(100, 108), "other"))
    before = first.content()
    first.stop()

    second = House(tmp_path)

    assert second.content() == before
    assert state_of(first) == "fresh"
    assert state_of(second) == "restored"
    second.take(request(range(15)), *singly([request(range(15))]))
    assert second.content() == before
    assert second.counted(METRIC_ML_PROCESSOR_DUPLICATES)[0][0] == 30
    assert second.take(request(range(15, 17))).rows() == 25


def test_a_window_that_goes_over_a_restart_is_read_as_one(tmp_path: Path) -> None:
    """Twenty rows, a restart after the twelfth: one reading of twenty, the same as without."""
    whole = House(None).take(request(range(12)), request(range(12, 20)))
    whole.tick()
    first = House(tmp_path).take(request(range(12)))
    first.stop()
    second = House(tmp_path).take(request(range(12, 20)))
    second.tick()
    assert first.readings == []
    assert [reading.rows for reading, _ in second.readings] == [20]
    assert repr(second.readings) == repr(whole.readings)  # where there is a NaN, they never equal


def test_a_partly_seen_request_counts_what_is_new() -> None:
    """Ten spans, of which four came before in another request: six are counted, four told as duplicates."""
    house = House(None).take(request(range(4)), request(range(10)))
    assert house.content() == House(None).take(request(range(10))).content()
    assert house.counted(METRIC_ML_PROCESSOR_DUPLICATES)[0][0] == 4


def test_totals_go_on_since_when_they_were_counted(tmp_path: Path) -> None:
    """After a clean end a counter neither falls nor begins anew."""
    clock = Clock()
    first = House(tmp_path, clock_ns=clock).take(request(range(9)))
    first.stop()
    before = first.counted(METRIC_ML_PREDICTION_SAMPLES)
    assert [start for _, start in before] == [NOW] * 3

    clock.now_ns += 100 * SECOND
    second = House(tmp_path, clock_ns=clock)

    assert second.counted(METRIC_ML_PREDICTION_SAMPLES) == before
    assert second.counted(METRIC_ML_CONFIDENCE_VIOLATIONS) == first.counted(
        METRIC_ML_CONFIDENCE_VIOLATIONS
    )
    second.take(request(range(9, 12))).tick()
    assert sum(value for value, _ in second.counted(METRIC_ML_PREDICTION_SAMPLES)) == 12


@pytest.mark.parametrize("journal", [True, False])
def test_after_a_crash_no_counter_runs_backwards(tmp_path: Path, *, journal: bool) -> None:
    """With the journal it goes on; without one, what was told may be more than is known, so it begins anew, and says since when."""
    clock = Clock()
    first = House(tmp_path, journal=journal, clock_ns=clock).take(request(range(9)))
    first.save()
    first.take(request(range(9, 12))).tick()
    told = first.counted(METRIC_ML_PREDICTION_SAMPLES)
    first.vanish()

    clock.now_ns += 100 * SECOND
    second = House(tmp_path, journal=journal, clock_ns=clock)
    second.take(request(range(20, 21))).tick()

    now = second.counted(METRIC_ML_PREDICTION_SAMPLES)
    if journal:
        assert sum(v for v, _ in now) == 1 + sum(v for v, _ in told)
        assert {start for _, start in now} == {NOW}
    else:
        assert sum(value for value, _ in now) == 1
        assert {start for _, start in now} == {clock.now_ns}
        assert second.rows() == 10


def test_what_was_drifting_is_not_told_again(tmp_path: Path) -> None:
    """An alarm is a change; a restart is none. The count of alarms and what spans are told go on too."""
    windows = [WindowConfig(name="rows", rows=200)]
    batches = [request(range(1000 * k, 1000 * k + 200)) for k in range(2)]
    reference = profile(mean=5.0)
    first = House(tmp_path, windows=windows, reference=reference).take(batches[0])
    first.tick()
    assert [change is not None for _, change in first.readings] == [True]
    alarms = first.counted(METRIC_ML_DRIFT_DETECTIONS)
    first.stop()

    second = House(tmp_path, windows=windows, reference=reference)

    (stream,) = [reading.stream for reading, _ in first.readings]
    assert second.pipeline.states.last(stream, "rows") is MlDriftStateValues.DRIFTING
    second.take(batches[1]).tick()
    assert [(r.state, c) for r, c in second.readings] == [(MlDriftStateValues.DRIFTING, None)]
    assert second.counted(METRIC_ML_DRIFT_DETECTIONS) == alarms


def test_a_restored_state_is_as_old_as_it_is(tmp_path: Path) -> None:
    """Event time and silence go on by the clock: a stream that fell silent before the end closes its windows after it."""
    clock = Clock()
    first = House(tmp_path, clock_ns=clock).take(request(range(5)))
    first.stop()
    clock.now_ns += 3600 * SECOND
    second = House(tmp_path, clock_ns=clock)
    assert [(r.window.name, r.rows) for r, _ in second.readings] == [("10m", 5)]


def test_while_nobody_ran_what_was_taken_grew_older(tmp_path: Path) -> None:
    """After four hundred seconds without a processor a sender that repeats what it sent before is still known, by a memory of ten minutes."""
    clock = Clock()
    House(tmp_path, clock_ns=clock).take(request(range(5))).stop()
    clock.now_ns += 400 * SECOND

    house = House(tmp_path, clock_ns=clock)

    (known,) = house.ledger.repeats.known()
    assert known.age_s == pytest.approx(400, abs=60)
    house.take(request(range(5)), *singly([request(range(5))]))
    assert house.rows() == 5


def test_rows_that_wait_for_the_next_window_wait_over_a_restart(tmp_path: Path) -> None:
    """Five are too few for a window of their own: after the restart they come again in the next one, with its two."""
    clock = Clock()
    first = House(tmp_path, clock_ns=clock).take(request(range(5)))
    clock.now_ns += 900 * SECOND
    first.take(request(range(5, 7), at_ns=clock.now_ns)).stop()
    assert [reading.rows for reading, _ in first.readings] == [5]

    second = House(tmp_path, clock_ns=clock)
    clock.now_ns += 900 * SECOND
    second.tick()

    assert [reading.rows for reading, _ in second.readings] == [7]
    assert [reading.window.start_ns for reading, _ in second.readings] == [NOW - 200 * SECOND]


def test_a_changed_profile_begins_anew_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Counts in the bins of one profile mean nothing in those of another; streams without it go on."""
    first = House(tmp_path, journal=True).take(request(range(5)), request(range(100, 107), "other"))
    first.save()
    first.take(request(range(5, 7)))
    first.vanish()

    second = House(tmp_path, journal=True, reference=profile(8))

    assert second.rows() == 7
    assert "it was counted against profile sha256:" in caplog.text
    assert failures(second, "restore") == 1
    assert second.take(request(range(5))).rows() == 7, "spans that were counted stay counted"


@pytest.mark.parametrize(
    "windows",
    [
        [WindowConfig(name="10m", length=Duration(1200)), WindowConfig(name="rows", rows=20)],
        [WindowConfig(name="10m", length=Duration(600)), WindowConfig(name="rows", rows=30)],
        [WindowConfig(name="10m", length=Duration(600))],
    ],
    ids=["longer", "more rows", "gone"],
)
def test_changed_windows_begin_anew(tmp_path: Path, windows: list[WindowConfig]) -> None:
    """What was counted for windows of another length is not put into these."""
    first = House(tmp_path).take(request(range(5)))
    first.stop()
    second = House(tmp_path, windows=windows)
    assert second.rows() == 0
    assert failures(second, "restore") == 1


def test_a_new_window_beside_the_old_ones_begins_empty(tmp_path: Path) -> None:
    """The others go on."""
    House(tmp_path, windows=[WindowConfig(name="10m", length=Duration(600))]).take(
        request(range(5))
    ).stop()
    second = House(tmp_path)
    assert (second.rows("10m"), second.rows("rows")) == (5, 0)


@pytest.mark.parametrize("damage", ["cut", "changed", "other schema", "empty"])
def test_an_unusable_snapshot_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """Begun anew, said, counted, and the file is kept for whoever wants to look; the next start is a normal one."""
    first = House(tmp_path).take(request(range(5)))
    if damage == "other schema":
        monkeypatch.setattr(sealed_file, "SCHEMA", 9)
    first.stop()
    monkeypatch.undo()
    snapshot = tmp_path / "snapshot"
    data = snapshot.read_bytes()
    ways = {"cut": data[:-9], "changed": data[:50] + b"!" + data[51:], "empty": b""}
    snapshot.write_bytes(ways.get(damage, data))

    second = House(tmp_path)

    assert state_of(second) == "fresh"
    assert failures(second, "restore") == 1
    assert (tmp_path / "snapshot.unusable").read_bytes() == ways.get(damage, data)
    assert "all windows begin anew" in caplog.text
    assert second.take(request(range(5))).rows() == 5
    second.stop()
    assert House(tmp_path).rows() == 5


@pytest.mark.parametrize("name", ["secret", "counted"])
def test_a_snapshot_that_was_not_read_is_set_aside(tmp_path: Path, name: str) -> None:
    """Another file of the state cannot be opened: the windows of before are not written over."""
    House(tmp_path).take(request(range(5))).stop()
    written = (tmp_path / "snapshot").read_bytes()
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()

    second = House(tmp_path)

    assert failures(second, "restore") == 1
    assert (tmp_path / "snapshot.unusable").read_bytes() == written


def test_a_folder_that_cannot_be_taken_is_not_written_to(tmp_path: Path) -> None:
    """Somebody else may have it. When it can be taken, what lies there is set aside, and from then on it is kept."""
    House(tmp_path).take(request(range(5))).stop()
    written = (tmp_path / "snapshot").read_bytes()
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").mkdir()

    second = House(tmp_path).take(request(range(7)))
    second.save()
    assert (tmp_path / "snapshot").read_bytes() == written
    assert failures(second, "snapshot") == 2

    (tmp_path / "lock").rmdir()
    second.save()
    assert (tmp_path / "snapshot.unusable").read_bytes() == written
    second.stop()
    assert House(tmp_path).rows() == 7


@pytest.mark.parametrize("journal", [True, False])
def test_what_root_writes_is_of_whoever_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, journal: bool
) -> None:
    """`sudo otel-ml state forget` does not lock the processor out of its own state."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: given.append((user, group)))
    House(tmp_path, journal=journal).take(request(range(5))).stop()

    found = tmp_path.stat()
    assert set(given) == {(found.st_uid, found.st_gid)}
    assert len(given) >= (3 if journal else 2)


def test_a_word_that_nobody_knows_stops_nothing(tmp_path: Path) -> None:
    """A snapshot that is whole, of the same schema, and names a state of drift that this version does not have."""
    House(tmp_path).take(request(range(5))).stop()
    stored = read_snapshot(tmp_path / "snapshot")
    memory = StateMemory(stored.snapshot.streams[0].key, "10m", "wandering", False, ())  # noqa: FBT003 - a record
    odd = msgspec.structs.replace(stored.snapshot, states=(memory,))
    write_snapshot(tmp_path / "snapshot", StoredSnapshot(odd, stored.generations))
    written = (tmp_path / "snapshot").read_bytes()

    second = House(tmp_path)

    assert second.rows() == 5
    assert failures(second, "restore") == 1
    assert (tmp_path / "snapshot.unusable").read_bytes() == written
    assert second.take(request(range(7))).rows() == 7


def test_another_secret_knows_no_span(tmp_path: Path) -> None:
    """Windows go on; what was counted can no longer be told, which is said and counted."""
    House(tmp_path).take(request(range(5))).stop()
    (tmp_path / "secret").write_bytes(bytes(16))
    second = House(tmp_path)
    assert second.rows() == 5
    assert failures(second, "restore") == 1
    assert second.take(request(range(5))).rows() == 10


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """No right, no room, read-only: it counts as without a state, says so once, and is well again when the folder is."""
    real: Any = os.open

    def refuse(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code))
        opened: int = real(path, flags, *rest, **named)
        return opened

    with monkeypatch.context() as broken:
        broken.setattr(os, "open", refuse)
        house = House(tmp_path, journal=True).take(request(range(5)))
        house.save()
        house.save()
        assert house.rows() == 5
        assert state_of(house) == "fresh"
        assert failures(house, "snapshot") == 3
        assert caplog.text.count("cannot write a snapshot") == 1
        assert house.counted(METRIC_ML_PROCESSOR_SNAPSHOT_AGE) == []
    house.save()
    assert house.counted(METRIC_ML_PROCESSOR_SNAPSHOT_AGE) == [(0.0, 0)]
    house.stop()
    assert House(tmp_path).rows() == 5


def test_a_full_disk_ends_the_journal_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests are acknowledged all the same, counted once; it is told once, and the next snapshot that can be written has everything."""
    house = House(tmp_path, journal=True).take(request(range(5)))

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        house.take(request(range(5, 9)), request(range(9, 11)))
    assert house.rows() == 11
    assert failures(house, "journal") == 1
    assert caplog.text.count("cannot write the journal") == 1
    house.save()
    house.take(request(range(11, 13)))
    house.vanish()
    assert House(tmp_path, journal=True).rows() == 13


def test_a_disk_that_stays_full_takes_no_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is the beginning of a journal that cannot be written or a record: each is tried anew with every snapshot, for as long as it takes."""
    house = House(tmp_path, journal=True)
    before = descriptors(tmp_path)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for number in range(5):
        with monkeypatch.context() as disk:
            disk.setattr(os, "write", full)
            house.save()
            house.take(request([number]))
        house.save()
    assert failures(house, "snapshot") == failures(house, "journal") == 5
    assert len(descriptors(tmp_path)) == len(before)
    house.stop()


def test_a_crash_while_the_journal_was_broken_tells_the_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was counted and could not be written down is lost, and no counter runs backwards for it."""
    house = House(tmp_path, journal=True).take(request(range(5)))

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        house.take(request(range(5, 9)))
    house.vanish()
    second = House(tmp_path, journal=True)
    assert second.rows() == 5
    assert "4 inferences that were counted after that are lost" in caplog.text
    assert second.counted(METRIC_ML_PREDICTION_SAMPLES) == []


def test_a_loss_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was lost in one crash is not told again at the next start."""
    first = House(tmp_path).take(request(range(5)))
    first.vanish()
    second = House(tmp_path)
    assert "5 inferences" in caplog.text
    caplog.clear()
    second.take(request(range(20, 23)))
    second.save()
    second.vanish()
    assert House(tmp_path).rows() == 3
    assert "are lost" not in caplog.text


def test_streams_that_fell_silent_leave_the_state(tmp_path: Path) -> None:
    """Longer ago than `state.retention`; so do the states and counts that are kept of them."""
    clock = Clock()
    house = House(tmp_path, clock_ns=clock, retention=3600.0).take(request(range(5), "old"))
    clock.now_ns += 4000 * SECOND
    house.take(request(range(10, 13), "new", clock.now_ns)).stop()
    snapshot = read_snapshot(tmp_path / "snapshot").snapshot
    assert [stream.key[2] for stream in snapshot.streams] == ["new"]
    assert {counts.stream[2] for counts in snapshot.counts} == {"new"}


def test_a_state_that_is_too_old_is_deleted(tmp_path: Path) -> None:
    """Nobody wants the windows of last month back, and nobody should find them."""
    clock = Clock()
    House(tmp_path, clock_ns=clock, retention=30 * 86_400.0).take(request(range(5))).stop()
    clock.now_ns += 31 * DAY
    second = House(tmp_path, clock_ns=clock, retention=30 * 86_400.0)
    assert state_of(second) == "fresh"
    assert second.rows() == 0
    assert read_snapshot(tmp_path / "snapshot").snapshot.streams == ()


def test_a_snapshot_is_written_when_it_is_time(tmp_path: Path) -> None:
    """Every interval, and when the clock was put back; its age is told."""
    clock = Clock()
    house = House(tmp_path, clock_ns=clock, interval=30.0)
    assert house.keeper is not None
    written = []
    for step in (29, 31, 59, 61, -3600):
        clock.now_ns = NOW + step * SECOND
        house.keeper.save_if_due()
        written.append((read_snapshot(tmp_path / "snapshot").snapshot.written_ns - NOW) // SECOND)
    assert written == [0, 31, 31, 61, -3600]
    clock.now_ns += 7 * SECOND
    assert house.counted(METRIC_ML_PROCESSOR_SNAPSHOT_AGE) == [(7.0, 0)]


def test_the_state_holds_no_value_and_no_id(tmp_path: Path) -> None:
    """Not in any file: neither the features of a row nor the ids of its span, in text or in bytes."""
    house = House(tmp_path, journal=True).take(request([41]))
    house.save()
    house.take(request([42]))
    for number in (41, 42):
        text = request([number])
        value = text.split(b'"amount": ')[1].split(b"}")[0]
        for path in tmp_path.iterdir():
            content = path.read_bytes()
            assert value not in content
            assert (number + 1).to_bytes(8, "big") not in content
    assert {path.name for path in tmp_path.iterdir()} == {
        "snapshot",
        "journal-2",
        "secret",
        "counted",
        "lock",
    }
