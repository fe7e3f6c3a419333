"""
The keeper of the state: writes it while the processor runs, and brings it back when it starts.

Nothing that goes wrong with the disk stops a processor: it is logged, counted, and tried again with the next snapshot. A state that cannot be used is set aside, not
overwritten.
"""

from __future__ import annotations

import logging
import secrets
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from otel_ml_conventions.attributes import MlProcessorStateValues
from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_FAILURES
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.repeats import Answer
from otel_ml_processor.state.folder import StateFolder, secret_id
from otel_ml_processor.state.journal import Journal, read_journal
from otel_ml_processor.state.ledger import JOURNAL, SECRET_BYTES
from otel_ml_processor.state.sealed_file import UnusableFileError, synced_folder
from otel_ml_processor.state.seen_spans import Generation
from otel_ml_processor.state.snapshot import (
    Snapshot,
    StoredSnapshot,
    read_snapshot,
    write_snapshot,
)
from otel_ml_processor.state.stored_explanations import StoredExplanations
from otel_ml_processor.state.stored_patterns import StoredPatterns
from otel_ml_processor.state.stored_streams import StoredClosed, StoredStream
from otel_ml_processor.windows.streams import ClosedWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from otel_ml_processor.assess.error_patterns import ErrorPatterns
    from otel_ml_processor.assess.label_alarms import AlarmMemory, LabelStates
    from otel_ml_processor.assess.last_windows import LastWindows
    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.assess.states import DriftStates
    from otel_ml_processor.config import StateConfig
    from otel_ml_processor.emit.metrics import MetricBook
    from otel_ml_processor.feedback.explaining import Explaining
    from otel_ml_processor.feedback.joining import Joining
    from otel_ml_processor.feedback.memory import JoiningMemory
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.state.journal import Record
    from otel_ml_processor.state.ledger import Ledger
    from otel_ml_processor.windows.reference import Reference

__all__ = ["STATE_STEPS", "Keeper", "Kept"]

_SNAPSHOT, _RESTORE = "snapshot", "restore"
STATE_STEPS: Final = (_SNAPSHOT, _RESTORE, JOURNAL)
"""What can fail with the state: causes of `ml.processor.failures`."""
_FULL_JOURNAL_BYTES: Final = 256 << 20
"""A journal that is as large is ended by a snapshot at once."""
_LOGGER: Final = logging.getLogger(__name__)


class Kept(NamedTuple):
    """What is kept: what has been counted, what the windows have been, and the counts that have left the processor."""

    ledger: Ledger
    states: DriftStates
    book: MetricBook
    reference_of: Callable[[StreamKey], Reference | None]
    self_metrics: SelfMetrics
    told: Told | None = None
    joining: Joining | None = None
    labels: LabelStates | None = None
    patterns: ErrorPatterns | None = None
    explaining: Explaining | None = None


class Told(Protocol):
    """Whoever assesses windows and remembers the last of them."""

    @property
    def told(self) -> LastWindows:
        """The windows that were told last."""

    def recall(self, windows: Sequence[ClosedWindow]) -> Sequence[Reading]:
        """Return what *windows* said, which have been told before."""


