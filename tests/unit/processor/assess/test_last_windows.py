"""Which windows a processor that starts anew can tell again."""

from __future__ import annotations

from otel_ml_processor.assess.last_windows import LastWindows
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.windows.disjoint import Closed
from otel_ml_processor.windows.streams import ClosedWindow
from otel_ml_processor.windows.summary import Summary

SHOP, BANK = (StreamKey(service, "prod", "fraud", "1") for service in ("shop", "bank"))


def window(
    number: int, *, is_sufficient: bool, stream: StreamKey = SHOP, name: str = "1h"
) -> ClosedWindow:
    """Return a window, the later the larger its *number*."""
    closed = Closed(name, number, number + 1, Summary(), is_sufficient)
    return ClosedWindow(stream, None, closed)


def test_the_last_window_is_told_and_before_it_the_last_that_had_enough_rows() -> None:
    """A starved hour does not hide what was known before it, however many of them there are; an hour with rows takes the place of all."""
    last = LastWindows()
    enough, starved, again = (
        window(1, is_sufficient=True),
        [window(number, is_sufficient=False) for number in (2, 3)],
        window(4, is_sufficient=True),
    )
    last.note(enough)
    assert last.all() == [enough]
    for one in starved:
        last.note(one)
    assert last.all() == [enough, starved[-1]]
    last.note(again)
    assert last.all() == [again]


def test_windows_of_another_length_are_others() -> None:
    """An hour says nothing in the place of a day."""
    last, hour = LastWindows(), window(1, is_sufficient=True)
    day = window(1, is_sufficient=True, name="24h")
    last.note(hour)
    last.note(day)
    assert last.all() == [hour, day]


def test_a_stream_that_is_gone_is_not_told_again() -> None:
    """The other streams are; and what was never there can be forgotten too."""
    last, other = LastWindows(), window(1, is_sufficient=True, stream=BANK)
    last.note(window(1, is_sufficient=True))
    last.note(other)
    last.forget(SHOP)
    last.forget(SHOP)
    assert last.all() == [other]
