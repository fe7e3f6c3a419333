"""
The main job on real flights: a model that was trained on the winter of 2013 meets the rest of the year.

It trains the model (once), starts the service under `opentelemetry-instrument`, the otel-ml processor and, where they are built
(`make tools`), a real collector, Jaeger and Prometheus. Then it plays winter flights in random order, which should raise no alarm, and
March to December in order; shows what the processor says of each window; and ends by counting what arrived where.

    python demo.py                      three minutes, then everything stays up until Ctrl-C
    DEMO_SECONDS=60 python demo.py      about a minute in all, and it ends by itself
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx
from closing import counts, found_lines, promise_lines, where_to_look
from departures import departures
from plan import control_flights, pace_for, year_flights
from play import PlayError
from playing import Playing
from prepare import PreparationError, prepare
from processes import PartFailedError, Processes
from rich.console import Console
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

__all__ = ["Demo", "main"]

_FOLDER = Path(__file__).resolve().parents[2] / ".demo"
_DEFAULT_SECONDS = 180.0
_WRAP_UP_S = 8.0
_START_UP_S = 6.0
_SHORTEST_PLAY_S = 10.0
_FAILED, _MISUSED = 1, 2
_LEGEND = (
    "drifted: the feature, its PSI (population stability index) against winter, the p-value after Holm's correction",
    "low: share of predictions less confident than 95 % of winter's",
)


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns 0 if all counts agree, 1 if not or if a part failed, 2 for wrong usage."""
    summary, _, details = (__doc__ or "").strip().partition("\n\n")
    layout = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(
        "demo.py", description=summary, epilog=details, formatter_class=layout
    ).parse_args(argv)
    try:
        seconds = _seconds(os.environ.get("DEMO_SECONDS"))
    except ValueError as error:
        print(f"demo.py: {error}", file=sys.stderr)
        return _MISUSED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        return Demo(Console(highlight=False, markup=False), seconds).run()
    except (PartFailedError, PlayError, PreparationError, httpx.HTTPError) as error:
        print(f"demo.py: {error}", file=sys.stderr)
        return _FAILED


def _seconds(text: str | None) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(
            f"DEMO_SECONDS: expected a number of seconds above 0 such as 60, got {text!r}"
        )
    return seconds


def _end(number: int, _frame: object) -> NoReturn:
    """Leave through every `with`, which stops what was started; a second Ctrl-C must not interrupt that."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    print("\nstopping everything that was started ...", file=sys.stderr)
    raise SystemExit(128 + number)


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
        self._say(f"starting {', '.join(part.name for part in parts)}; logs in {_FOLDER / 'logs'}")
        processes.start(*parts)
        self._say(f"page of the processor: http://{self._at.processor_page}/", "", *_LEGEND, "")

    def _close(self, playing: Playing, promise: str) -> int:
        """Say how it ended; returns 1 unless every count agrees."""
        self._say("", "counted")
        found = counts(self._at, playing.player.answer_times, with_servers=self._with_servers)
        self._say(*(f"  {count}" for count in found))
        self._say(
            "", "how the promise held", *_indented(promise_lines(playing.watch.windows, promise))
        )
        if self._with_servers:
            self._say("", "found", *_indented(found_lines(self._at, playing.watch.score("temp"))))
        self._say(
            "",
            "where to look"
            + ("" if self._stays_up else " (while it runs; without DEMO_SECONDS it stays up)"),
        )
        self._say(*_indented(where_to_look(self._at, with_servers=self._with_servers)))
        return 0 if all(count.found == count.expected for count in found) else _FAILED

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


if __name__ == "__main__":
    raise SystemExit(main())
