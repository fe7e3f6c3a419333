"""What is off, and what to do about it."""

from typing import NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """
    Something that keeps telemetry from being what the user means it to be.

    Attributes:
        said: What is off, in one sentence.
        remedy: What to do.
    """

    said: str
    remedy: str
