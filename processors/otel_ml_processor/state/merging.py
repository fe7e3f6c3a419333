"""Several processors' snapshots as one: each was fed a part, and together they say what one would say that was fed everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from otel_ml_processor.receive.repeats import KnownRequest
from otel_ml_processor.state.seen_spans import Generation
from otel_ml_processor.state.snapshot import Snapshot, StoredSnapshot
from otel_ml_processor.state.stored_streams import StoredStream

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.state.journal import Record
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.streams import Streams

__all__ = ["absorb_streams", "counted_again", "journaled", "merged"]

_Said = TypeVar("_Said")


def absorb_streams(
    streams: Streams, snapshot: Snapshot, reference_of: Callable[[StreamKey], Reference | None]
) -> None:
    """
    Add the streams of *snapshot* to *streams*.

    Raises:
        ValueError: If one was counted against another reference, has other windows, or is one too many.
    """
    for stream in snapshot.streams:
        streams.absorb(stream.copy(reference_of))


def journaled(snapshot: Snapshot, records: Sequence[Record]) -> StoredSnapshot:
    """Return *records* (at least one), which were written down after *snapshot*, as one more snapshot; what they add to streams is not in it."""
    newest_ns = max(record.time_ns for record in records)
    spans = np.frombuffer(b"".join(record.spans for record in records), dtype="<u8")
    age_s = (newest_ns - min(record.time_ns for record in records)) / 1e9
    requests = tuple(
        KnownRequest(key, (newest_ns - record.time_ns) / 1e9, response, n_inferences)
        for record in records
        for key, response, n_inferences in record.answers
    )
    told = msgspec.structs.replace(
        snapshot,
        written_ns=newest_ns,
        counted=sum(record.n_counted for record in records),
        streams=(),
        requests=requests,
        generation_ages_s=(age_s,),
        states=(),
        patterns=(),
        explanations=(),
    )
    return StoredSnapshot(told, (Generation(spans, age_s),))


def merged(streams: Streams, stored: Sequence[StoredSnapshot]) -> StoredSnapshot:
    """
    Return *streams*, which have absorbed those of *stored* (at least one), as a snapshot that a processor can go on from.

    What was seen is only in it where all of them tell spans apart with the same secret. States, where models failed, and what predictions are attributed to are those of the newest snapshot that
    has them of a stream. Counts
    that have left the processors stay with their processors: the one that goes on counts from 0.
    """
    newest = max(one.snapshot.written_ns for one in stored)
    ids = {one.snapshot.secret_id for one in stored}
    is_shared = len(ids) == 1
    generations = _generations(stored, newest) if is_shared else ()
    snapshot = Snapshot(
        written_ns=newest,
        secret_id=ids.pop() if is_shared else b"",
        counted=sum(one.snapshot.counted for one in stored),
        journal=0,
        is_final=False,
        is_journaled=False,
        streams=tuple(map(StoredStream.of, streams.copies())),
        requests=_requests(stored, newest) if is_shared else (),
        generation_ages_s=tuple(generation.age_s for generation in generations),
        states=tuple(_newest(stored, lambda s: s.states, lambda m: (m.stream, m.window))),
        counts_since_ns=newest,
        counts=(),
        patterns=tuple(_newest(stored, lambda s: s.patterns, lambda p: (p.key, p.failure))),
        explanations=tuple(_newest(stored, lambda s: s.explanations, lambda e: e.key)),
    )
    return StoredSnapshot(snapshot, generations)


def counted_again(stored: Sequence[StoredSnapshot]) -> int:
    """Return how many spans of one of *stored* are known to another, as far as both tell them apart with the same secret."""
    known: dict[bytes, list[np.ndarray]] = {}
    for one in stored:
        hashes = known.setdefault(one.snapshot.secret_id, [])
        hashes += [generation.hashes for generation in one.generations]
    joined = [np.concatenate(hashes) for hashes in known.values() if hashes]
    return sum(len(hashes) - len(np.unique(hashes)) for hashes in joined)


def _generations(stored: Sequence[StoredSnapshot], newest_ns: int) -> tuple[Generation, ...]:
    """Return all generations, the oldest first, with their ages at the time of the newest snapshot."""
    aged = [
        Generation(generation.hashes, generation.age_s + _older_s(one, newest_ns))
        for one in stored
        for generation in one.generations
    ]
    return tuple(sorted(aged, key=lambda generation: -generation.age_s))


def _requests(stored: Sequence[StoredSnapshot], newest_ns: int) -> tuple[KnownRequest, ...]:
    aged = [
        request._replace(age_s=request.age_s + _older_s(one, newest_ns))
        for one in stored
        for request in one.snapshot.requests
    ]
    return tuple(sorted(aged, key=lambda request: -request.age_s))


def _newest(
    stored: Sequence[StoredSnapshot],
    of: Callable[[Snapshot], Iterable[_Said]],
    whose: Callable[[_Said], Hashable],
) -> Iterable[_Said]:
    """Return what snapshots say that have it, each thing once, as the newest has it."""
    by_age = sorted(stored, key=lambda one: one.snapshot.written_ns)
    return {whose(said): said for one in by_age for said in of(one.snapshot)}.values()


def _older_s(one: StoredSnapshot, newest_ns: int) -> float:
    return (newest_ns - one.snapshot.written_ns) / 1e9
