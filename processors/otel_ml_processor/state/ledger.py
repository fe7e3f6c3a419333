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
from otel_ml_processor.state.gathered import Counted, gathered, size_of
from otel_ml_processor.state.journal import Record
from otel_ml_processor.state.span_hashes import NO_HASH, secret_of, span_hashes
from otel_ml_processor.state.stored_streams import StoredIncrement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_ml_processor.decode.inference_spans import InferenceSpans
    from otel_ml_processor.receive.repeats import KnownRequest, Repeats
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.state.journal import Journal
    from otel_ml_processor.state.seen_spans import Generation, SeenSpans
    from otel_ml_processor.state.span_hashes import Hashes
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.streams import Increment, StreamCopy, Streams

__all__ = ["COUNT", "JOURNAL", "SECRET_BYTES", "Delivered", "Held", "Ledger", "Tell"]

Tell: TypeAlias = "Callable[[Counted, Sequence[Increment]], None]"
"""Whoever is told which rows were counted, and what that changed."""

COUNT: Final = "count"
"""The cause under which `ml.processor.failures` counts rows that could not be counted."""

JOURNAL: Final = "journal"
"""The cause under which `ml.processor.failures` counts requests that could not be written down."""
SECRET_BYTES: Final = 16
_ROWS_AT_ONCE: Final = 4096
"""Rows of each stream of a request that wait to be counted: where there are more, all are counted before the commit ends."""
_BYTES_AT_ONCE: Final = 16 << 20
"""Bytes of requests and of rows that wait, however many streams they are of."""
_LONGEST_WAIT_NS: Final = 2_000_000_000
"""Longer than between two ticks, which count what waits: only where these are late does a commit do it for that reason."""
_LOGGER: Final = logging.getLogger(__name__)


class Delivered(NamedTuple):
    """
    Requests that the next hop has, each by what it is known by with its answer; their inference spans, and the rows of these.

    `tenant` is whom a header of all of them names: spans of two tenants are never taken for the same one.
    """

    answers: Sequence[tuple[bytes, Answer]]
    spans: InferenceSpans
    placed: Sequence[PlacedRows]
    tenant: str = ""


class Held(NamedTuple):
    """What a ledger holds, all of one instant; nothing of it changes any more. `counted` is the number of inferences."""

    counted: int
    streams: Sequence[StreamCopy]
    requests: Iterable[KnownRequest]
    generations: Sequence[Generation]


class Ledger:
    """
    Commits requests to *streams*, *spans* and *repeats*; safe to use from any thread.

    Whether a span is new is found out at once. Rows then wait, for what takes long takes as long for one as for thousands, and are added to the windows when
    there are many, or when somebody looks: nobody sees that they waited. With a journal none does, and a commit ends when what it changed is on the disk. At its
    end `note` is told how many inferences have been counted; `tell` is told of rows when they are added.
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
        self._streams = streams
        self.spans = spans
        self.repeats = repeats
        self.counted = 0
        self.note: Callable[[int], object] = _pass_over
        self.tell: Tell = _pass_over
        self._self_metrics = self_metrics
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._noted = 0
        self._waiting: list[Counted] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._first_ns = self._last_ns = 0
        self._said_uncounted = False
        self._secret = b""
        self.use_secret(secrets.token_bytes(SECRET_BYTES))

    def use_secret(self, secret: bytes) -> None:
        """Tell spans and requests apart with *secret*, of `SECRET_BYTES`, from the first one on."""
        self._secret = self.repeats.secret = secret

    @property
    def streams(self) -> Streams:
        """The windows, with all in them that has been committed."""
        self.count()
        return self._streams

    @property
    def journal(self) -> Journal | None:
        """What is being written to; None without one, or after it failed."""
        return self._journal

    def commit(self, delivered: Delivered) -> int:
        """Count what is new of *delivered*, remember all of it, and return how many of its spans had been counted before."""
        hashes = span_hashes(delivered.spans.ids, secret_of(self._secret, delivered.tenant))
        with self._lock:
            is_new = self.spans.add(hashes)
            n_new = int(np.count_nonzero(is_new))
            new = delivered.placed
            if n_new < len(hashes):
                new = [rows.of_spans(is_new) for rows in new]
            now_ns = self._clock_ns()
            self._let_wait(Counted(delivered.spans, new), now_ns)
            for key, answer in delivered.answers:
                self.repeats.remember(key, answer)
            self.counted += n_new
            counted, journal, number = self.counted, self._journal, 0
            if journal is None:
                if self._is_enough(len(new)):
                    self._count()
                self._note(counted)
            else:
                known = hashes[is_new & (hashes != NO_HASH)]
                record = partial(_record, delivered, now_ns, n_new, known, self._count())
                number = journal.append(record)
        if journal is not None:
            self._wait(journal, number)
            with self._lock:
                self._note(counted)
        return len(hashes) - n_new

    def count(self) -> None:
        """Add what waits to the windows; never raises, for who looks at them did nothing wrong."""
        with self._lock:
            try:
                self._count()
            except Exception:
                self._self_metrics.add(METRIC_ML_PROCESSOR_FAILURES, cause=COUNT)
                if not self._said_uncounted:
                    self._said_uncounted = True
                    _LOGGER.exception("cannot count rows that were delivered (said once)")

    def _let_wait(self, counted: Counted, now_ns: int) -> None:
        n_rows, n_bytes = size_of(counted)
        if self._waiting and now_ns - self._first_ns >= _LONGEST_WAIT_NS:
            self._count()
        if n_rows:
            self._first_ns = self._first_ns if self._waiting else now_ns
            self._last_ns = now_ns
            self._waiting.append(counted)
            self._waiting_rows += n_rows
            self._waiting_bytes += n_bytes

    def _is_enough(self, n_streams: int) -> bool:
        """Return whether what waits is to be counted; where there are many streams, so that each has many rows."""
        most = _ROWS_AT_ONCE * max(1, n_streams)
        return self._waiting_rows >= most or self._waiting_bytes >= _BYTES_AT_ONCE

    def _count(self) -> list[Increment]:
        if not self._waiting:
            return []
        waiting, self._waiting = self._waiting, []
        self._waiting_rows = self._waiting_bytes = 0
        counted = gathered(waiting)
        increments = self._streams.add(counted.placed, self._last_ns)
        self.tell(counted, increments)
        return increments

    def settle(self) -> None:
        """Return when all that has been committed is on the disk, where there is a journal: what is told then is never taken back."""
        with self._lock:
            journal = self._journal
        if journal is not None:
            self._wait(journal, journal.appended)

    def hold(self, journal: Journal | None) -> Held:
        """Return what is held; what is committed from now on is written to *journal*."""
        with self._lock:
            self._count()
            before, self._journal = self._journal, journal
            held = Held(
                self.counted,
                self._streams.copies(),
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
            self._streams.repeat(increment)
        except ValueError as error:
            return error
        return None

    def _note(self, counted: int) -> None:
        self._noted = max(self._noted, counted)  # of two that end at the same time the larger holds
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
                journal.close()  # nobody else does: it is not the current one any more
                _LOGGER.warning(
                    "cannot write the journal %s: %s; what is counted until the next snapshot would be lost in a crash",
                    journal.path,
                    error,
                )


def _pass_over(*_: object) -> None:
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
