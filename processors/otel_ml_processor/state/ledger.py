"""What has been counted, once each: windows, spans and requests that were answered, all changed by one commit."""

from __future__ import annotations

import logging
import secrets
import threading
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_FAILURES
from otel_ml_processor.receive.repeats import Answer
from otel_ml_processor.state.journal import Record
from otel_ml_processor.state.span_hashes import NO_HASH, span_hashes
from otel_ml_processor.state.stored_streams import StoredIncrement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.receive.repeats import KnownRequest, Repeats
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.state.journal import Journal
    from otel_ml_processor.state.seen_spans import Generation, SeenSpans
    from otel_ml_processor.state.span_hashes import Hashes
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.streams import Increment, StreamCopy, Streams

__all__ = ["JOURNAL", "SECRET_BYTES", "Delivered", "Held", "Ledger", "Then"]

Then: TypeAlias = "Callable[[Sequence[PlacedRows], Sequence[Increment]], None]"
"""Whoever is told which rows were counted, and what that changed."""

JOURNAL: Final = "journal"
"""The cause under which `ml.processor.failures` counts requests that could not be written down."""
SECRET_BYTES: Final = 16
_LOGGER: Final = logging.getLogger(__name__)


class Delivered(NamedTuple):
    """Requests that the next hop has, each by what it is known by with its answer; `ids` of their inference spans as `InferenceSpans.ids` has them, and the rows of these."""

    answers: Sequence[tuple[bytes, Answer]]
    ids: NDArray[np.uint64]
    placed: Sequence[PlacedRows]


class Held(NamedTuple):
    """What a ledger holds, all of one instant; nothing of it changes any more. `counted` is the number of inferences."""

    counted: int
    streams: Sequence[StreamCopy]
    requests: Iterable[KnownRequest]
    generations: Sequence[Generation]


class Ledger:
    """
    Commits requests to *streams*, *spans* and *repeats*; safe to use from any thread.

    With a journal a commit ends when what it changed is on the disk. At its end `note` is told how many inferences have been counted.
    """

    def __init__(
        self,
        *,
        streams: Streams,
        spans: SeenSpans,
        repeats: Repeats,
        self_metrics: SelfMetrics,
        clock_ns: Callable[[], int],
    ) -> None:
        self.streams = streams
        self.spans = spans
        self.repeats = repeats
        self.counted = 0
        self.note: Callable[[int], object] = _pass_over
        self._self_metrics = self_metrics
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._noted = 0
        self._secret = b""
        self.use_secret(secrets.token_bytes(SECRET_BYTES))

    def use_secret(self, secret: bytes) -> None:
        """Tell spans and requests apart with *secret*, of `SECRET_BYTES`, from the first one on."""
        self._secret = self.repeats.secret = secret

    @property
    def journal(self) -> Journal | None:
        """What is being written to; None without one, or after it failed."""
        return self._journal

    def commit(self, delivered: Delivered, then: Then | None = None) -> int:
        """
        Count what is new of *delivered*, remember all of it, and return how many of its spans had been counted before.

        *then* is told what was counted before anything of another request is.
        """
        hashes = span_hashes(delivered.ids, self._secret)
        with self._lock:
            is_new = self.spans.add(hashes)
            new = [rows.of_spans(is_new) for rows in delivered.placed]
            now_ns = self._clock_ns()
            increments = self.streams.add(new, now_ns)
            for key, answer in delivered.answers:
                self.repeats.remember(key, answer)
            n_new = int(np.count_nonzero(is_new))
            self.counted += n_new
            counted, journal, number = self.counted, self._journal, 0
            if journal is not None:
                known = hashes[is_new & (hashes != NO_HASH)]
                record = partial(_record, delivered, now_ns, n_new, known, increments)
                number = journal.append(record)
            if then is not None:
                then(new, increments)
        if journal is not None:
            self._wait(journal, number)
        self._note(counted)
        return len(hashes) - n_new

    def settle(self) -> None:
        """Return when all that has been committed is on the disk, where there is a journal: what is told then is never taken back."""
        with self._lock:
            journal = self._journal
        if journal is not None:
            self._wait(journal, journal.appended)

    def hold(self, journal: Journal | None) -> Held:
        """Return what is held; what is committed from now on is written to *journal*."""
        with self._lock:
            before, self._journal = self._journal, journal
            held = Held(
                self.counted,
                self.streams.copies(),
                self.repeats.known(),
                self.spans.generations(),
            )
        if before is not None:
            before.close()
        return held

    def repeat(self, record: Record, increments: Sequence[Increment]) -> list[ValueError]:
        """Change what the request of *record* changed; return what of its *increments* cannot be used here."""
        with self._lock:
            self.spans.add(np.frombuffer(record.spans, dtype="<u8"))
            failed = [error for each in increments if (error := self._repeated(each))]
            age_s = max(0.0, (self._clock_ns() - record.time_ns) / 1e9)
            for key, response, n_inferences in record.answers:
                self.repeats.remember(key, Answer(response, n_inferences), age_s)
            self.counted += record.n_counted
        return failed

    def _repeated(self, increment: Increment) -> ValueError | None:
        try:
            self.streams.repeat(increment)
        except ValueError as error:
            return error
        return None

    def _note(self, counted: int) -> None:
        with self._lock:  # of two that end at the same time the larger number holds
            self._noted = max(self._noted, counted)
            self.note(self._noted)

    def _wait(self, journal: Journal, number: int) -> None:
        try:
            journal.wait(number)
        except OSError as error:
            # It has been delivered and counted, so its sender is not troubled with it.
            self._self_metrics.add(METRIC_ML_PROCESSOR_FAILURES, cause=JOURNAL)
            with self._lock:
                is_current = self._journal is journal
                self._journal = None if is_current else self._journal
            if is_current:
                _LOGGER.warning(
                    "cannot write the journal %s: %s; what is counted until the next snapshot would be lost in a crash",
                    journal.path,
                    error,
                )


def _pass_over(_: int) -> None:
    """Be told, and do nothing."""


def _record(
    delivered: Delivered,
    now_ns: int,
    n_counted: int,
    spans: Hashes,
    increments: Sequence[Increment],
) -> Record:
    return Record(
        time_ns=now_ns,
        answers=tuple((key, *answer) for key, answer in delivered.answers),
        n_counted=n_counted,
        spans=spans.astype("<u8", copy=False).tobytes(),
        increments=tuple(map(StoredIncrement.of, increments)),
    )
