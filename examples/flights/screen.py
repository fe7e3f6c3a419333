"""What the demo shows while it plays: a table of windows and a bar in a terminal, plain lines anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from rich.console import Console, JustifyMethod
    from typing_extensions import Self
    from watch import Drifted, Window

__all__ = ["Screen", "days_text", "drifted_text", "windows_table"]

_COLOURS = {"steady": "green", "warning": "yellow", "drifting": "red"}
_DRIFTED = "drifted"
_COLUMNS: dict[str, JustifyMethod] = {
    "departures": "left",
    "rows": "right",
    "state": "left",
    _DRIFTED: "left",
    "confident": "right",
    "low": "right",
}
_WIDE = 100
"""Columns from which on a window's line has room for four drifted features; two below."""
_SMALLEST_P_VALUE = 1e-12
_CHROME_LINES = 7
"""Lines of the terminal that are not rows of the table."""


def days_text(days: Sequence[date]) -> str:
    """Return `Mar 01 - Mar 31`; of days in no order `Jan-Feb shuffled`; `?` without any."""
    if not days:
        return "?"
    first, last = min(days), max(days)
    if (days[0], days[-1]) == (first, last):
        return f"{first:%b %d} - {last:%b %d}"
    return f"{first:%b}-{last:%b} shuffled"


def drifted_text(drifted: Sequence[Drifted], shown: int) -> str:
    """Return the first *shown* with their score, or what tells more, and p-value, and how many more there are."""
    texts = [
        f"{one.name} {one.change or format(one.score, '.2f')} ({_p_text(one.p_value)})"
        for one in drifted[:shown]
    ]
    more = len(drifted) - shown
    return ", ".join([*texts, f"and {more} more"] if more > 0 else texts)


def _p_text(p_value: float) -> str:
    return f"p<{_SMALLEST_P_VALUE:.0e}" if p_value < _SMALLEST_P_VALUE else f"p={p_value:.1g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def windows_table(windows: Sequence[Window], width: int, *, is_live: bool = False) -> Table:
    """
    Return a row per window: what it covered, its state, what drifted by how much, and how sure the model was.

    A live one has one line per row, whatever the width: what does not fit is cut, so that its height is known.
    """
    table = Table(pad_edge=False, box=None, header_style="bold")
    for heading, justify in _COLUMNS.items():
        table.add_column(heading, justify=justify, no_wrap=heading != _DRIFTED)
    for window in windows:
        drifted = drifted_text(window.drifted, 4 if width >= _WIDE else 2)
        table.add_row(
            days_text(window.days),
            str(window.rows),
            Text(window.state, style=_COLOURS.get(window.state, "")),
            Text(drifted, no_wrap=is_live, overflow="ellipsis" if is_live else "fold"),
            _share(window.mean_confidence),
            _share(window.low_confidence),
        )
    return table


class Screen:
    """
    The console while flights are played; a context manager.

    In a terminal the last windows and a bar are redrawn in place, and the whole table stays behind at the end; elsewhere every
    window is one line.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, auto_refresh=False, transient=True)
            if console.is_terminal
            else None
        )
        self._windows: Sequence[Window] = ()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._console.print(windows_table(self._windows, self._console.width))

    def show(self, windows: Sequence[Window], answered: int, total: int) -> None:
        """Show all *windows* so far, and that *answered* of *total* requests were answered."""
        if self._live is None:
            for window in windows[len(self._windows) :]:
                self._console.print(_line(window, answered, total), soft_wrap=True, highlight=False)
        else:
            self._live.update(self._picture(windows, answered, total), refresh=True)
        self._windows = tuple(windows)

    def _picture(self, windows: Sequence[Window], answered: int, total: int) -> Group:
        room = max(3, self._console.height - _CHROME_LINES)
        width = min(40, self._console.width // 2)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total, answered, width), f"{answered} of {total} flights")
        return Group(windows_table(windows[-room:], self._console.width, is_live=True), "", bar)


def _line(window: Window, answered: int, total: int) -> str:
    drifted = f": {drifted_text(window.drifted, 4)}" if window.drifted else ""
    sure = f"confidence {_share(window.mean_confidence)}, low {_share(window.low_confidence)}"
    covers = f"{days_text(window.days)} ({window.rows} rows)"
    return f"[{answered}/{total}] {covers} {window.state}{drifted}; {sure}"
