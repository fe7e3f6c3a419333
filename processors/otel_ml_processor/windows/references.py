"""Which reference a stream is compared with."""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from otel_ml_processor.errors import ProfileError
from otel_ml_processor.windows.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.profile import Profile

__all__ = ["References"]

_MAX_FOUND = 4096
"""Streams whose reference is looked for once; of more the one asked for longest ago is looked for anew."""
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
    version before its own, or, where versions are not numbered, the one that was made last; else what was learned of it; else none. Profiles
    of its tenant come before those of all.
    """

    def __init__(self) -> None:
        self._named: Mapping[tuple[str, str], Mapping[str, _Known]] = {}
        self._learned: dict[StreamKey, _Known] = {}
        self._find_anew()

    @classmethod
    def of(
        cls,
        named: Iterable[tuple[str, Profile]],
        of_tenants: Mapping[str, Iterable[tuple[str, Profile]]] = MappingProxyType({}),
    ) -> References:
        """
        Return the references of *named* profiles (file name and content), and of those that are for one tenant only.

        Raises:
            ProfileError: If two profiles are of the same model and version.
        """
        references = cls()
        references.replace(named, of_tenants)
        return references

    def replace(
        self,
        named: Iterable[tuple[str, Profile]],
        of_tenants: Mapping[str, Iterable[tuple[str, Profile]]] = MappingProxyType({}),
    ) -> None:
        """
        Put *named* profiles, and those that are for one tenant only, in place of all others but the learned ones; one that is the same keeps its runtime form.

        Raises:
            ProfileError: If two profiles of one tenant are of the same model and version; nothing has been replaced then.
        """
        before = {known.profile.id: known for known in self._all_named()}
        found: dict[tuple[str, str], dict[str, _Known]] = {}
        files: dict[tuple[str, str, str], str] = {}
        all_named = [("", *one) for one in named]
        all_named += [(tenant, *one) for tenant, own in of_tenants.items() for one in own]
        for tenant, file, profile in all_named:
            key = (tenant, profile.model, profile.version)
            if key in files:
                what = f"model {profile.model!r} version {profile.version!r}"
                message = f"{file}: {what} already has a profile, {files[key]}; keep one of them"
                raise ProfileError(message)
            files[key] = file
            known = before.get(profile.id) or _Known.of(profile)
            found.setdefault((tenant, profile.model), {})[profile.version] = known
        self._named = found  # at once: whoever asks meanwhile sees the old ones or the new ones
        self._find_anew()

    def learn(self, stream: StreamKey, profile: Profile) -> None:
        """Have *stream* compared with *profile* where there is none for its model; of equal cells a provisional one keeps its runtime form."""
        before = self._learned.get(stream)
        known = _Known.of(profile)
        if before is not None and before.reference.id == known.reference.id:
            known = _Known(profile, before.reference)
        self._learned[stream] = known
        self._find_anew()

    def unlearn(self, stream: StreamKey) -> bool:
        """Forget what was learned of *stream*; return whether there was anything."""
        is_known = stream in self._learned
        # Another mapping: somebody may be looking through this one.
        self._learned = {key: known for key, known in self._learned.items() if key != stream}
        self._find_anew()
        return is_known

    def has_learned(self, stream: StreamKey) -> bool:
        """Return whether there is a profile that was learned of *stream*."""
        return stream in self._learned

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

    def classes(self, stream: StreamKey) -> tuple[str, ...]:
        """Return the classes whose probabilities are looked at; none where no reference says what they mean."""
        reference = self.reference(stream)
        scores = None if reference is None else reference.class_scores
        return () if scores is None else scores.names

    def _find_anew(self) -> None:
        """Forget what was found; what somebody is just finding goes to where nobody looks any more."""
        self._known = lru_cache(maxsize=_MAX_FOUND)(self._find)

    def _find(self, stream: StreamKey) -> _Known | None:
        for tenant in dict.fromkeys((stream.tenant, "")):
            of_version = self._named.get((tenant, stream.model))
            if of_version is None:
                continue
            known = (
                of_version.get(stream.version)
                or of_version.get("")
                or _before(of_version, stream.version)
            )
            if known is not None:
                return known
        return self._learned.get(stream)

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
