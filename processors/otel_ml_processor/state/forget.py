"""Taking single spans out of a state that no processor uses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from otel_ml_processor.state.journal import Journal, Record, read_journal
from otel_ml_processor.state.seen_spans import Generation
from otel_ml_processor.state.snapshot import StoredSnapshot, read_snapshot, write_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.state.folder import StateFolder
    from otel_ml_processor.state.span_hashes import Hashes

__all__ = ["forget"]


def forget(folder: StateFolder, hashes: Hashes) -> int:
    """
    Take *hashes* out of the snapshot and the journals in *folder*, and return how many there were.

    The counts that the spans are part of stay: nothing says any more whose they are.

    Raises:
        FileNotFoundError: If there is no snapshot.
        UnusableFileError: If it cannot be used.
        OSError: If the files cannot be written.
    """
    found = _forget_in_snapshot(folder.snapshot, hashes)
    return found + sum(_forget_in_journal(path, hashes) for path in folder.journals().values())


def _forget_in_snapshot(path: Path, hashes: Hashes) -> int:
    stored = read_snapshot(path)
    left = tuple(
        Generation(g.hashes[~np.isin(g.hashes, hashes)], g.age_s) for g in stored.generations
    )
    found = sum(map(_size, stored.generations)) - sum(map(_size, left))
    if found:
        write_snapshot(path, StoredSnapshot(stored.snapshot, left))
    return found


def _forget_in_journal(path: Path, hashes: Hashes) -> int:
    records = read_journal(path).records
    left = [_without(record, hashes) for record in records]
    found = sum(len(record.spans) for record in records) - sum(len(record.spans) for record in left)
    if found:
        beside = Journal(path.with_name(f"{path.name}.new"))
        for record in left:
            beside.append(partial(_itself, record))
        beside.wait(len(left))
        beside.close()
        beside.path.replace(path)
    return found // 8


def _without(record: Record, hashes: Hashes) -> Record:
    spans = np.frombuffer(record.spans, dtype="<u8")
    return msgspec.structs.replace(record, spans=spans[~np.isin(spans, hashes)].tobytes())


def _itself(record: Record) -> Record:
    return record


def _size(generation: Generation) -> int:
    return len(generation.hashes)
