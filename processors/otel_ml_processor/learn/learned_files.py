"""What was learned, as profiles in a folder: edges and counts, names of frequent categories, never a row."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile_file import read_profile, write_profile

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.profile import Profile, Source

__all__ = ["LearnedFiles", "learned_key"]

_LOGGER: Final = logging.getLogger(__name__)
_Signature = tuple[int, int, int]


def learned_key(model: str, version: str, source: Source) -> StreamKey:
    """Return the stream that a learned profile is of."""
    return StreamKey(source.service, source.environment, model, version, source.tenant)


class LearnedFiles:
    """Profiles of streams in *folder*, which is made when the first is written; without one nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._written: dict[StreamKey, _Signature] = {}
        self._said: set[str] = set()

    def read(self) -> dict[StreamKey, Profile]:
        """Return every profile by its stream; one that cannot be read is passed over, and said."""
        found: dict[StreamKey, Profile] = {}
        for path in self._paths():
            try:
                profile = read_profile(path)
            except ProfileError as error:
                _LOGGER.warning("%s; it is learned anew", error)
                continue
            stream = learned_key(profile.model, profile.version, profile.source)
            found[stream] = profile
            if path == self.path(stream):
                self._written[stream] = _signature(path)
        return found

    def _paths(self) -> list[Path]:
        try:
            return sorted(self._folder.glob("*.json")) if self._folder else []
        except OSError as error:
            _LOGGER.warning("%s: cannot be read: %s", self._folder, error.strerror)
            return []

    def write(self, stream: StreamKey, profile: Profile) -> None:
        """Write the profile of *stream*; where that fails it is said, once per reason."""
        if self._folder is None:
            return
        path = self.path(stream)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_profile(profile, path)
            self._written[stream] = _signature(path)
        except OSError as error:
            if str(error.strerror) not in self._said:
                self._said.add(str(error.strerror))
                _LOGGER.warning(
                    "%s: cannot write what was learned: %s; a restart begins anew",
                    path,
                    error.strerror,
                )

    def remove(self, stream: StreamKey) -> None:
        """Delete the profile of *stream*; that it cannot be is no reason to stop."""
        self._written.pop(stream, None)
        if self._folder is not None:
            with suppress(OSError):
                self.path(stream).unlink()

    def was_frozen(self, stream: StreamKey) -> bool:
        """Return whether somebody else has declared the profile of *stream* complete since it was written."""
        try:
            signature = _signature(self.path(stream)) if stream in self._written else None
            if signature == self._written.get(stream):
                return False
            profile = read_profile(self.path(stream))
        except (OSError, ProfileError):
            return False
        return not profile.provisional

    def path(self, stream: StreamKey) -> Path:
        """Return the file of *stream*: its name tells nothing, for a model may be called anything."""
        said = msgspec.json.encode(stream.texts)
        name = hashlib.sha256(said).hexdigest()[:16]
        if self._folder is None:
            raise ValueError("there is no folder")
        return self._folder / f"{name}.json"


def _signature(path: Path) -> _Signature:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
