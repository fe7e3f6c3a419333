"""Which reference a stream is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_ml_processor.errors import ProfileError
from otel_ml_processor.windows.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.profile import Profile

__all__ = ["References"]


@dataclass(frozen=True, slots=True)
class References:
    """
    The profiles that were loaded, by model and version.

    A stream gets the profile of its model and version, else the one of its model that names no version, else none.
    """

    profiles: dict[tuple[str, str], Profile]
    references: dict[tuple[str, str], Reference]

    @classmethod
    def of(cls, named: Iterable[tuple[str, Profile]]) -> References:
        """
        Return the references of *named* profiles (file name and content).

        Raises:
            ProfileError: If two profiles are of the same model and version.
        """
        profiles: dict[tuple[str, str], Profile] = {}
        files: dict[tuple[str, str], str] = {}
        for file, profile in named:
            key = (profile.model, profile.version)
            if key in profiles:
                what = f"model {profile.model!r} version {profile.version!r}"
                message = f"{file}: {what} already has a profile, {files[key]}; keep one of them"
                raise ProfileError(message)
            profiles[key], files[key] = profile, file
        return cls(profiles, {key: Reference.of(profile) for key, profile in profiles.items()})

    def reference(self, stream: StreamKey) -> Reference | None:
        """Return what windows of *stream* are compared with."""
        return self.references.get(self._key(stream))

    def profile(self, stream: StreamKey) -> Profile | None:
        """Return the profile behind `reference`."""
        return self.profiles.get(self._key(stream))

    def features(self, stream: StreamKey) -> tuple[str, ...] | None:
        """Return the names of the features that are looked at, in the order of unnamed values; None without a reference."""
        reference = self.reference(stream)
        return None if reference is None else reference.feature_names

    def _key(self, stream: StreamKey) -> tuple[str, str]:
        exact = (stream.model, stream.version)
        return exact if exact in self.profiles else (stream.model, "")
