"""The example is a folder of programs, not a package: its modules are found where Python finds those of a program."""

from __future__ import annotations

import sys
from pathlib import Path

FLIGHTS = Path(__file__).parents[3] / "examples" / "flights"
sys.path.insert(0, str(FLIGHTS))

from tests.unit.examples.flights_fixtures import (  # noqa: E402 - it needs the folder on the path
    all_departures,
    small_model,
    small_model_file,
    winter_sample,
)

__all__ = ["FLIGHTS", "all_departures", "small_model", "small_model_file", "winter_sample"]
