"""What is written is read back, and what was not written like that is never taken for it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.state import sealed_file
from otel_ml_processor.state.counts import counts_of, packed
from otel_ml_processor.state.folder import StateFolder
from otel_ml_processor.state.journal import Journal, Record, read_journal
from otel_ml_processor.state.sealed_file import UnusableFileError, read_sealed, write_sealed
from otel_ml_processor.state.snapshot import read_snapshot

PARTS = [b"first", b"", b"the third part"]


def record(number: int) -> Record:
    """Return a record that can be told from others."""
    return Record(number, ((bytes([number % 256]) * 24, b"", 3),), 2, b"\1" * 8 * number, ())


@given(st.lists(st.integers(0, 2**62) | st.just(0), max_size=60))
def test_counts_come_back(counts: list[int]) -> None:
    """Few or many of them, small or large."""
    array = np.array(counts, dtype=np.int64)
    assert counts_of(packed(array), len(array)).tolist() == counts


def test_few_counts_are_short() -> None:
    """A request of one row takes a hundred bytes in a journal, not the ten thousand of a window."""
    counts = np.zeros(1000, dtype=np.int64)
    counts[[3, 999]] = 1, 7
    assert len(packed(counts)) < 30
    assert len(packed(np.ones(1000, dtype=np.int64))) == 8001


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"d123",
        b"s\0",
        packed(np.array([0, -1])),
        packed(np.eye(1, 50, 40, dtype=np.int64)[0]),
    ],
)
def test_what_are_no_counts_is_refused(data: bytes) -> None:
    """Cut off, of another length, negative, at a place that there is not."""
    with pytest.raises(ValueError, match=r"counts|buffer|shape"):
        counts_of(data, 20)


def test_a_sealed_file_comes_back(tmp_path: Path) -> None:
    """Part by part, and readable by its owner alone."""
    write_sealed(tmp_path / "file", PARTS)
    assert read_sealed(tmp_path / "file") == PARTS
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_file_that_was_cut_off_or_changed_is_not_taken(tmp_path: Path) -> None:
    """At every byte."""
    whole = tmp_path / "file"
    write_sealed(whole, PARTS)
    data = whole.read_bytes()
    damaged = [data[:n] for n in range(len(data))]
    damaged += [data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :] for n in range(len(data))]
    for content in [*damaged, data + b"\0", b"x" * 500]:
        whole.write_bytes(content)
        with pytest.raises(UnusableFileError):
            read_sealed(whole)


def test_another_schema_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older or newer version wrote is neither guessed at nor taken for damage."""
    with monkeypatch.context() as newer:
        newer.setattr(sealed_file, "SCHEMA", 7)
        write_sealed(tmp_path / "file", PARTS)
    with pytest.raises(UnusableFileError, match=f"expected schema {sealed_file.SCHEMA}, found 7"):
        read_sealed(tmp_path / "file")


def test_a_whole_file_that_holds_no_snapshot_is_not_taken(tmp_path: Path) -> None:
    """Its checksum is right, its content is not."""
    for parts in ([], [b""], [b"\xc1"], [b"\x80"], [b"\x93\1\2\3", b"x"]):
        write_sealed(tmp_path / "snapshot", parts)
        with pytest.raises(UnusableFileError, match="not a snapshot"):
            read_snapshot(tmp_path / "snapshot")


@pytest.mark.parametrize(("place", "call"), [(os, "fsync"), (Path, "replace")])
def test_what_cannot_be_written_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, call: str
) -> None:
    """A full disk: the old content is there, and nothing beside it that takes up more of the disk."""
    write_sealed(tmp_path / "file", PARTS)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(place, call, fail)
        with pytest.raises(OSError, match="No space left"):
            write_sealed(tmp_path / "file", [b"new"])
    assert read_sealed(tmp_path / "file") == PARTS
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_journal_comes_back_in_its_order(tmp_path: Path) -> None:
    """All records that were waited for, and the others too once it is closed."""
    journal = Journal(tmp_path / "journal")
    for number in range(5):
        journal.append(lambda number=number: record(number))  # type: ignore[misc] # its default is its argument
    journal.wait(3)
    journal.close()
    assert read_journal(tmp_path / "journal") == ([record(n) for n in range(5)], 0)


