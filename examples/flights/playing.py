"""Plays flights while the screen shows what the processor says of them."""

from __future__ import annotations

import contextlib
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
from play import Player, requests_for
from watch import Watch

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd
    from plan import Pace
    from processes import Processes
    from screen import Screen
    from stack import Addresses

__all__ = ["Playing"]

_LOOK_EVERY_S = 0.25
_WINDOW_WITHIN_S = 60.0


class Playing:
    """
    Everything that was played so far, and the windows it became.

    `player` knows when each flight was answered, `watch` what was said of each window.
    """

    def __init__(self, at: Addresses, pace: Pace, processes: Processes, screen: Screen) -> None:
        self._processes = processes
        self._screen = screen
        self._size = pace.rows
        self._days: list[date] = []
        self._seen_s = time.monotonic()
        self.player = Player(f"http://{at.service}", per_second=pace.per_second)
        self.watch = Watch(at.processor_page, self.player, self._days, pace.rows)
        self.player.limit = self.watch.may_be_sent

    def play(self, flights: pd.DataFrame) -> float:
        """
        Send *flights* and return how many were answered per second.

        Raises:
            PlayError: If the service did not answer one.
            PartFailedError: If a part of the demo ended.
        """
        self._days.extend(flights["date"].dt.date)
        begin = self._seen_s = time.monotonic()
        with ThreadPoolExecutor(1, thread_name_prefix="playing") as pool:
            playing = pool.submit(self.player.play, requests_for(flights))
            try:
                while not playing.done():
                    self._look()
                    time.sleep(_LOOK_EVERY_S)
            finally:
                self.player.stop()
        playing.result()
        return len(flights) / (time.monotonic() - begin)

    def finish(self) -> None:
        """Wait until the last window is on the processor's page, or give up after a while: the count at the end tells."""
        end = time.monotonic() + _WINDOW_WITHIN_S
        windows = self.watch.windows
        last = len(self._days) // self._size
        while time.monotonic() < end and not (windows and windows[-1].number >= last):
            self._look()
            time.sleep(_LOOK_EVERY_S)

    def _look(self) -> None:
        self._processes.check()
        # If it is gone for good, the check above says so.
        with contextlib.suppress(httpx.TransportError):
            if self.watch.look() is not None:
                self._seen_s = time.monotonic()
        # One that got lost holds nothing up for good: the count at the end tells.
        is_lost = time.monotonic() - self._seen_s > _WINDOW_WITHIN_S
        self.player.limit = math.inf if is_lost else self.watch.may_be_sent
        self._screen.show(self.watch.windows, len(self.player.answer_times), len(self._days))
