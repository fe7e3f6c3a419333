"""`otel-ml merge`: the snapshots of several processors as one, and what its open windows say."""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.commands.counts import counted
from otel_ml_processor.commands.paper import paper
from otel_ml_processor.commands.parser import Parser
from otel_ml_processor.commands.replay_text import replay_text
from otel_ml_processor.config_file import load_config
from otel_ml_processor.emit.readings import reading_json
from otel_ml_processor.errors import OtelMlError
from otel_ml_processor.file_stamp import file_stamp
from otel_ml_processor.learn.learned_files import LearnedFiles
from otel_ml_processor.service import load_references
from otel_ml_processor.state.folder import LEARNED, SNAPSHOT, StateFolder
from otel_ml_processor.state.journal import read_journal
from otel_ml_processor.state.merging import absorb_streams, counted_again, journaled, merged
from otel_ml_processor.state.sealed_file import UnusableFileError
from otel_ml_processor.state.snapshot import StoredSnapshot, read_snapshot, write_snapshot
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.config import Config
    from otel_ml_processor.profile import Profile
    from otel_ml_processor.state.journal import Record
    from otel_ml_processor.windows.references import References
    from otel_ml_processor.windows.streams import ClosedWindow

__all__ = ["main"]

_MERGED, _MISUSED = 0, 2
_EPILOG: Final = """\
SNAPSHOT is the file `snapshot` in a processor's state folder, or that folder; its journals, and profiles that were learned, are read with it. --config says windows and profiles, which must be those of the
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
    if not readings:
        sys.stderr.write(
            "otel-ml merge: no window was open: what was counted is in windows that are closed, which a snapshot does not have\n"
        )
    if arguments.json:
        for reading in readings:
            sys.stdout.write(reading_json(reading).decode() + "\n")
    elif readings:
        paper().print(replay_text(readings, [], {}))
    return _MERGED


def _merge(arguments: argparse.Namespace) -> list[Reading]:
    config = load_config(arguments.config, arguments.set)
    references = load_references(config, arguments.config.parent if arguments.config else Path())
    files = _files(arguments.snapshots)
    learned = _learned(files) if config.bootstrap is not None else {}
    for stream, profile in learned.items():
        references.learn(stream, profile)
    streams, stored = _streams(config, references), []
    for file in files:
        stored += _absorbed(streams, file, _streams(config, references), references)
    whole = merged(streams, stored)
    if arguments.output is not None:
        _write(arguments.output, whole)
        _keep(arguments.output, learned)
    if not whole.snapshot.secret_id:
        sys.stderr.write(
            "otel-ml merge: the secrets differ, so which spans have been counted is not in the result\n"
        )
    if n_again := counted_again(stored):
        sys.stderr.write(
            f"otel-ml merge: {counted(n_again, 'span')} of one had been counted in another, and are in the result as often; is one a copy of another?\n"
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


def _streams(config: Config, references: References) -> Streams:
    return Streams(
        config.streams,
        config.windows,
        references.reference,
        config.verdicts.low_confidence,
        Divisions.of(config),
        config if config.models else None,
    )


def _files(paths: Sequence[Path]) -> list[Path]:
    files = [*map(_snapshot_in, paths)]
    times = Counter(map(_identity, files))
    for file in files:
        if times[_identity(file)] > 1:
            raise UnusableFileError(f"{file}: expected each snapshot once, found it several times")
    return files


def _snapshot_in(path: Path) -> Path:
    with suppress(OSError):  # a name that is too long; it is said when it is read
        return path / SNAPSHOT if path.is_dir() else path
    return path


def _identity(file: Path) -> object:
    """Return what is the same of all names of *file*; the name itself of none that can be looked at, which is said when it is read."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return file
    return found.st_dev, found.st_ino


def _absorbed(
    streams: Streams, file: Path, own: Streams, references: References
) -> list[StoredSnapshot]:
    """Add what *file* and its journals say to *streams*, by way of its *own*, and return both."""
    one, records = _whole(file)
    try:
        absorb_streams(own, one.snapshot, references.reference)
        for record in records:
            for increment in record.increments:
                own.repeat(increment.increment(references.reference))
        for copy in own.copies():
            streams.absorb(copy)
    except ValueError as error:
        raise UnusableFileError(
            f"{file}: {error}; --config has to give the windows and profiles of the processors"
        ) from None
    return [one, journaled(one.snapshot, records)] if records else [one]


def _learned(files: Sequence[Path]) -> dict[StreamKey, Profile]:
    """Return what processors have learned, as it lies beside their snapshots; of a stream that several know, what the first says."""
    found: dict[StreamKey, Profile] = {}
    for file in files:
        if file.name == SNAPSHOT:  # a copy has neighbours that are not known to be its own
            found = {**LearnedFiles(file.parent / LEARNED).read(), **found}
    return found


def _keep(path: Path, learned: Mapping[StreamKey, Profile]) -> None:
    """Write what was *learned* beside the snapshot at *path*: without it a processor could not go on from there."""
    files = LearnedFiles(path.parent / LEARNED if path.name == SNAPSHOT else None)
    for stream, profile in learned.items():
        files.write(stream, profile)


def _whole(file: Path) -> tuple[StoredSnapshot, list[Record]]:
    """Return the snapshot *file* and what its journals add to it, read anew where a processor has put another one in its place meanwhile."""
    while True:
        stamp = file_stamp(file)
        one = _read(file)
        try:
            records = _records(file, one.snapshot.journal)
        except UnusableFileError:
            if file_stamp(file) == stamp:
                raise
        else:
            if file_stamp(file) == stamp:
                return one, records


def _records(file: Path, first: int) -> list[Record]:
    """Return what was written down after the snapshot *file*, in the journals from number *first* on that lie beside it."""
    if file.name != SNAPSHOT:
        return []  # a copy, whose neighbours are not known to be its own
    try:
        journals = StateFolder(file.parent).journals()
        texts = [read_journal(path) for number, path in journals.items() if number >= first]
    except OSError as error:
        raise UnusableFileError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return [record for text in texts for record in text.records]


def _read(file: Path) -> StoredSnapshot:
    try:
        return read_snapshot(file)
    except FileNotFoundError:
        raise UnusableFileError(f"{file}: expected a snapshot, found no file") from None
    except UnusableFileError as error:
        raise UnusableFileError(f"{file}: {error}") from None


def _write(path: Path, whole: StoredSnapshot) -> None:
    folder = StateFolder(path.parent)
    if path.exists() and not path.is_file():  # a device would be replaced, for everybody
        raise UnusableFileError(f"{path}: expected the name of a file, found a folder or a device")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (path.parent / "lock").exists():
            folder.take()  # or the next snapshot of the processor that has it would take this one's place
        # What lies there already is of another snapshot, or in this one.
        number = max(folder.journals(), default=-1) + 1
        snapshot = msgspec.structs.replace(whole.snapshot, journal=number)
        write_snapshot(path, StoredSnapshot(snapshot, whole.generations))
    except OSError as error:
        raise UnusableFileError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        folder.release()


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
