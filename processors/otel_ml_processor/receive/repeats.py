"""
Requests that come again: senders repeat what they believe was not delivered, byte for byte, and it is neither forwarded nor counted twice.

A request is known by 128 bits of its bytes and by its length. The bits are drawn with a secret of this process, so nobody can make two requests that are
taken for one.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
import xxhash

from otel_ml_processor.receive.admission import RETRY_AFTER_S
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_REQUESTS", "Answer", "Repeats"]

MAX_REQUESTS: Final = 1 << 16
"""Requests that are remembered, some 20 MB; beyond it the oldest is forgotten, and the horizon is shorter than configured."""


class Answer(NamedTuple):
    """What a request was answered with, and how many inference spans it held."""

    response: bytes
    n_inferences: int


class _Known(NamedTuple):
    """A request, by its answer; while it is being worked on by what will have it, which takes ten times the memory."""

    answer: Answer | Future[Answer]
    since_s: float


class Repeats:
    """
    Remembers the requests of the last *horizon_s* seconds (> 0), at most `MAX_REQUESTS`; safe to use from any thread.

    Only what was acknowledged is remembered: a request that was refused may come again.
    """

    __slots__ = ("_clock", "_horizon_s", "_known", "_lock", "_seed")

    def __init__(self, horizon_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._horizon_s = horizon_s
        self._clock = clock
        self._seed = secrets.randbits(64)
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[int, int], _Known] = OrderedDict()

    def once(
        self, request: bytes, remaining_s: float | None, take: Callable[[], Answer]
    ) -> tuple[Answer, bool]:
        """
        Return what *take* answers to *request*, and whether that was known already, so that *take* was not called.

        While the same request is being taken by somebody else, their answer is waited for, at most *remaining_s* seconds (None: for
        ever); where it is a refusal, this one is refused as well.

        Raises:
            Refusal: As *take* does; UNAVAILABLE where the wait was too long.
        """
        key = (xxhash.xxh3_128_intdigest(request, self._seed), len(request))
        mine: Future[Answer] = Future()
        known = self._known_or(key, mine)
        if known is not mine:
            return _waited(known, remaining_s), True
        try:
            answer = take()
        except BaseException as error:
            self._end(key, None)
            mine.set_exception(error)
            raise
        self._end(key, answer)
        mine.set_result(answer)
        return answer, False

    def horizon_s(self) -> float:
        """Return for how long a request is remembered: as configured, or less where there are too many of them."""
        with self._lock:
            if len(self._known) < MAX_REQUESTS:
                return self._horizon_s
            oldest = next(iter(self._known.values()))
            return min(self._horizon_s, self._clock() - oldest.since_s)

    def _known_or(self, key: tuple[int, int], mine: Future[Answer]) -> Answer | Future[Answer]:
        now_s = self._clock()
        with self._lock:
            self._forget(now_s)
            return self._known.setdefault(key, _Known(mine, now_s)).answer

    def _end(self, key: tuple[int, int], answer: Answer | None) -> None:
        with self._lock:
            known = self._known.pop(key, None) if answer is None else self._known.get(key)
            if answer is not None and known is not None:
                self._known[key] = _Known(answer, known.since_s)

    def _forget(self, now_s: float) -> None:
        while self._known:
            oldest = next(iter(self._known.values()))
            is_current = now_s - oldest.since_s < self._horizon_s
            if is_current and len(self._known) < MAX_REQUESTS:
                return
            self._known.popitem(last=False)


def _waited(known: Answer | Future[Answer], remaining_s: float | None) -> Answer:
    if isinstance(known, Answer):
        return known
    try:
        return known.result(remaining_s)
    except WaitedTooLong:
        message = "the same request is being worked on and has no answer yet; try again"
        raise Refusal(
            grpc.StatusCode.UNAVAILABLE, message, RefusalCause.DEADLINE, RETRY_AFTER_S
        ) from None