class Keeper:
    """Keeps *kept* in the folder at *path*, as *config* says; used from one thread, the one that lets time pass."""

    def __init__(
        self,
        config: StateConfig,
        path: Path,
        kept: Kept,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._config = config
        self._folder = StateFolder(path)
        self._kept = kept
        self._clock_ns = clock_ns
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self._number = 0
        self._saved_ns = 0
        self._said: set[str] = set()

    def restore(self) -> None:
        """
        Bring back what was kept, say what was lost, and write the first snapshot; before anything is received.

        Raises:
            ConfigError: If another process uses the folder.
        """
        begun = MlProcessorStateValues.FRESH
        try:
            self._folder.take()
            self._secret = self._folder.secret()
            self._kept.ledger.use_secret(self._secret)
            self._folder.open_counter(self._secret)
            if self._brought_back():
                begun = MlProcessorStateValues.RESTORED
        except OSError as error:
            aside = self._folder.set_aside() if self._folder.is_taken else ""
            self._failed(_RESTORE, f"{error.strerror}: {aside}what is missing begins anew")
        except (ValueError, LookupError) as error:  # whole, and yet none of ours
            aside = self._folder.set_aside()
            self._failed(_RESTORE, f"{error!r}; {aside}what is missing begins anew")
        self._folder.note(self._kept.ledger.counted)
        self._kept.ledger.note = self._folder.note
        self._kept.book.set_state(begun)
        self.save()

    def save_if_due(self) -> None:
        """Write a snapshot if the last one is old enough, or the journal too long."""
        journal = self._kept.ledger.journal
        is_full = journal is not None and journal.size_bytes >= _FULL_JOURNAL_BYTES
        age_ns = self._clock_ns() - self._saved_ns
        if is_full or not 0 <= age_ns < self._config.interval * 1e9:
            self.save()

    def save(self, *, is_final: bool = False) -> None:
        """Write a snapshot; after one that *is_final* nothing is counted any more."""
        self._saved_ns = self._clock_ns()
        try:
            self._take_late()
            journal = None if is_final else self._next_journal()
            self._number += journal is None
            write_snapshot(self._folder.snapshot, self._snapshot(journal, is_final=is_final))
            self._remove_journals(before=self._number)
        except (OSError, ConfigError) as error:
            reason = getattr(error, "strerror", None) or error
            self._failed(_SNAPSHOT, f"{reason}: the last one that could be written holds")
            return
        self._said.discard(_SNAPSHOT)
        self._kept.book.set_snapshot(self._saved_ns)

    def close(self) -> None:
        """Write the last snapshot and leave the folder to others."""
        self.save(is_final=True)
        self._folder.release()

    def _take_late(self) -> None:
        """Take a folder that could not be taken at the start, and write over nothing that was not read; as `StateFolder.take`."""
        if not self._folder.is_taken:
            self._folder.take()
            self._folder.set_aside()

    def _next_journal(self) -> Journal | None:
        if not self._config.journal:
            return None
        journal = Journal(self._folder.journal(self._number + 1))
        self._number += 1
        synced_folder(self._folder.path)
        return journal

    def _remove_journals(self, *, before: int) -> None:
        for number, path in self._folder.journals().items():
            if number < before:
                path.unlink(missing_ok=True)

    def _snapshot(self, journal: Journal | None, *, is_final: bool) -> StoredSnapshot:
        held = self._kept.ledger.hold(journal)
        silent_since_ns = self._saved_ns - round(self._config.retention * 1e9)
        streams = [copy for copy in held.streams if copy.heard_ns >= silent_since_ns]
        stored = tuple(map(StoredStream.of, streams))
        keys = {stream.key for stream in stored}
        since_ns, counts = self._kept.book.counts()
        snapshot = Snapshot(
            written_ns=self._saved_ns,
            secret_id=secret_id(self._secret),
            counted=held.counted,
            journal=self._number,
            is_final=is_final,
            is_journaled=journal is not None,
            streams=stored,
            requests=tuple(held.requests),
            generation_ages_s=tuple(generation.age_s for generation in held.generations),
            states=tuple(m for m in self._kept.states.memories() if m.stream in keys),
            counts_since_ns=since_ns,
            counts=tuple(counted for counted in counts if counted.stream in keys),
            told=self._told(keys),
            label_alarms=tuple(m for m in self._alarms() if m.stream in keys),
            joining=self._joining(),
            patterns=tuple(p for p in self._patterns() if p.key in keys),
            explanations=tuple(e for e in self._explanations() if e.key in keys),
        )
        return StoredSnapshot(snapshot, tuple(held.generations))

    def _told(self, keys: set[tuple[str, ...]]) -> tuple[tuple[tuple[str, ...], StoredClosed], ...]:
        windows = self._kept.told.told.all() if self._kept.told else []
        reference_of = self._kept.reference_of
        return tuple(
            (window.stream.texts, StoredClosed.of(window.closed))
            for window in windows
            if window.stream.texts in keys and window.reference is reference_of(window.stream)
        )

    def _alarms(self) -> Sequence[AlarmMemory]:
        return self._kept.labels.memory() if self._kept.labels else ()

    def _patterns(self) -> Iterator[StoredPatterns]:
        if self._kept.patterns is not None:
            yield from map(StoredPatterns.of, self._kept.patterns.memories())

    def _explanations(self) -> Iterator[StoredExplanations]:
        if self._kept.explaining is not None:
            yield from map(StoredExplanations.of, self._kept.explaining.memories())

    def _joining(self) -> JoiningMemory | None:
        if self._kept.joining is None or not self._config.predictions:
            return None
        return self._kept.joining.memory(self._config.predictions, self._saved_ns)

    def _brought_back(self) -> bool:
        """Bring back what there is; return whether there was a snapshot that could be used."""
        journals = self._folder.journals()
        self._number = max(journals, default=0)
        stored = self._read()
        if stored is None:
            return False
        self._number = max(self._number, stored.snapshot.journal)
        failed, keys = self._absorb(stored)
        torn_bytes = 0
        if self._is_ours(stored.snapshot):
            for number, path in journals.items():
                if number >= stored.snapshot.journal:
                    text = read_journal(path)
                    torn_bytes += text.torn_bytes
                    failed += [error for record in text.records for error in self._repeat(record)]
        for error in dict.fromkeys(map(str, failed)):
            self._failed(_RESTORE, f"{error}: it begins anew")
        self._go_on(stored.snapshot, keys, torn_bytes)
        return True

    def _read(self) -> StoredSnapshot | None:
        file = self._folder.snapshot
        try:
            stored = read_snapshot(file)
        except FileNotFoundError:
            _LOGGER.info("state: there is none in %s yet; all windows begin anew", file.parent)
            return None
        except UnusableFileError as error:
            aside = self._folder.set_aside()
            self._failed(_RESTORE, f"{error}; {aside}all windows begin anew")
            return None
        if self._clock_ns() - stored.snapshot.written_ns > self._config.retention * 1e9:
            _LOGGER.info("state: older than state.retention, deleted; all windows begin anew")
            file.unlink()
            return None
        return stored

    def _is_ours(self, snapshot: Snapshot) -> bool:
        return snapshot.secret_id == secret_id(self._secret)

    def _absorb(self, stored: StoredSnapshot) -> tuple[list[ValueError], set[tuple[str, ...]]]:
        """Return what could not be used, and the streams that could."""
        ledger, snapshot = self._kept.ledger, stored.snapshot
        failed: list[ValueError] = []
        keys: set[tuple[str, ...]] = set()
        for stream in snapshot.streams:
            try:
                ledger.streams.absorb(stream.copy(self._kept.reference_of))
                keys.add(stream.key)
            except ValueError as error:  # noqa: PERF203 - one stream that cannot be used costs no other
                failed.append(error)
        if not self._is_ours(snapshot):
            if stored.generations or snapshot.requests:
                what = "what was counted is not known, because the secret is another one"
                failed.append(ValueError(what))
            return failed, keys
        ledger.counted = snapshot.counted
        since_s = max(0.0, (self._clock_ns() - snapshot.written_ns) / 1e9)
        for generation in stored.generations:
            ledger.spans.absorb(Generation(generation.hashes, generation.age_s + since_s))
        for key, age_s, response, n_inferences in snapshot.requests:
            ledger.repeats.remember(key, Answer(response, n_inferences), age_s + since_s)
        return failed, keys

    def _repeat(self, record: Record) -> list[ValueError]:
        try:
            increments = [each.increment(self._kept.reference_of) for each in record.increments]
        except ValueError as error:
            return [error, *self._kept.ledger.repeat(record, [])]
        return self._kept.ledger.repeat(record, increments)

    def _go_on(self, snapshot: Snapshot, keys: set[tuple[str, ...]], torn_bytes: int) -> None:
        """Go on with states and counts as far as they are whole, and say how much was lost."""
        ledger = self._kept.ledger
        self._kept.states.recall(m for m in snapshot.states if m.stream in keys)
        noted = self._folder.counted(self._secret) if self._is_ours(snapshot) else 0
        lost = max(0, noted - ledger.counted)
        if lost == 0 and (snapshot.is_final or snapshot.is_journaled):
            counts = [counted for counted in snapshot.counts if counted.stream in keys]
            self._kept.book.go_on_from(snapshot.counts_since_ns, counts)
        else:
            # What has left the processor may be more than is known here, and a cumulative count must not run backwards: it begins anew.
            ledger.streams.forget_totals()
        self._recall_failures(snapshot, keys)
        self._recall_explanations(snapshot, keys)
        self._tell_again(snapshot, keys)
        written = datetime.fromtimestamp(snapshot.written_ns // 10**9, tz=timezone.utc)
        _LOGGER.info(
            "state: restored from %s; streams: %d, inferences counted so far: %d, unfinished bytes at the end of the journal: %d",
            written.strftime("%Y-%m-%dT%H:%M:%SZ"),
            len(keys),
            ledger.counted,
            torn_bytes,
        )
        if lost:
            _LOGGER.warning(
                "state: %d inferences that were counted after that are lost to their windows; `state.journal: on` keeps them",
                lost,
            )
        ledger.counted += lost

    def _recall_failures(self, snapshot: Snapshot, keys: set[tuple[str, ...]]) -> None:
        """Go on with where models failed, of streams whose reference is the same."""
        reference_of, patterns = self._kept.reference_of, self._kept.patterns
        for stored in snapshot.patterns if patterns is not None else ():
            reference = reference_of(StreamKey(*stored.key))
            if patterns is None or reference is None or stored.key not in keys:
                continue
            try:
                patterns.recall([stored.memory(reference.n_counts)], reference_of)
            except ValueError as error:
                self._failed(
                    _RESTORE, f"where {StreamKey(*stored.key)} failed: {error}; it begins anew"
                )

    def _recall_explanations(self, snapshot: Snapshot, keys: set[tuple[str, ...]]) -> None:
        """Go on with what predictions were attributed to, of streams of which the same is usual."""
        explaining = self._kept.explaining
        for stored in snapshot.explanations if explaining is not None else ():
            if explaining is None or stored.key not in keys:
                continue
            try:
                explaining.recall(stored.memory())
            except ValueError as error:
                self._failed(
                    _RESTORE, f"explanations of {StreamKey(*stored.key)}: {error}; they begin anew"
                )

    def _tell_again(self, snapshot: Snapshot, keys: set[tuple[str, ...]]) -> None:
        """Have told what the last windows and the labels said, so that no series has a gap and no alarm is raised anew."""
        if self._kept.told is not None:
            windows = [window for told in snapshot.told if (window := self._window(*told))]
            for reading in self._kept.told.recall(windows):
                self._kept.book.update(reading, None)
        if self._kept.labels is not None:
            self._kept.labels.recall(m for m in snapshot.label_alarms if m.stream in keys)
        if self._kept.joining is not None and snapshot.joining is not None:
            try:
                # Feedback that came after a snapshot is in no journal, and its counts may have been told.
                self._kept.joining.recall(snapshot.joining, counts_go_on=snapshot.is_final)
            except (ValueError, LookupError) as error:
                self._failed(_RESTORE, f"{error}: they are not joined any more")

    def _window(self, key: tuple[str, ...], stored: StoredClosed) -> ClosedWindow | None:
        """Return a window that was told; None where its reference is another one now."""
        stream = StreamKey(*key)
        reference = self._kept.reference_of(stream)
        try:
            return ClosedWindow(stream, reference, stored.closed(reference))
        except ValueError:
            return None

    def _failed(self, step: str, what: str) -> None:
        """Count that *step* failed, and say so once until it has worked again."""
        self._kept.self_metrics.add(METRIC_ML_PROCESSOR_FAILURES, cause=step)
        if step == _RESTORE or step not in self._said:
            self._said.add(step)
            _LOGGER.warning("state in %s: cannot %s: %s", self._folder.path, _VERBS[step], what)


_VERBS: Final = {_SNAPSHOT: "write a snapshot", _RESTORE: "restore it"}
