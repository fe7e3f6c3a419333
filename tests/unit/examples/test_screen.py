"""What the demo shows, in terminals of any width and where there is none."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from rich.console import Console
from screen import Screen, days_text, drifted_text, windows_table
from watch import Drifted, Window

ERASED = "\x1b[2K"
"""How a terminal is told to empty the line it is in."""
WEATHER = (
    Drifted("temp", 3.189, 1e-30),
    Drifted("dewp", 0.5, 0.0004),
    Drifted("dest", 0.01, 0.002, "1% unseen"),
)


def window(number: int, drifted: tuple[Drifted, ...] = WEATHER) -> Window:
    """Return the window of month *number* + 2."""
    days = tuple(date(2013, number + 2, 1) + timedelta(days=day) for day in range(28))
    state = "drifting" if drifted else "steady"
    return Window(number, days, 900, state, drifted, 0.8944, 0.07)


def console(width: int = 120, height: int = 40, *, is_terminal: bool = False) -> Console:
    """Return a console that writes into memory."""
    file = io.StringIO()
    return Console(file=file, width=width, height=height, force_terminal=is_terminal, markup=False)


def written(to: Console) -> str:
    """Return what was written so far."""
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ([date(2013, 3, 1), date(2013, 3, 15), date(2013, 3, 31)], "Mar 01 - Mar 31"),
        ([date(2013, 2, 20), date(2013, 1, 3), date(2013, 2, 2)], "Jan-Feb shuffled"),
        ([date(2013, 7, 4)], "Jul 04 - Jul 04"),
        ([], "?"),
    ],
)
def test_the_calendar_range_reads_naturally(days: list[date], text: str) -> None:
    """First and last day, or the months of days in no order."""
    assert days_text(days) == text


def test_what_drifted_is_told_with_its_evidence() -> None:
    """Score and p-value, or the share that was missing or unseen; what does not fit is counted."""
    assert (
        drifted_text(WEATHER, 3)
        == "temp 3.19 (p<1e-12), dewp 0.50 (p=0.0004), dest 1% unseen (p=0.002)"
    )
    assert drifted_text(WEATHER, 1) == "temp 3.19 (p<1e-12), and 2 more"
    assert drifted_text((), 4) == ""


@pytest.mark.parametrize("width", [60, 72, 80, 100, 140])
def test_a_live_table_has_one_line_per_window(width: int) -> None:
    """Whatever the width: its height is known, nothing is wider than the terminal, and state and confidence are never cut."""
    shown = console(width)
    shown.print(windows_table([window(number) for number in range(1, 6)], width, is_live=True))
    lines = written(shown).splitlines()
    assert len(lines) == 1 + 5
    assert max(len(line) for line in lines) <= width
    assert all("drifting" in line and "89.4%" in line and "7.0%" in line for line in lines[1:])


def test_the_last_table_cuts_nothing() -> None:
    """In a narrow terminal the text wraps."""
    shown = console(70)
    shown.print(windows_table([window(1)], 70))
    text = "".join(written(shown).split())
    assert "temp3.19(p<1e-12)" in text
    assert "and1more" in text


def test_without_a_terminal_every_window_is_one_line() -> None:
    """Each once, with how far the play is; no control characters, so that a log file can be read."""
    shown = console()
    with Screen(shown) as screen:
        screen.show([], 10, 2400)
        screen.show([window(1, ())], 200, 2400)
        screen.show([window(1, ())], 300, 2400)
        screen.show([window(1, ()), window(2)], 400, 2400)
    sure = "confidence 89.4%, low 7.0%"
    drifted = "temp 3.19 (p<1e-12), dewp 0.50 (p=0.0004), dest 1% unseen (p=0.002)"
    assert written(shown).splitlines() == [
        f"[200/2400] Mar 01 - Mar 28 (900 rows) steady; {sure}",
        f"[400/2400] Apr 01 - Apr 28 (900 rows) drifting: {drifted}; {sure}",
    ]


def test_in_a_terminal_the_bar_moves_and_the_table_stays() -> None:
    """While it plays, windows and progress; afterwards the whole table, without the bar."""
    shown = console(is_terminal=True)
    with Screen(shown) as screen:
        screen.show([window(1)], 1234, 2400)
        during = written(shown)
    left_on_screen = written(shown).rpartition(ERASED)[2]
    assert "1234 of 2400 flights" in during
    assert "Mar 01 - Mar 28" in during
    assert "Mar 01 - Mar 28" in left_on_screen
    assert "of 2400 flights" not in left_on_screen


def test_a_terminal_that_is_too_low_shows_the_newest_windows() -> None:
    """The bar is below them, so it is never scrolled away."""
    shown = console(height=12, is_terminal=True)
    with Screen(shown) as screen:
        screen.show([window(number) for number in range(1, 10)], 1800, 2400)
        during = written(shown)
    assert "Nov 01 - Nov 28" in during
    assert "Mar 01 - Mar 28" not in during
    assert "1800 of 2400 flights" in during


def test_numbers_that_are_not_there_are_a_dash() -> None:
    """A model without probabilities has no confidence."""
    shown = console()
    shown.print(windows_table([Window(1, (), 200, "steady", (), None, None)], 120))
    assert written(shown).splitlines()[1].split() == ["?", "200", "steady", "-", "-"]
