"""What a model runs in, as one number that is equal where the same software runs."""

import platform
import re
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import Distribution, distributions
from typing import Final

__all__ = ["environment_hash", "fingerprint", "installed_packages"]

_NAME: Final = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_VERSION: Final = re.compile(r"^Version:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_SEPARATORS: Final = re.compile(r"[-_.]+")


def environment_hash() -> str:
    """
    Return 64 bits in hexadecimal of the version of Python, the platform, and all installed packages.

    Nothing is imported for it: it reads one small file per package.
    """
    python = f"{sys.implementation.name} {platform.python_version()}"
    return fingerprint(python, sysconfig.get_platform(), installed_packages())


def fingerprint(python: str, system: str, packages: Mapping[str, str]) -> str:
    """
    Return 64 bits in hexadecimal of names and versions, whatever order *packages* are in.

    Args:
        python: Implementation and version of Python.
        system: Operating system and architecture.
        packages: Version by normalised name.
    """
    lines = [python, system, *sorted(f"{name}=={version}" for name, version in packages.items())]
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=8).hexdigest()


def installed_packages() -> dict[str, str]:
    """
    Return the version of every installed package by its normalised name.

    Of a package that is there twice it is the one that Python would import. What cannot be read is
    left out.
    """
    packages: dict[str, str] = {}
    for distribution in distributions():
        headers = _headers(distribution)
        name, version = _NAME.search(headers), _VERSION.search(headers)
        if name is not None and version is not None:
            packages.setdefault(_SEPARATORS.sub("-", name[1]).lower(), version[1])
    return packages


def _headers(distribution: Distribution) -> str:
    # Not `distribution.metadata`, which parses a whole mail with its text: twenty times as slow.
    with suppress(Exception):  # a broken installation is nobody's reason not to start
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        return text.partition("\n\n")[0]
    return ""
