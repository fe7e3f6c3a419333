"""The command `otel-ml doctor`: what is observed here, what is captured, and whether it arrives."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from otel_ml.doctor.report import examine
from otel_ml.doctor.telling import as_json, as_text

__all__ = ["main"]

_FINE, _OFF = 0, 1
_ABOUT: Final = """\
Look at what opentelemetry-instrument would find if it started a program here, with this Python and these variables:
which frameworks are observed, which settings are in force, where telemetry goes; and send one test span there.
"""
_EPILOG: Final = (
    "exit code: 0 where nothing is off, 1 where something is, 2 for an option that is not known."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml doctor` with *argv*; return 0 where nothing is off, else 1."""
    parser = argparse.ArgumentParser("otel-ml doctor", description=_ABOUT, epilog=_EPILOG)
    parser.add_argument("--json", action="store_true", help="write the report as JSON")
    parser.add_argument("--no-send", action="store_true", help="send no test span")
    arguments = parser.parse_args(argv)
    report = examine(sends=not arguments.no_send)
    sys.stdout.write(as_json(report) if arguments.json else as_text(report))
    return _OFF if report.findings else _FINE
