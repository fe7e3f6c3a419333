"""Our own metrics, events and verdict spans on their way out: one thread, bounded queues, and nobody waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["MAX_ATTEMPTS", "MAX_QUEUED", "Pusher"]

MAX_QUEUED: Final = 1000
"""Requests of one kind that wait; beyond it new ones are dropped and counted."""
MAX_ATTEMPTS: Final = 360
"""So often one request is tried (an hour at the default interval); then it is dropped and counted."""

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    request: bytes
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class _Way:
    """One kind of request: how it is sent, and what waits."""

    kind: str
    send: Callable[[bytes], object]
    queue: deque[_Waiting]


class Pusher:
    """
    Sends metrics every *interval_s* seconds, and events and verdict spans as soon as they are handed in.

    *metrics* gives the requests of the moment; the three `send_*` deliver one request and raise where they fail. A failed request of
    metrics is not repeated (the next one says more), events and spans wait for the next round, in which they come last, so that one
    that is never accepted holds up no other. *count_failure* is called for every request that failed or was dropped. A failure is
    logged once per kind and type of error until that kind succeeds again.
    """

    def __init__(
        self,
        *,
        metrics: Callable[[], Iterable[bytes]],
        send_metrics: Callable[[bytes], object],
        send_logs: Callable[[bytes], object],
        send_traces: Callable[[bytes], object],
        interval_s: float,
        count_failure: Callable[[], object],
    ) -> None:
        self._metrics = metrics
        self._send_metrics = send_metrics
        self._logs = _Way("events", send_logs, deque())
        self._traces = _Way("verdict spans", send_traces, deque())
        self._interval_s = interval_s
        self._count_failure = count_failure
        self._said: set[tuple[str, str]] = set()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel-ml-push", daemon=True)

    def start(self) -> None:
        """Begin; the first metrics leave after one interval."""
        self._thread.start()

    def push_logs(self, request: bytes) -> bool:
        """Queue an `ExportLogsServiceRequest`; False if the queue is full and it was dropped."""
        return self._enqueue(self._logs, request)

    def push_traces(self, request: bytes) -> bool:
        """Queue an `ExportTraceServiceRequest`; False if the queue is full and it was dropped."""
        return self._enqueue(self._traces, request)

    def flush(self, timeout_s: float) -> bool:
        """
        Try everything that waits and the metrics once more, and end the thread.

        Return whether nothing is left waiting; False after *timeout_s* seconds too.
        """
        self._closing.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not (self._thread.is_alive() or self._logs.queue or self._traces.queue)

    def _enqueue(self, way: _Way, request: bytes) -> bool:
        if self._closing.is_set() or len(way.queue) >= MAX_QUEUED:
            self._count_failure()
            return False
        way.queue.append(_Waiting(request))
        self._wake.set()
        return True

    def _run(self) -> None:
        due, is_last = time.monotonic() + self._interval_s, False
        while not is_last:
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            is_last = self._closing.is_set()
            self._push_waiting()
            if is_last or time.monotonic() >= due:
                self._push_metrics()
                due = time.monotonic() + self._interval_s

    def _push_waiting(self) -> None:
        for way in (self._logs, self._traces):
            for _ in range(len(way.queue)):
                waiting = way.queue.popleft()
                if not self._delivered(way.kind, way.send, waiting.request):
                    self._keep(way, waiting)
                    break  # The receiver is down, probably: asking once per round is enough.

    def _keep(self, way: _Way, waiting: _Waiting) -> None:
        waiting.attempts += 1
        if waiting.attempts < MAX_ATTEMPTS:
            way.queue.append(waiting)
        else:
            self._count_failure()

    def _push_metrics(self) -> None:
        # This thread must outlive every fault: without it nothing is pushed any more.
        try:
            requests = list(self._metrics())
        except Exception:
            self._count_failure()
            _LOGGER.exception("cannot put the metrics together; they are tried again")
            return
        for request in requests:
            if not self._delivered("metrics", self._send_metrics, request):
                break

    def _delivered(self, kind: str, send: Callable[[bytes], object], request: bytes) -> bool:
        try:
            send(request)
        except Exception as error:  # noqa: BLE001 - whatever a sender raises, this thread must outlive it
            self._failed(kind, error)
            return False
        self._succeeded(kind)
        return True

    def _failed(self, kind: str, error: Exception) -> None:
        self._count_failure()
        cause = (kind, type(error).__name__)
        if cause not in self._said:
            self._said.add(cause)
            _LOGGER.warning(
                "cannot push %s: %s: %s; tried again every %g s, counted in ml.processor.export_failed",
                kind,
                type(error).__name__,
                error,
                self._interval_s,
            )

    def _succeeded(self, kind: str) -> None:
        mended = {cause for cause in self._said if cause[0] == kind}
        if mended:
            self._said -= mended
            _LOGGER.info("%s are pushed again", kind)
