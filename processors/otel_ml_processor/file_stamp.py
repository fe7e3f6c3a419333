"""By what a file is seen to be another one than when it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileStamp", "file_stamp"]

FileStamp = tuple[int, int, int, int]


def file_stamp(path: Path) -> FileStamp | None:
    """Return what changes when another content, another file, or other rights are at *path*; None where it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    # Rights that are mended later, and a copy that keeps the old time and size, change the last two alone.
    return found.st_mtime_ns, found.st_size, found.st_ctime_ns, found.st_ino
