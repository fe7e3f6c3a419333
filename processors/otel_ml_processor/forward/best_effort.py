"""A destination that nobody waits for: what it cannot take in time is dropped and counted."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc

from otel_ml_processor.forward.otlp_client import rejected_items
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.self_metrics import BEST_EFFORT, ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_ml_processor.forward.next_hop import Client
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.signals import Signal

__all__ = ["BestEffort"]

_LOGGER: Final = logging.getLogger(__name__)
_LEAST_PAUSE_S: Final = 0.1
_KEEP_S: Final = 300.0
"""A request that is still refused for now after so long is given up."""
_QUIET_S: Final = 60.0
"""After so long without a loss a destination is said to take copies again: one that refuses now and then is no news each time."""


class _Waiting(NamedTuple):
    signal: Signal
    request: bytes
    n_items: int
    since_s: float


class BestEffort:
    """
    Sends copies to the *clients* of the destination at *endpoint* in a thread of its own; at most *limit_bytes* of them wait.

    One that the destination refuses for now is tried again for five minutes. What is lost is counted, and said once per signal and reason until copies have
    been taken again. Safe to use from any thread.
    """

    def __init__(
        self,
        endpoint: str,
        clients: Mapping[Signal, Client],
        limit_bytes: int,
        timeout_s: float,
        self_metrics: SelfMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._clients = clients
        self._limit_bytes = limit_bytes
        self._timeout_s = timeout_s
        self._self_metrics = self_metrics
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._lost_s: dict[tuple[Signal, str], float] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel-ml-best-effort", daemon=True)

    def offer(self, signal: Signal, request: bytes, n_items: int) -> None:
        """Have *request* with its *n_items* sent at some time, or drop it where too much is waiting; never waits."""
        if signal not in self._clients:
            return
        with self._changed:
            fits = self._waiting_bytes + len(request) <= self._limit_bytes
            if fits and not self._stopping.is_set():
                self._waiting.append(_Waiting(signal, request, n_items, self._clock()))
                self._waiting_bytes += len(request)
                # Not before: a service may be made only to see whether it can be.
                if self._thread.ident is None:
                    self._thread.start()
                self._changed.notify_all()
                return
        self._self_metrics.add(ITEMS[signal].enqueue_failed, n_items, BEST_EFFORT)

    def flush(self, timeout_s: float) -> bool:
        """Wait at most *timeout_s* until nothing is waiting or on its way any more; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout_s)

    def close(self) -> None:
        """Send nothing more; what is waiting is dropped and counted."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for client in self._clients.values():
            client.close()
        if self._thread.ident is not None:
            self._thread.join(self._timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping.is_set())
                if self._stopping.is_set():
                    break
                first = self._waiting[0]
            wait_s = self._send(first)
            if wait_s is None:
                self._remove_first()
            else:
                self._stopping.wait(wait_s)
        self._drop_all()

    def _send(self, waiting: _Waiting) -> float | None:
        """Send it and return None where that is over, in one way or the other; else the seconds after which to try again."""
        try:
            answer = self._clients[waiting.signal].send(waiting.request, self._timeout_s)
        except Refusal as refusal:
            is_young = self._clock() - waiting.since_s < _KEEP_S
            if refusal.code is grpc.StatusCode.UNAVAILABLE and is_young:
                return max(_LEAST_PAUSE_S, refusal.retry_after_s or 0.0)
            said = refusal.message.removeprefix(f"next hop {self._endpoint}: ")
            self._lose(waiting, refusal.code.name, said)
        except Exception as error:  # noqa: BLE001 - whatever a client raises, this thread must outlive it
            what = type(error).__name__
            self._lose(waiting, what, f"{what}: {error}")
        else:
            self._taken(waiting, min(waiting.n_items, rejected_items(answer)))
        return None

    def _taken(self, waiting: _Waiting, n_rejected: int) -> None:
        """Count what was taken of it, and what a partial success rejects: nobody may send that again."""
        if n_rejected:
            said = f"it rejected {n_rejected} of {waiting.n_items}"
            self._lose(waiting._replace(n_items=n_rejected), "partial success", said)
        else:
            self._say_again(waiting.signal)
        n_sent = waiting.n_items - n_rejected
        self._self_metrics.add(ITEMS[waiting.signal].sent, n_sent, BEST_EFFORT)

    def _lose(self, waiting: _Waiting, reason: str, said: str) -> None:
        counter = ITEMS[waiting.signal].send_failed
        self._self_metrics.add(counter, waiting.n_items, BEST_EFFORT)
        is_known = (waiting.signal, reason) in self._lost_s
        self._lost_s[waiting.signal, reason] = self._clock()
        # At the end a client that has been closed may raise anything.
        if not is_known and not self._stopping.is_set():
            _LOGGER.warning(
                "%s takes no copy of %s: %s; further ones are counted in %s",
                self._endpoint,
                waiting.signal.name.lower(),
                said,
                counter,
            )

    def _say_again(self, signal: Signal) -> None:
        """Say that copies are taken again, where it was said that they are not and nothing was lost for a while."""
        lost_s = [last_s for (of, _), last_s in self._lost_s.items() if of is signal]
        if lost_s and self._clock() - max(lost_s) >= _QUIET_S:
            self._lost_s = {k: last_s for k, last_s in self._lost_s.items() if k[0] is not signal}
            _LOGGER.info("%s takes copies of %s again", self._endpoint, signal.name.lower())

    def _remove_first(self) -> None:
        with self._changed:
            self._waiting_bytes -= len(self._waiting.popleft().request)
            self._changed.notify_all()

    def _drop_all(self) -> None:
        with self._changed:
            for waiting in self._waiting:
                counters = ITEMS[waiting.signal]
                self._self_metrics.add(counters.send_failed, waiting.n_items, BEST_EFFORT)
            self._waiting.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()
