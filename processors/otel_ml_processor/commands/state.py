"""`otel-ml state`: what a state folder holds, and taking single spans out of it."""

from __future__ import annotations

import argparse
import io
import re
import sys
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.commands.counts import counted
from otel_ml_processor.commands.parser import Parser, add_command
from otel_ml_processor.config_file import load_config
from otel_ml_processor.errors import ConfigError, OtelMlError
from otel_ml_processor.feedback.keys import id_key, span_keys
from otel_ml_processor.state.folder import StateFolder
from otel_ml_processor.state.forget import forget, waiting
from otel_ml_processor.state.journal import read_journal
from otel_ml_processor.state.sealed_file import UnusableFileError
from otel_ml_processor.state.snapshot import read_snapshot
from otel_ml_processor.state.span_hashes import secret_of, span_hashes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_ml_processor.state.stored_streams import StoredStream

__all__ = ["main"]

_DONE, _MISUSED = 0, 2
_ID: Final = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})-([0-9a-f]{16})(?:-[0-9a-f]{2})?")
_EPILOG_OF_SHOW: Final = """\
A processor that uses the folder need not be stopped for that.

example: otel-ml state show /var/lib/otel-ml/state

exit code: 0 shown, 2 for what you can mend: a folder, a configuration.
"""
_EPILOG: Final = """\
ID is TRACE_ID-SPAN_ID in hexadecimal, as a `traceparent` header has it; with --prediction it is what `ml.prediction.id` said. Forgotten is
that this span has been counted, and its prediction, where one waits for a label; the counts themselves say nothing of single spans and stay.
The processor that uses the folder has to be stopped first.

example: otel-ml state forget 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331 --config processor.yaml

exit code: 0 done, 2 for what you can mend: a folder, an id.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml state` with *argv* and return its exit code: 0, or 2 with one line on stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show every name
    try:
        arguments = _parser().parse_args(argv)
        folder = StateFolder(_path(arguments))
        for line in arguments.run(folder, arguments):
            sys.stdout.write(f"{line}\n")
    except FileNotFoundError:
        sys.stderr.write(f"otel-ml state: {folder.path}: expected a snapshot in it, found none\n")
        return _MISUSED
    except UnusableFileError as error:
        sys.stderr.write(f"otel-ml state: {folder.snapshot}: {error}\n")
        return _MISUSED
    except OtelMlError as error:
        sys.stderr.write(f"otel-ml state: {error}\n")
        return _MISUSED
    except OSError as error:
        sys.stderr.write(f"otel-ml state: {error.filename or folder.path}: {error.strerror}\n")
        return _MISUSED
    return _DONE


def _path(arguments: argparse.Namespace) -> Path:
    if arguments.directory is not None:
        return Path(arguments.directory)
    config = load_config(arguments.config)
    if config.state.directory is None:
        raise ConfigError(
            "expected a state folder, or --config with a file that has state.directory"
        )
    return Path(arguments.config.parent if arguments.config else "", config.state.directory)


def _show(folder: StateFolder, _: argparse.Namespace) -> Iterator[str]:
    stored = read_snapshot(folder.snapshot)
    snapshot = stored.snapshot
    written = datetime.fromtimestamp(snapshot.written_ns // 10**9, tz=timezone.utc)
    kind = "the last before a clean end" if snapshot.is_final else "of a running processor"
    yield f"snapshot    {written:%Y-%m-%d %H:%M:%S} UTC, {kind}"
    yield f"counted     {counted(snapshot.counted, 'inference')}"
    spans = counted(sum(len(g.hashes) for g in stored.generations), "span")
    yield f"known       {spans}, {counted(len(snapshot.requests), 'request')}, as hashes"
    for number, path in folder.journals().items():
        if number >= snapshot.journal:
            with suppress(FileNotFoundError):  # a running processor has ended it meanwhile
                requests = counted(len(read_journal(path).records), "request")
                yield f"journal     {path.name}: {requests} after the snapshot"
    if snapshot.joining is not None:
        predictions = counted(len(waiting(snapshot.joining)), "prediction")
        yield f"waiting     {predictions} for their label, as hashes"
    for stream in snapshot.streams:
        yield f"stream      {StreamKey(*stream.key)}"
        yield from _windows(stream)


def _windows(stream: StoredStream) -> Iterator[str]:
    for windows in stream.windows:
        if windows.opened:
            first_ns = min(pane.start_ns for pane in windows.opened)
            start = datetime.fromtimestamp(first_ns // 10**9, tz=timezone.utc)
            rows = sum(pane.summary.rows for pane in windows.opened)
            yield f"  open      {windows.name}, from {start:%Y-%m-%d %H:%M} UTC: {counted(rows, 'row')}"


def _forget(folder: StateFolder, arguments: argparse.Namespace) -> Iterator[str]:
    ids, tenant = arguments.ids, arguments.tenant
    if arguments.prediction:
        words = np.zeros((0, 3), dtype=np.uint64)
        keys = np.array([id_key(text, tenant) for text in ids], dtype=np.uint64)
    else:
        words = np.frombuffer(b"".join(map(_words, ids)), dtype="<u8").reshape(-1, 3)
        keys = span_keys(words)
    read_snapshot(folder.snapshot)  # a folder that is no state is not made one
    folder.take()
    try:
        found = forget(folder, span_hashes(words, secret_of(folder.secret(), tenant)), keys)
    finally:
        folder.release()
    if not arguments.prediction:
        yield f"{found.spans} of {len(ids)} forgotten"
    if found.predictions or arguments.prediction:
        yield f"{found.predictions} that waited for a label forgotten"


def _words(text: str) -> bytes:
    """Return the bytes of both ids."""
    found = _ID.fullmatch(text.lower())
    if found is None:
        raise ConfigError(
            f"expected TRACE_ID-SPAN_ID, 32 and 16 hexadecimal digits, got {text!r:.60}"
        )
    return bytes.fromhex(found[1] + found[2])


def _parser() -> Parser:
    parser = Parser(
        prog="otel-ml state", description=__doc__, epilog="`otel-ml state show --help` says more."
    )
    commands = parser.add_subparsers(required=True, metavar="show|forget")
    for name, run, text in (
        ("show", _show, "say what a state folder holds"),
        ("forget", _forget, "take spans out of it"),
    ):
        command = add_command(
            commands,
            name,
            text,
            epilog=_EPILOG if run is _forget else _EPILOG_OF_SHOW,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if run is _forget:
            command.add_argument("ids", nargs="+", metavar="ID", help="TRACE_ID-SPAN_ID")
            command.add_argument(
                "--prediction", action="store_true", help="each ID is an `ml.prediction.id`"
            )
            command.add_argument(
                "--tenant", default="", metavar="NAME", help="whose they are, by its header"
            )
        where = command.add_mutually_exclusive_group()
        if run is _show:
            where.add_argument(
                "directory", nargs="?", type=Path, metavar="FOLDER", help="the state folder"
            )
        else:
            where.add_argument("--directory", type=Path, metavar="FOLDER", help="the state folder")
        where.add_argument(
            "--config", type=Path, metavar="FILE", help="that of the processor, which says it"
        )
        command.set_defaults(run=run)
    return parser
