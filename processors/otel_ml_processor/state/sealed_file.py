"""A file that is whole or not there: what it holds, then a checksum; written beside it first and put in its place at once."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import xxhash

from otel_ml_processor.errors import OtelMlError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "MAX_BYTES",
    "SCHEMA",
    "UnusableFileError",
    "opened_anew",
    "read_sealed",
    "synced_folder",
    "write_sealed",
]

SCHEMA: Final = 3
"""Version of what the files hold; another one is not read."""
MAX_BYTES: Final = 1 << 30
"""A larger file is not read."""
_HEADER: Final = struct.Struct("<8sII")  # magic, schema, number of parts
_MAGIC: Final = b"otel-ml\n"
_LENGTH: Final = struct.Struct("<Q")
_CHECKSUM_BYTES: Final = 16


class UnusableFileError(OtelMlError):
    """A file of the state that cannot be used; the message says why, without naming the file."""


def write_sealed(path: Path, parts: Sequence[bytes | memoryview]) -> None:
    """
    Put a file with *parts* at *path*; whatever happens on the way, there is the old one or the new one.

    Raises:
        OSError: If it cannot be written; the old file, if any, is still there.
    """
    beside = path.with_name(f"{path.name}.new")
    seal = xxhash.xxh3_128()
    lengths = [_LENGTH.pack(memoryview(part).nbytes) for part in parts]
    descriptor = opened_anew(beside)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for data in (_HEADER.pack(_MAGIC, SCHEMA, len(parts)), *lengths, *parts):
                seal.update(data)
                file.write(data)
            file.write(seal.digest())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)  # what is left of it may be all that fills the disk
        raise
    synced_folder(path.parent)


def read_sealed(path: Path) -> list[bytes]:
    """
    Return the parts that were written to *path*.

    Raises:
        FileNotFoundError: If there is no such file.
        UnusableFileError: If it is not one of ours, of another schema, cut off, changed, or cannot be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnusableFileError(f"expected at most {MAX_BYTES} bytes")
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnusableFileError(f"cannot be read: {error.strerror}") from None
    return _parts(data)


def opened_anew(path: Path) -> int:
    """
    Return the descriptor of an empty file at *path*, which is for whoever has the folder alone.

    Also where root writes it, who forgets a span there: the processor could not read its own state any more.

    Raises:
        OSError: If it cannot be made.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = path.parent.stat()
        with suppress(OSError):  # a file system that knows no owners
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def synced_folder(folder: Path) -> None:
    """Have the names in *folder* survive a power cut; OSError where that fails."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parts(data: bytes) -> list[bytes]:
    if len(data) < _HEADER.size + _CHECKSUM_BYTES or not data.startswith(_MAGIC):
        raise UnusableFileError("not a state file, or cut off at its beginning")
    _, schema, n_parts = _HEADER.unpack_from(data)
    if schema != SCHEMA:
        raise UnusableFileError(f"expected schema {SCHEMA}, found {schema}")
    body = memoryview(data)[:-_CHECKSUM_BYTES]
    if xxhash.xxh3_128_digest(body) != data[-_CHECKSUM_BYTES:]:
        raise UnusableFileError("its checksum is wrong: cut off or changed")
    at = _HEADER.size + n_parts * _LENGTH.size
    table = body[_HEADER.size : at]
    # Whoever can make a checksum can also promise more parts than there are.
    if len(body) < at or at + sum(length for (length,) in _LENGTH.iter_unpack(table)) != len(body):
        raise UnusableFileError(f"it does not have the {n_parts} parts that it promises")
    parts = []
    for (length,) in _LENGTH.iter_unpack(table):
        parts.append(bytes(body[at : at + length]))
        at += length
    return parts
