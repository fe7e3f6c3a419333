"""The folder of the state: which file is what, and that it belongs to one processor at a time."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.state.ledger import SECRET_BYTES
from otel_ml_processor.state.sealed_file import opened_anew, synced_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LEARNED", "SNAPSHOT", "StateFolder", "secret_id"]

SNAPSHOT: Final = "snapshot"
LEARNED: Final = "learned"
"""The subfolder of profiles that were learned."""

_COUNTED: Final = struct.Struct("<8sQ")
_JOURNAL: Final = re.compile(r"journal-(\d{1,18})")


class StateFolder:
    """
    `snapshot`, `journal-N`, `secret`, `counted` and `lock` in the folder at *path*.

    `counted` says how many inferences have been counted: 16 bytes that are written at every commit and left to the operating system, so they outlive
    the process, though not a power cut. What a crash has lost is known from them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.snapshot = path / SNAPSHOT
        self._lock: int | None = None
        self._counted: int | None = None
        self._id = b""

    @property
    def is_taken(self) -> bool:
        """Whether nobody else can have it."""
        return self._lock is not None

    def take(self) -> None:
        """
        Make the folder where there is none, and let nobody else have it.

        Raises:
            ConfigError: If another process has it.
            OSError: If it cannot be made or written to.
        """
        import fcntl  # there is none on Windows, where only the state cannot be kept

        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigError(
                f"{self.path}: expected a folder that nobody uses, but a processor has it; give each its own, or stop that one"
            ) from None
        self._lock = descriptor

    def secret(self) -> bytes:
        """
        Return the secret of this folder, made when it is first asked for.

        Raises:
            OSError: If it can be neither read nor written.
        """
        file = self.path / "secret"
        with suppress(FileNotFoundError):
            secret = file.read_bytes()
            if len(secret) == SECRET_BYTES:
                return secret
        secret = secrets.token_bytes(SECRET_BYTES)
        beside = file.with_name("secret.new")
        descriptor = opened_anew(beside)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secret)
            opened.flush()
            os.fsync(descriptor)
        beside.replace(file)
        synced_folder(self.path)
        return secret

    def counted(self, secret: bytes) -> int:
        """Return how many inferences had been counted under *secret* when last noted; 0 where that is not known."""
        with suppress(OSError, struct.error):
            written_id, counted = _COUNTED.unpack((self.path / "counted").read_bytes())
            if written_id == secret_id(secret):
                return int(counted)
        return 0

    def open_counter(self, secret: bytes) -> None:
        """Let `note` write; OSError where it cannot."""
        flags = os.O_RDWR | os.O_CREAT
        self._counted, self._id = os.open(self.path / "counted", flags, 0o600), secret_id(secret)

    def note(self, counted: int) -> None:
        """Write how many inferences have been counted; that it cannot is no reason to stop."""
        if self._counted is not None:
            with suppress(OSError):
                os.pwrite(self._counted, _COUNTED.pack(self._id, counted), 0)

    def set_aside(self) -> str:
        """Keep the snapshot, if any, for whoever wants to look, and return how it is told; the next one does not write over it."""
        aside = self.snapshot.with_name("snapshot.unusable")
        try:
            self.snapshot.replace(aside)
        except OSError:
            return ""
        return f"it is now {aside.name}, and "

    def journal(self, number: int) -> Path:
        """Return where the journal of that number lies."""
        return self.path / f"journal-{number}"

    def journals(self) -> dict[int, Path]:
        """Return all journals by their number, the oldest first; OSError where the folder cannot be read."""
        found = ((_JOURNAL.fullmatch(path.name), path) for path in self.path.iterdir())
        return dict(sorted((int(name[1]), path) for name, path in found if name))

    def release(self) -> None:
        """Let somebody else have it."""
        for descriptor in (self._lock, self._counted):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._counted = None


def secret_id(secret: bytes) -> bytes:
    """Return 8 bytes by which *secret* can be told from another, and not be found out."""
    return hashlib.blake2b(secret, digest_size=8, person=b"otel-ml state").digest()
