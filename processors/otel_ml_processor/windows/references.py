"""Which reference a stream is compared with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from otel_ml_processor.errors import ProfileError
from otel_ml_processor.windows.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.profile import Profile

__all__ = ["References"]

_NUMBERED = re.compile(r"v?(\d{1,18}(?:\.\d{1,18})*)")


class _Known(NamedTuple):
    """A profile and its runtime form."""

    profile: Profile
    reference: Reference

    @classmethod
    def of(cls, profile: Profile) -> _Known:
        return cls(profile, Reference.of(profile))


class References:
    """
    The profiles that are in force; may be replaced and asked at the same time, from any thread.

    A stream gets the profile of its model and version; else the one of its model that names no version; else that of the newest
    version before its own, or, where versions are not numbered, the one that was made last; else what was learned of it; else none.
    """

    def __init__(self) -> None:
        self._named: Mapping[str, Mapping[str, _Known]] = {}
        self._learned: dict[StreamKey, _Known] = {}

    @classmethod
    def of(cls, named: Iterable[tuple[str, Profile]]) -> References:
        """
        Return the references of *named* profiles (file name and content).

        Raises:
            ProfileError: If two profiles are of the same model and version.
        """
        references = cls()
        references.replace(named)
        return references

    def replace(self, named: Iterable[tuple[str, Profile]]) -> None:
        """
        Put *named* profiles in place of all others but the learned ones; one that is the same keeps its runtime form.

        Raises:
            ProfileError: If two profiles are of the same model and version; nothing has been replaced then.
        """
        before = {known.profile.id: known for known in self._all_named()}
        found: dict[str, dict[str, _Known]] = {}
        files: dict[tuple[str, str], str] = {}
        for file, profile in named:
            key = (profile.model, profile.version)
            if key in files:
                what = f"model {profile.model!r} version {profile.version!r}"
                message = f"{file}: {what} already has a profile, {files[key]}; keep one of them"
                raise ProfileError(message)
            files[key] = file
            known = before.get(profile.id) or _Known.of(profile)
            found.setdefault(profile.model, {})[profile.version] = known
        self._named = found  # at once: whoever asks meanwhile sees the old ones or the new ones

    def learn(self, stream: StreamKey, profile: Profile) -> None:
        """Have *stream* compared with *profile* where there is none for its model; of equal cells a provisional one keeps its runtime form."""
        before = self._learned.get(stream)
        known = _Known.of(profile)
        if before is not None and before.reference.id == known.reference.id:
            known = _Known(profile, before.reference)
        self._learned[stream] = known

    @property
    def n_learned(self) -> int:
        """How many streams have a profile that was learned."""
        return len(self._learned)

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The profiles that are in force, by id."""
        return {k.profile.id: k.profile for k in (*self._all_named(), *self._learned.values())}

    def reference(self, stream: StreamKey) -> Reference | None:
        """Return what windows of *stream* are compared with."""
        known = self._known(stream)
        return None if known is None else known.reference

    def profile(self, stream: StreamKey) -> Profile | None:
        """Return the profile behind `reference`."""
        known = self._known(stream)
        return None if known is None else known.profile

    def features(self, stream: StreamKey) -> tuple[str, ...] | None:
        """Return the names of the features that are looked at, in the order of unnamed values; None without a reference."""
        reference = self.reference(stream)
        return None if reference is None else reference.feature_names

    def _known(self, stream: StreamKey) -> _Known | None:
        of_version = self._named.get(stream.model, {})
        return (
            of_version.get(stream.version)
            or of_version.get("")
            or _before(of_version, stream.version)
            or self._learned.get(stream)
        )

    def _all_named(self) -> list[_Known]:
        return [known for of_version in self._named.values() for known in of_version.values()]


def _before(of_version: Mapping[str, _Known], version: str) -> _Known | None:
    """Return what is known of the newest version before *version*; of versions without numbers, what was made last."""
    numbers = {_numbers(each): known for each, known in of_version.items()}
    own = _numbers(version)
    if own is None or None in numbers:
        return max(of_version.values(), key=lambda known: known.profile.created, default=None)
    earlier = [number for number in numbers if number is not None and number < own]
    return numbers[max(earlier)] if earlier else None


def _numbers(version: str) -> tuple[int, ...] | None:
    found = _NUMBERED.fullmatch(version)
    return None if found is None else tuple(map(int, found[1].split(".")))
