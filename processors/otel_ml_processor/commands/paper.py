"""Where commands print tables and sentences: a terminal, or whatever reads from a pipe."""

from __future__ import annotations

import os
import sys
from typing import Final

from rich.console import Console

__all__ = ["paper"]

_UNBOUNDED: Final = 10_000
"""Characters of a line that nobody looks at: names and sentences stay whole there, for programs that search lines."""


def paper() -> Console:
    """Return stdout with the width of its terminal; without one lines are as long as they are, unless `COLUMNS` says how long they may be."""
    console = Console(file=sys.stdout, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _UNBOUNDED
    return console
