"""Taking single spans and predictions out of a state that no processor uses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from otel_ml_processor.decode.attributes import MAX_ROWS
from otel_ml_processor.feedback.keys import sample_keys
from otel_ml_processor.feedback.ring import empty_predictions
from otel_ml_processor.state.journal import Journal, Record, read_journal
from otel_ml_processor.state.seen_spans import Generation
from otel_ml_processor.state.snapshot import StoredSnapshot, read_snapshot, write_snapshot
from otel_ml_processor.state.stored_explanations import StoredExplanations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from otel_ml_processor.feedback.keys import Keys
    from otel_ml_processor.feedback.memory import JoiningMemory
    from otel_ml_processor.feedback.ring import Records
    from otel_ml_processor.state.folder import StateFolder
    from otel_ml_processor.state.snapshot import Snapshot
    from otel_ml_processor.state.span_hashes import Hashes

__all__ = ["Forgotten", "forget", "waiting"]


class Forgotten(NamedTuple):
    """How many spans, and how many predictions that waited for a label, there were."""

    spans: int
    predictions: int


def forget(folder: StateFolder, hashes: Hashes, keys: Keys) -> Forgotten:
    """
    Take *hashes* of spans out of the snapshot and the journals in *folder*, and out of the snapshot the predictions that *keys* lead to.

    The counts that the spans are part of stay: nothing says any more whose they are.

    Raises:
        FileNotFoundError: If there is no snapshot.
        UnusableFileError: If it cannot be used.
        OSError: If the files cannot be written.
    """
    found = _forget_in_snapshot(folder.snapshot, hashes, keys)
    in_journals = [_forget_in_journal(path, hashes) for path in folder.journals().values()]
    return found._replace(spans=found.spans + sum(in_journals))


def waiting(memory: JoiningMemory) -> Records:
    """Return the predictions that wait for a label."""
    dtype = empty_predictions(0, len(memory.windows), len(memory.segments)).dtype
    return np.frombuffer(memory.predictions, dtype)


def _forget_in_snapshot(path: Path, hashes: Hashes, keys: Keys) -> Forgotten:
    stored = read_snapshot(path)
    left = tuple(
        Generation(g.hashes[~np.isin(g.hashes, hashes)], g.age_s) for g in stored.generations
    )
    found = sum(map(_size, stored.generations)) - sum(map(_size, left))
    snapshot, predictions = _without_predictions(stored.snapshot, keys)
    snapshot, explained = _without_explained(snapshot, keys)
    if found or predictions or explained:
        write_snapshot(path, StoredSnapshot(snapshot, left))
    return Forgotten(found, predictions)


def _without_predictions(snapshot: Snapshot, keys: Keys) -> tuple[Snapshot, int]:
    if snapshot.joining is None:
        return snapshot, 0
    held = waiting(snapshot.joining)
    sought = _ways_to(keys)
    is_found = np.isin(held["key"], sought) | np.isin(held["name"], sought)
    left = snapshot.joining._replace(predictions=held[~is_found].tobytes())
    return msgspec.structs.replace(snapshot, joining=left), int(np.count_nonzero(is_found))


def _without_explained(snapshot: Snapshot, keys: Keys) -> tuple[Snapshot, bool]:
    """Return *snapshot* without the inputs, remembered to compare explanations of near ones, that *keys* lead to, and whether there were any."""
    said = [stored.memory() for stored in snapshot.explanations]
    stays = [~np.isin(memory.keys, _ways_to(keys)) for memory in said]
    left = tuple(
        StoredExplanations.of(m._replace(keys=m.keys[some], cells=m.cells[some]))
        for m, some in zip(said, stays, strict=True)
    )
    has_changed = not all(some.all() for some in stays)
    return msgspec.structs.replace(snapshot, explanations=left), has_changed


def _ways_to(keys: Keys) -> Keys:
    """Return *keys* of calls, and those of all samples that they may have."""
    positions = np.arange(MAX_ROWS)
    of_samples = sample_keys(np.repeat(keys, MAX_ROWS), np.tile(positions, len(keys)))
    return np.concatenate([keys, of_samples])


def _forget_in_journal(path: Path, hashes: Hashes) -> int:
    records = read_journal(path).records
    left = [_without(record, hashes) for record in records]
    found = sum(len(record.spans) for record in records) - sum(len(record.spans) for record in left)
    if found:
        _write_journal(path, left)
    return found // 8


def _write_journal(path: Path, records: Sequence[Record]) -> None:
    """Put a journal of *records* at *path*; whatever happens on the way, there is the old one or the new one, and nothing beside it."""
    beside = path.with_name(f"{path.name}.new")
    try:
        journal = Journal(beside)
        try:
            for record in records:
                journal.append(partial(_itself, record))
            journal.wait(len(records))
        finally:
            journal.close()
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _without(record: Record, hashes: Hashes) -> Record:
    spans = np.frombuffer(record.spans, dtype="<u8")
    return msgspec.structs.replace(record, spans=spans[~np.isin(spans, hashes)].tobytes())


def _itself(record: Record) -> Record:
    return record


def _size(generation: Generation) -> int:
    return len(generation.hashes)
