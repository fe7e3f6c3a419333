"""A snapshot: all that must survive, of one instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from otel_ml_processor.assess.label_alarms import AlarmMemory
from otel_ml_processor.assess.states import StateMemory
from otel_ml_processor.emit.stream_pages import StreamCounts
from otel_ml_processor.feedback.memory import JoiningMemory
from otel_ml_processor.receive.repeats import KnownRequest
from otel_ml_processor.state.sealed_file import UnusableFileError, read_sealed, write_sealed
from otel_ml_processor.state.seen_spans import Generation
from otel_ml_processor.state.stored_explanations import StoredExplanations
from otel_ml_processor.state.stored_patterns import StoredPatterns
from otel_ml_processor.state.stored_streams import StoredClosed, StoredStream

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Snapshot", "StoredSnapshot", "read_snapshot", "write_snapshot"]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """
    All but the hashes of spans, which lie behind it as they are in memory.

    `counted` inferences are in it, and those of journals from number `journal` on are not. Nothing comes after one that `is_final`; where it `is_journaled`, all
    that comes after it is in journals. Hashes and keys were drawn with the secret of that id.
    """

    written_ns: int
    secret_id: bytes
    counted: int
    journal: int
    is_final: bool
    is_journaled: bool
    streams: tuple[StoredStream, ...]
    requests: tuple[KnownRequest, ...]
    generation_ages_s: tuple[float, ...]
    states: tuple[StateMemory, ...]
    counts_since_ns: int
    counts: tuple[StreamCounts, ...]
    told: tuple[tuple[tuple[str, ...], StoredClosed], ...] = ()
    """The windows that were told last, with their streams."""
    label_alarms: tuple[AlarmMemory, ...] = ()
    joining: JoiningMemory | None = None
    """Predictions that wait for their labels, and what labels have said."""
    patterns: tuple[StoredPatterns, ...] = ()
    """Where models failed; what came after a snapshot is in no journal."""
    explanations: tuple[StoredExplanations, ...] = ()
    """What predictions were attributed to; what came after a snapshot is in no journal."""


class StoredSnapshot(msgspec.Struct, frozen=True):
    """A snapshot with the hashes of spans."""

    snapshot: Snapshot
    generations: tuple[Generation, ...]


def write_snapshot(path: Path, stored: StoredSnapshot) -> None:
    """
    Put *stored* at *path*; whatever happens on the way, the old one or the new one is there.

    Raises:
        OSError: If it cannot be written.
    """
    hashes = [generation.hashes.astype("<u8", copy=False).data for generation in stored.generations]
    write_sealed(path, [msgspec.msgpack.encode(stored.snapshot), *hashes])


def read_snapshot(path: Path) -> StoredSnapshot:
    """
    Return what was written to *path*.

    Raises:
        FileNotFoundError: If there is none.
        UnusableFileError: If it cannot be used.
    """
    parts = read_sealed(path)
    try:
        snapshot = msgspec.msgpack.decode(parts[0], type=Snapshot)
        hashes = [np.frombuffer(part, dtype="<u8") for part in parts[1:]]
        ages_s = snapshot.generation_ages_s
        generations = tuple(Generation(*g) for g in zip(hashes, ages_s, strict=True))
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise UnusableFileError(f"not a snapshot: {error}") from None
    return StoredSnapshot(snapshot, generations)
