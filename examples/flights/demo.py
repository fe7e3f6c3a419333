"""
The main job on real flights: a model that was trained on the winter of 2013 meets the rest of the year.

It trains the model (once), starts the service under `opentelemetry-instrument`, the otel-ml processor and, where they are built
(`make tools`), a real collector, Jaeger, Prometheus and Alertmanager. Then it plays winter flights in random order, which should raise no alarm, and
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
from typing import NoReturn

__all__ = ["main"]

_FAILED, _MISUSED = 1, 2


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
    return _run(seconds)


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


def _run(seconds: float | None) -> int:
    """Run the demo; what it needs takes seconds to import, which nobody who asked for help waits for."""
    import httpx
    from course import Demo
    from play import PlayError
    from prepare import PreparationError
    from processes import PartFailedError
    from rich.console import Console

    try:
        return Demo(Console(highlight=False, markup=False), seconds).run()
    except (PartFailedError, PlayError, PreparationError, httpx.HTTPError) as error:
        print(f"demo.py: {error}", file=sys.stderr)
        return _FAILED


def _end(number: int, _frame: object) -> NoReturn:
    """Leave through every `with`, which stops what was started; a second Ctrl-C must not interrupt that."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    print("\nstopping everything that was started ...", file=sys.stderr)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    raise SystemExit(main())