def test_a_torn_journal_gives_what_is_whole(tmp_path: Path) -> None:
    """Cut at every byte: the records before it, and how many bytes are none."""
    journal = Journal(tmp_path / "journal")
    ends = [journal.size_bytes]
    for number in range(4):
        journal.wait(journal.append(lambda number=number: record(number)))  # type: ignore[misc] # its default is its argument
        ends.append(journal.size_bytes)
    journal.close()
    data = (tmp_path / "journal").read_bytes()
    for cut in range(len(data) + 1):
        (tmp_path / "torn").write_bytes(data[:cut])
        whole = max((k for k, end in enumerate(ends) if end <= cut), default=0)
        records, torn_bytes = read_journal(tmp_path / "torn")
        assert records == [record(n) for n in range(whole)]
        assert torn_bytes == cut - (ends[whole] if cut >= ends[0] else 0)
    for at in range(ends[1], len(data)):
        (tmp_path / "torn").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        records, _ = read_journal(tmp_path / "torn")
        assert records == [record(n) for n in range(len(records))]
        assert len(records) < 4


def test_many_at_once_share_a_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one writes, the others gather: two hundred records in two waits, the first alone, and each is there when its wait is over."""
    journal, in_the_disk, may_go_on = (
        Journal(tmp_path / "journal"),
        threading.Event(),
        threading.Event(),
    )
    real, waits = os.fsync, []

    def fsync(file: int) -> None:
        waits.append(file)
        in_the_disk.set()
        assert may_go_on.wait(60)
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(journal.wait, journal.append(lambda: record(0)))
        assert in_the_disk.wait(60)
        numbers = [journal.append(lambda: record(1)) for _ in range(199)]
        others = [threads.submit(journal.wait, number) for number in numbers]
        may_go_on.set()
        for waiting in (first, *others):
            waiting.result(60)
    assert len(waits) == 2
    assert len(read_journal(tmp_path / "journal").records) == 200
    journal.close()


def test_a_journal_that_fails_says_so_to_everybody_and_writes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a gap nothing may follow."""
    journal = Journal(tmp_path / "journal")
    journal.wait(journal.append(lambda: record(0)))

    def fail(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", fail)
        with pytest.raises(OSError, match="No space left"):
            journal.wait(journal.append(lambda: record(1)))
    with pytest.raises(OSError, match="No space left"):
        journal.wait(journal.append(lambda: record(2)))
    journal.close()
    assert read_journal(tmp_path / "journal").records == [record(0)]


def test_a_mistake_in_a_record_lets_nobody_wait_for_ever(tmp_path: Path) -> None:
    """The one whose turn it was to write gets it, the next are told that the journal has ended."""
    journal = Journal(tmp_path / "journal")

    def broken() -> Record:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        journal.wait(journal.append(broken))
    with pytest.raises(OSError, match="could not be written"):
        journal.wait(journal.append(lambda: record(1)))
    journal.close()


def test_what_is_no_journal_has_no_records(tmp_path: Path) -> None:
    """An empty file, another one, a header that was cut off."""
    for content in (b"", b"otel-ml jour", b"something else"):
        (tmp_path / "journal").write_bytes(content)
        assert read_journal(tmp_path / "journal") == ([], len(content))


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """The same at the next start, readable by its owner alone; another folder has another."""
    one, other = StateFolder(tmp_path / "one"), StateFolder(tmp_path / "other")
    one.take()
    other.take()
    assert one.secret() == one.secret() != other.secret()
    assert (tmp_path / "one" / "secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "one" / "secret").write_bytes(b"cut")
    assert len(one.secret()) == 16
    one.release()
    other.release()


def test_a_folder_is_taken_by_one(tmp_path: Path) -> None:
    """Until it is released."""
    one, other = StateFolder(tmp_path), StateFolder(tmp_path)
    one.take()
    with pytest.raises(ConfigError, match="expected a folder that nobody uses"):
        other.take()
    one.release()
    other.take()
    other.release()


def test_what_was_noted_is_known_under_the_same_secret(tmp_path: Path) -> None:
    """Under another one it says nothing, and neither does a file that is damaged."""
    folder = StateFolder(tmp_path)
    folder.take()
    secret = folder.secret()
    folder.open_counter(secret)
    for counted in (3, 700):
        folder.note(counted)
    assert folder.counted(secret) == 700
    assert folder.counted(bytes(16)) == 0
    (tmp_path / "counted").write_bytes(b"x")
    assert folder.counted(secret) == 0
    folder.release()
