"""Counts as a line of bars, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bars"]

_BARS: Final = "·▁▂▃▄▅▆▇█"
"""Of nothing, then of ever larger parts of the largest."""


def bars(sizes: Sequence[float], highest: float | None = None) -> str:
    """Return one bar per size, none below 0, as parts of the *highest* (by default the largest of them); a dot of 0, the lowest bar of little."""
    full = highest or max(sizes, default=0) or 1
    steps = len(_BARS) - 1
    return "".join(_BARS[min(steps, int(-(-size * steps // full)))] for size in sizes)
