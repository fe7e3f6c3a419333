"""Whether the installed SDK is one whose private parts, where we build on them, were looked at."""

from contextlib import suppress
from importlib.metadata import version
from typing import Final

__all__ = ["is_sdk_known"]

_SDK: Final = "opentelemetry-sdk"
_KNOWN: Final = ((1, 30), (1, 45))  # the first and the last


def is_sdk_known() -> bool:
    """Whether it is there, and neither older nor newer than those that are known."""
    with suppress(Exception):  # it is not installed, or its version is none
        major, minor, *_ = version(_SDK).split(".")
        return _KNOWN[0] <= (int(major), int(minor)) <= _KNOWN[1]
    return False
