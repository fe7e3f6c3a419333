"""One run of the demo: prepare, start, play, count, say what came out."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from closing import counts, found_lines, promise_lines, where_to_look
from departures import departures
from plan import control_flights, pace_for, year_flights
from playing import Playing
from prepare import prepare
from processes import Processes
from screen import Screen
from stack import (
    SERVER_NAMES,
    Files,
    found_servers,
    free_addresses,
    parts_alone,
    parts_with_servers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plan import Pace
    from rich.console import Console

__all__ = ["Demo"]

_FOLDER = Path(__file__).resolve().parents[2] / ".demo"
_DEFAULT_SECONDS = 180.0
_WRAP_UP_S = 8.0
_START_UP_S = 6.0
_SHORTEST_PLAY_S = 10.0
_LEGEND = (
    "drifted: the feature, its PSI (population stability index) against winter, the p-value after Holm's correction",
    "low: share of predictions less confident than 95 % of winter's",
)


class Demo:
    """One run, of about *seconds*; without them three minutes, after which everything stays up."""

    def __init__(self, console: Console, seconds: float | None) -> None:
        self._console = console
        self._stays_up = seconds is None
        self._ends_at = time.monotonic() + (seconds or _DEFAULT_SECONDS) - _WRAP_UP_S
        self._at = free_addresses()
        self._servers = found_servers()
        self._with_servers = len(self._servers) == len(SERVER_NAMES)

    def run(self) -> int:
        """Prepare, start, play, count; returns the exit code. Whatever happens, nothing that was started outlives it."""
        promise = prepare(_FOLDER, self._say)
        flights = departures()
        pace = pace_for(self._left() - _START_UP_S)
        with (
            tempfile.TemporaryDirectory(prefix="flights-demo-") as scratch,
            Processes(_FOLDER / "logs") as processes,
        ):
            self._start(processes, Path(scratch), pace)
            with Screen(self._console) as screen:
                playing = Playing(self._at, pace, processes, screen)
                measured = playing.play(control_flights(flights, pace))
                playing.play(year_flights(flights, pace, measured, self._left()))
                playing.finish()
            code = self._close(playing, promise)
            if self._stays_up:
                self._stay_up(processes)
        return code

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def _left(self) -> float:
        return max(_SHORTEST_PLAY_S, self._ends_at - time.monotonic())

    def _start(self, processes: Processes, scratch: Path, pace: Pace) -> None:
        files = Files(_FOLDER / "model.joblib", _FOLDER / "profile.json", scratch)
        if self._with_servers:
            parts = parts_with_servers(self._at, files, pace.rows, self._servers)
        else:
            missing = ", ".join(name for name in SERVER_NAMES if name not in self._servers)
            self._say(f"without {missing} (`make tools` builds them): service and processor alone")
            parts = parts_alone(self._at, files, pace.rows)
        self._say(
            f"starting {', '.join(part.name for part in parts)}; logs in {_FOLDER / 'logs'}, and the first start takes a minute or two"
        )
        processes.start(*parts)
        self._say(f"page of the processor: http://{self._at.processor_page}/", "", *_LEGEND, "")

    def _close(self, playing: Playing, promise: str) -> int:
        """Say how it ended; returns 1 unless every count agrees."""
        self._say("", "counted")
        found = counts(self._at, playing.player.answer_times, with_servers=self._with_servers)
        self._say(*(f"  {count}" for count in found))
        promised = promise_lines(playing.watch.windows, promise)
        self._say("", "how the promise held", *_indented(promised))
        if self._with_servers and playing.watch.windows:
            self._say("", "found", *_indented(found_lines(self._at, playing.watch.score("temp"))))
        until = "" if self._stays_up else " (while it runs; without DEMO_SECONDS it stays up)"
        self._say("", f"where to look{until}")
        self._say(*_indented(where_to_look(self._at, with_servers=self._with_servers)))
        return 0 if all(count.found == count.expected for count in found) else 1

    def _stay_up(self, processes: Processes) -> None:
        """Wait for Ctrl-C, which is the expected end here."""
        self._say("", "Everything stays up. Ctrl-C ends it.")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            while True:
                processes.check()
                time.sleep(1.0)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
