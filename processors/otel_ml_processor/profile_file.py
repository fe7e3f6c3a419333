"""Profiles on disk: written at once or not at all, read only where they are what they say."""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from pathlib import Path
from typing import Final

import msgspec

from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import FORMAT, Profile, canonical, sealed
from otel_ml_processor.profile_rules import validate

__all__ = ["MAX_PROFILE_BYTES", "read_profile", "write_profile"]

MAX_PROFILE_BYTES: Final = 64 << 20
"""A larger file is refused unread: a profile has a few kilobytes per feature."""


def write_profile(profile: Profile, path: Path) -> None:
    """
    Write *profile*, sealed, as canonical JSON, gzipped where the name ends in `.gz`; whoever reads meanwhile sees old or new.

    A link is followed, and a device or a pipe is written to: what stands at *path* would be gone if another file took its place.
    """
    data = canonical(sealed(profile))
    written = gzip.compress(data, mtime=0) if path.suffix == ".gz" else data + b"\n"
    if path.exists() and not path.is_file():
        path.write_bytes(written)
        return
    whole = Path(os.path.realpath(path))  # `resolve` has no answer where links lead round
    aside = whole.with_name(f".{whole.name}.{os.getpid()}")
    try:
        aside.write_bytes(written)
        aside.replace(whole)
    except BaseException:  # also whoever interrupts it
        aside.unlink(missing_ok=True)
        raise


def read_profile(path: Path) -> Profile:
    """
    Return the profile in *path*, its structure, consistency and id checked.

    Raises:
        ProfileError: If the file is missing, larger than `MAX_PROFILE_BYTES`, not JSON, not of this format, inconsistent, or
            changed since it was sealed. The message names file, path within it, expectation and finding.
    """
    profile = _parsed(_content(path), path)
    validate(profile, str(path))
    if profile.id != sealed(profile).id:
        message = f"{path}: $.id: the content does not match the id; build the profile again instead of editing it"
        raise ProfileError(message)
    return profile


def _content(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MAX_PROFILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = (
            f"{path}: cannot read the profile: {reason}; build one with `otel-ml profile build`"
        )
        raise ProfileError(message) from None
    if len(data) > MAX_PROFILE_BYTES:
        raise ProfileError(
            f"{path}: expected a profile of at most {MAX_PROFILE_BYTES} bytes, got more"
        )
    return data.removeprefix(codecs.BOM_UTF8)  # what an editor may have put before it


def _parsed(data: bytes, path: Path) -> Profile:
    try:
        return msgspec.json.decode(data, type=Profile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = error if data else "the file is empty"
        raise ProfileError(f"{path}: not a profile of format {FORMAT}: {reason}") from None
