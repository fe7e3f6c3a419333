"""`otel-ml compare`: what differs between two tables or profiles, with a false-alarm rate that is kept."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.commands.compare_page import compare_page
from otel_ml_processor.commands.compare_sides import compare_files
from otel_ml_processor.commands.compare_text import compare_json, compare_text
from otel_ml_processor.commands.paper import paper
from otel_ml_processor.commands.parser import Parser
from otel_ml_processor.commands.table_arguments import add_roles, progress_steps, roles_of
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.errors import OtelMlError, TableError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_FINE, _DIFFERENT, _MISUSED = 0, 1, 2
_DEFAULTS: Final = DriftConfig()
_EPILOG: Final = """\
REFERENCE and CURRENT are .csv, .csv.gz or .parquet tables, or profiles (.json, .json.gz) as `otel-ml profile build` writes them: a
version and the next one, staging and production, last month and this one. The cells, 20 of equal mass per number and one per category,
are those of REFERENCE.

example: otel-ml compare january.parquet february.parquet --ignore id --html february.html

exit code: 0 compared (with --check: nothing differs), 1 something differs and --check was given, 2 for what you can mend.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml compare` with *argv* and return its exit code: 0, 1 where --check finds something, or 2 with one line on stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without bars or accents
    try:
        return _compared(_parser().parse_args(argv))
    except OtelMlError as error:
        sys.stderr.write(f"otel-ml compare: {error}\n")
        return _MISUSED


def _compared(arguments: argparse.Namespace) -> int:
    with progress_steps(is_shown=arguments.progress or sys.stderr.isatty()) as steps:
        compared = compare_files(
            arguments.reference,
            arguments.current,
            roles_of(arguments),
            alpha=arguments.false_alarm_rate,
            effect_floor=arguments.effect_floor,
            on_step=steps,
        )
    if arguments.json is not None:
        _write(arguments.json, compare_json(compared))
    if arguments.html is not None:
        _write(arguments.html, compare_page(compared).encode())
    if Path("-") not in (arguments.json, arguments.html):
        console = paper()
        console.print(compare_text(compared, console.width), soft_wrap=True)
    states = {column.reading.state for column in compared.columns}
    differs = MlDriftStateValues.DRIFTING in states
    return _DIFFERENT if arguments.check and differs else _FINE


def _write(path: Path, content: bytes) -> None:
    if path == Path("-"):
        sys.stdout.write(content.decode())
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        raise TableError(f"{path}: cannot write the result: {error.strerror}") from None


def _parser() -> Parser:
    parser = Parser(
        prog="otel-ml compare",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("reference", type=Path, metavar="REFERENCE", help="what is compared with")
    add("current", type=Path, metavar="CURRENT", help="what is compared")
    add_roles(parser)
    add(
        "--false-alarm-rate",
        type=_rate,
        default=_DEFAULTS.false_alarm_rate,
        metavar="P",
        help="promised for all columns together (default: %(default)s)",
    )
    add(
        "--effect-floor",
        type=_not_negative,
        default=_DEFAULTS.effect_floor,
        metavar="PSI",
        help="smallest PSI that counts (default: %(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write everything as JSON, to stdout with -")
    add(
        "--html",
        type=Path,
        metavar="FILE",
        help="write a page to open in a browser, to stdout with -",
    )
    add("--check", action="store_true", help="end with 1 where something differs")
    add("--progress", action="store_true", help="show progress even if stderr is no terminal")
    return parser


def _rate(text: str) -> float:
    rate = _number(text)
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"expected a rate between 0 and 1, got {text!r}")
    return rate


def _not_negative(text: str) -> float:
    number = _number(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number >= 0, got {text!r}")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
