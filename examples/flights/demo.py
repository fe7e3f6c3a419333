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
import contextlib
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx
import pandas as pd
from closing import closing_lines, verdict_lines
from departures import departures
from plan import control_flights, pace_for, year_flights
from play import Player, PlayError, requests_for
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
from watch import Watch

if TYPE_CHECKING:
    from stack import Addresses, Part

__all__ = ["main"]

_FOLDER = Path(__file__).resolve().parents[2] / ".demo"
_DEFAULT_SECONDS = 180.0
_WRAP_UP_S = 6.0
_SHORTEST_PLAY_S = 10.0
_LOOK_EVERY_S = 0.25
_LAST_WINDOW_WITHIN_S = 15.0
_FAILED, _MISUSED = 1, 2


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns 0 if every number agreed, 1 if one did not or a part failed, 2 for wrong usage."""
    summary, _, details = __doc__.strip().partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="demo.py", description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(argv)
    try:
        seconds = _seconds(os.environ.get("DEMO_SECONDS"))
    except ValueError as error:
        print(f"demo.py: {error}", file=sys.stderr)
        return _MISUSED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    console = Console()
    try:
        return _demonstrate(console, seconds)
    except (PartFailedError, PlayError, PreparationError) as error:
        console.print(f"demo.py: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return _FAILED
