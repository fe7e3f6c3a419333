"""
The journal: what each request changed, on the disk before its sender is told that it was taken.

Requests that end at the same time share one write and one wait for the disk: whoever comes first writes for all that are there, the others wait for it;
nobody waits for company.
"""

from __future__ import annotations

import os
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import xxhash

from otel_ml_processor.state.sealed_file import SCHEMA, opened_anew
from otel_ml_processor.state.stored_streams import StoredIncrement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Journal", "JournalText", "Record", "read_journal"]

_START: Final = b"otel-ml journal " + struct.pack("<I", SCHEMA)
_FRAME: Final = struct.Struct("<IQ")  # length and checksum of a record


class Record(msgspec.Struct, frozen=True, array_like=True):
    """
    What requests that went together changed.

    `answers` has of each what its repeats are known by, what it was answered with, and how many inferences it held; `spans` are the hashes of its new spans, 8 bytes each.
    """

    time_ns: int
    answers: tuple[tuple[bytes, bytes, int], ...]
    n_counted: int
    spans: bytes
    increments: tuple[StoredIncrement, ...]


class JournalText(NamedTuple):
    """The records of a journal, and how many bytes behind them are no record: what was being written at the end."""

    records: list[Record]
    torn_bytes: int


class Journal:
    """
    A file that records are appended to; safe to use from any thread.

    It ends with the first error: what could not be written would leave a gap, so nothing is written behind it.

    Raises:
        OSError: If the file at *path* cannot be made; an older one is written over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = opened_anew(path)
        try:
            _write_all(self._file, _START)
        except OSError:
            os.close(self._file)  # tried again with every snapshot, for as long as the disk is full
            raise
        self._turn = threading.Condition()
        self._waiting: list[Callable[[], Record]] = []
        self.appended = 0
        """The number of the last record that was appended."""
        self._written = 0
        self._is_writing = False
        self._error: OSError | None = None
        self.size_bytes = len(_START)

    def append(self, record: Callable[[], Record]) -> int:
        """Take what *record* will give, in this order, and return its number, for `wait`; it is called later, by whoever writes."""
        with self._turn:
            self._waiting.append(record)
            self.appended += 1
            return self.appended

    def wait(self, number: int) -> None:
        """
        Return when records up to *number* are on the disk.

        Raises:
            OSError: If they are not, and will not be.
        """
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._written >= number or not self._is_writing)
                if self._error is not None:
                    raise self._error
                if self._written >= number:
                    return
                batch, self._waiting = self._waiting, []
                upto, self._is_writing = self.appended, True
            self._write(batch, upto)

    def close(self) -> None:
        """Write what waits, and let go of the file; it does not raise."""
        with suppress(OSError):  # who waits for a record hears of it
            self.wait(self.appended)
        os.close(self._file)

    def _write(self, batch: list[Callable[[], Record]], upto: int) -> None:
        error: OSError | None = OSError("a record could not be written")
        try:
            data = b"".join(framed for record in batch for framed in _framed(record()))
            self.size_bytes += len(data)
            _write_all(self._file, data)
            os.fsync(self._file)
            error = None
        except OSError as failed:
            error = failed
        finally:  # whatever happened, nobody may wait for ever
            with self._turn:
                self._written, self._is_writing, self._error = upto, False, error
                self._turn.notify_all()


def read_journal(path: Path) -> JournalText:
    """
    Return the records at *path* up to the first that is not whole; none of a file that is no journal of this schema.

    Raises:
        OSError: If it cannot be read.
    """
    data = path.read_bytes()
    if not data.startswith(_START):
        return JournalText([], len(data))
    records: list[Record] = []
    decoder = msgspec.msgpack.Decoder(Record)
    at = len(_START)
    while (end := _end_of_record(data, at)) is not None:
        try:
            records.append(decoder.decode(data[at + _FRAME.size : end]))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
        at = end
    return JournalText(records, len(data) - at)


def _write_all(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _framed(record: Record) -> tuple[bytes, bytes]:
    data = msgspec.msgpack.encode(record)
    return _FRAME.pack(len(data), xxhash.xxh3_64_intdigest(data)), data


def _end_of_record(data: bytes, at: int) -> int | None:
    """Return where the record at *at* ends; None where it is not whole."""
    if at + _FRAME.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, at)
    end = at + _FRAME.size + length
    if end > len(data) or xxhash.xxh3_64_intdigest(data[at + _FRAME.size : end]) != checksum:
        return None
    return int(end)
