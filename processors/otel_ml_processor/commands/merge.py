"""`otel-ml merge`: the snapshots of several processors as one, and what its open windows say."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.commands.parser import Parser
from otel_ml_processor.commands.replay_text import replay_text
from otel_ml_processor.config_file import load_config
from otel_ml_processor.emit.readings import reading_json
from otel_ml_processor.errors import OtelMlError
from otel_ml_processor.service import load_references
from otel_ml_processor.state.merging import absorb_streams, merged
from otel_ml_processor.state.sealed_file import UnusableFileError
from otel_ml_processor.state.snapshot import StoredSnapshot, read_snapshot, write_snapshot
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.config import Config
    from otel_ml_processor.windows.references import References
    from otel_ml_processor.windows.streams import ClosedWindow

__all__ = ["main"]

_MERGED, _MISUSED = 0, 2
_EPILOG: Final = """\
SNAPSHOT is the file `snapshot` in a processor's state folder, or that folder. --config says windows and profiles, which must be those of the
processors. Printed is what the windows say that were open; a window of rows may have more rows than a single processor would give it.

example: otel-ml merge state-a state-b --config processor.yaml -o state/snapshot

exit code: 0 merged, 2 for what you can mend: a file, an option.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml merge` with *argv* and return its exit code: 0, or 2 with one line on stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show every name
    try:
        arguments = _parser().parse_args(argv)
        readings = _merge(arguments)
    except OtelMlError as error:
        sys.stderr.write(f"otel-ml merge: {error}\n")
        return _MISUSED
    if arguments.json:
        for reading in readings:
            sys.stdout.write(reading_json(reading).decode() + "\n")
    else:
        Console(file=sys.stdout).print(replay_text(readings, [], {}))
    return _MERGED


def _merge(arguments: argparse.Namespace) -> list[Reading]:
    config = load_config(arguments.config, arguments.set)
    references = load_references(config, arguments.config.parent if arguments.config else Path())
    low_confidence = config.verdicts.low_confidence
    streams = Streams(
        config.streams,
        config.windows,
        references.reference,
        low_confidence,
        Divisions.of(config),
        config if config.models else None,
    )
    stored = [_read(path) for path in arguments.snapshots]
    for path, one in zip(arguments.snapshots, stored, strict=True):
        _absorb(streams, path, one, references)
    whole = merged(streams, stored)
    if arguments.output is not None:
        _write(arguments.output, whole)
    if not whole.snapshot.secret_id:
        sys.stderr.write(
            "otel-ml merge: the secrets differ, so which spans have been counted is not in the result\n"
        )
    promises = Promises.of_config(config, references.profiles.values())
    return [_assessed(window, config, promises) for window in streams.finish()]


def _assessed(window: ClosedWindow, config: Config, promises: Promises) -> Reading:
    stream = window.stream
    own = config.of_model(stream.model, stream.version)
    return assess_window(
        window,
        promises=promises.of_model(stream.model, stream.version),
        min_rows=own.streams.min_rows,
        drift=own.drift,
    )


def _absorb(streams: Streams, path: Path, one: StoredSnapshot, references: References) -> None:
    try:
        absorb_streams(streams, one.snapshot, references.reference)
    except ValueError as error:
        raise UnusableFileError(f"{path}: {error}") from None


def _read(path: Path) -> StoredSnapshot:
    file = path / "snapshot" if path.is_dir() else path
    try:
        return read_snapshot(file)
    except FileNotFoundError:
        raise UnusableFileError(f"{file}: expected a snapshot, found no file") from None
    except UnusableFileError as error:
        raise UnusableFileError(f"{file}: {error}") from None


def _write(path: Path, whole: StoredSnapshot) -> None:
    try:
        write_snapshot(path, whole)
    except OSError as error:
        raise UnusableFileError(f"{path}: cannot be written: {error.strerror}") from None


def _parser() -> Parser:
    parser = Parser(
        prog="otel-ml merge",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("snapshots", nargs="+", type=Path, metavar="SNAPSHOT", help="a snapshot, or its folder")
    add("-o", "--output", type=Path, metavar="FILE", help="where the merged snapshot goes")
    add(
        "--config", type=Path, metavar="FILE", help="that of the processors (default: its defaults)"
    )
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="overrule one option")
    add("--json", action="store_true", help="a JSON object per window")
    return parser
