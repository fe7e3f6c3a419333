"""`otel-ml conventions`: say whether telemetry keeps to the conventions, of files or of what arrives."""

from __future__ import annotations

import argparse
import io
import math
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from otel_ml_conventions.conformance import Registry
from otel_ml_conventions.otlp_messages import judge_request
from otel_ml_conventions.tally import Tally
from otel_ml_processor.commands.conformance_text import conformance_text
from otel_ml_processor.commands.live_check import LiveCheck
from otel_ml_processor.commands.otlp_files import read_requests
from otel_ml_processor.commands.parser import Parser, add_command
from otel_ml_processor.commands.reading_progress import reading_progress
from otel_ml_processor.errors import OtelMlError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_CONFORMS, _VIOLATES, _MISUSED = 0, 1, 2
_EPILOG: Final = """\
example: otel-ml conventions check traces.jsonl

exit code: 0 without violations, 1 with at least one, 2 for what you can mend: an option, a file, an address. Advice changes nothing.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml conventions` with *argv* and return its exit code: 0, 1 with violations, or 2 with one line on stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show every name
    try:
        arguments = _parser().parse_args(argv)
        tally: Tally = arguments.run(arguments)
    except OtelMlError as error:
        sys.stderr.write(f"otel-ml conventions: {error}\n")
        return _MISUSED
    console = Console(file=sys.stdout)
    sys.stdout.write(conformance_text(tally, is_terminal=console.is_terminal, width=console.width))
    return _VIOLATES if tally.n_violations else _CONFORMS


def _check(arguments: argparse.Namespace) -> Tally:
    registry = Registry()
    tally = Tally(registry)
    paths: list[Path] = arguments.files
    with reading_progress(paths, is_shown=arguments.progress or sys.stderr.isatty()) as report:
        for path in paths:
            for request, place, read_bytes in read_requests(path):
                tally.add(judge_request(registry, request), f"{path}:{place}")
                report(path, read_bytes)
    return tally


def _live_check(arguments: argparse.Namespace) -> Tally:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    check = LiveCheck(arguments.grpc, arguments.http)
    check.start()
    sys.stderr.write(
        f"listening on OTLP/gRPC {check.grpc_endpoint} and OTLP/HTTP http://{check.http_endpoint}; {_until(arguments.seconds)}\n"
    )
    sys.stderr.flush()
    stopping.wait(arguments.seconds)
    check.stop()
    return check.tally


def _until(seconds: float | None) -> str:
    return "Ctrl-C prints what was found" if seconds is None else f"ends after {seconds:g} s"


def _parser() -> Parser:
    raw: dict[str, Any] = {
        "epilog": _EPILOG,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
    parser = Parser(prog="otel-ml conventions", description=__doc__, **raw)
    commands = parser.add_subparsers(required=True, metavar="check|live-check")
    check = add_command(commands, "check", "judge files of OTLP", **raw)
    check.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="OTLP as JSON (a document, or one per line) or protobuf (single, or with lengths)",
    )
    check.add_argument(
        "--progress", action="store_true", help="show progress even if stderr is no terminal"
    )
    check.set_defaults(run=_check)
    live = add_command(commands, "live-check", "judge what arrives by OTLP", **raw)
    add = live.add_argument
    add(
        "--grpc",
        default="127.0.0.1:4317",
        metavar="HOST:PORT",
        help="OTLP/gRPC, port 0: any free (default: %(default)s)",
    )
    add(
        "--http",
        default="127.0.0.1:4318",
        metavar="HOST:PORT",
        help="OTLP/HTTP, port 0: any free (default: %(default)s)",
    )
    add("--seconds", type=_seconds, metavar="N", help="end after so long (default: at Ctrl-C)")
    live.set_defaults(run=_live_check)
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")
    return seconds
