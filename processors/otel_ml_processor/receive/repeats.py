"""
Requests that come again: senders repeat what they believe was not delivered, byte for byte, and it is neither forwarded nor counted twice.

A request is known by 128 bits of its bytes and by its length. The bits are drawn with a secret, so nobody can make two requests that are taken for one.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
import xxhash

from otel_ml_processor.receive.admission import RETRY_AFTER_S
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MAX_REQUESTS", "Answer", "KnownRequest", "Repeats"]

MAX_REQUESTS: Final = 1 << 16
"""Requests that are remembered, some 20 MB; beyond it the oldest is forgotten, and the horizon is shorter than configured."""
_LONGEST_WAIT_S: Final = 3600.0
"""A lock does not take any length of time; no caller waits that long."""


class Answer(NamedTuple):
    """What a request was answered with, and how many inference spans it held."""

    response: bytes
    n_inferences: int


class KnownRequest(NamedTuple):
    """A request that was answered: what it is known by, since how many seconds, and what it was answered with."""

    key: bytes
    age_s: float
    response: bytes
    n_inferences: int


class _Known(NamedTuple):
    """A request, by its answer; while it is being worked on by what will have it, which takes more memory."""

    answer: Answer | _UnderWay
    since_s: float


class _UnderWay:
    """What a request will be answered with, for all who wait for that."""

    __slots__ = ("_gate", "_outcome")

    def __init__(self) -> None:
        self._gate = threading.Lock()  # a future does the same in many times the time
        self._gate.acquire()
        self._outcome: Answer | BaseException | None = None

    def settle(self, outcome: Answer | BaseException) -> None:
        """Let go of all who wait; once."""
        self._outcome = outcome
        self._gate.release()

    def wait(self, remaining_s: float | None) -> Answer:
        """Return the answer, or raise what was raised instead; Refusal where that takes longer than *remaining_s*."""
        patience_s = -1 if remaining_s is None else min(max(0.0, remaining_s), _LONGEST_WAIT_S)
        if not self._gate.acquire(timeout=patience_s):
            message = "the same request is being worked on and has no answer yet; try again"
            raise Refusal(
                grpc.StatusCode.UNAVAILABLE, message, RefusalCause.DEADLINE, RETRY_AFTER_S
            )
        self._gate.release()  # for the next one who waits
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        assert self._outcome is not None  # noqa: S101 # the gate is opened once it is there
        return self._outcome


class Repeats:
    """
    Remembers the requests of the last *horizon_s* seconds (> 0), at most `MAX_REQUESTS`; safe to use from any thread.

    Only what was acknowledged is remembered: a request that was refused may come again. `secret` (8 bytes or more) is set before the first request.
    """

    __slots__ = ("_clock", "_horizon_s", "_known", "_lock", "secret")

    def __init__(self, horizon_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._horizon_s = horizon_s
        self._clock = clock
        self.secret = secrets.token_bytes(8)
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def once(
        self,
        request: bytes,
        remaining_s: float | None,
        take: Callable[[bytes], Answer],
        tenant: str = "",
    ) -> tuple[Answer, bool]:
        """
        Return what *take* answers to *request*, and whether that was known already, so that *take* was not called.

        *take* is handed what the request is known by, so that it can `remember` it together with what it counts. The same bytes of another
        *tenant* are another request.

        While the same request is being taken by somebody else, their answer is waited for, at most *remaining_s* seconds (None: for
        ever); where it is a refusal, this one is refused as well.

        Raises:
            Refusal: As *take* does; UNAVAILABLE where the wait was too long.
        """
        seed = int.from_bytes(self.secret[:8], "little")
        key = xxhash.xxh3_128_digest(request, seed) + len(request).to_bytes(8, "little")
        if tenant:
            said = tenant.encode("utf-8", "replace")
            key += hashlib.blake2b(said, digest_size=16, key=self.secret).digest()
        mine = _UnderWay()
        known = self._known_or(key, mine)
        if known is not mine:
            return (known if isinstance(known, Answer) else known.wait(remaining_s)), True
        try:
            answer = take(key)
        except BaseException as error:
            with self._lock:
                self._known.pop(key, None)
            mine.settle(error)
            raise
        held = self._known.get(key)
        if held is None or held.answer is not answer:  # nobody has done so while it was taken
            self.remember(key, answer)
        mine.settle(answer)
        return answer, False

    def remember(self, key: bytes, answer: Answer, age_s: float = 0.0) -> None:
        """Know that the request of that *key* was answered with *answer*, *age_s* seconds ago where it is not being worked on."""
        now_s = self._clock()
        with self._lock:
            known = self._known.get(key)
            if known is None:
                self._forget(now_s)
            self._known[key] = _Known(answer, now_s - age_s if known is None else known.since_s)

    def known(self) -> Iterator[KnownRequest]:
        """Yield all requests that are answered now, the oldest first, however late they are asked for."""
        # Two lists and no pairs: so many new objects would have all others looked at.
        with self._lock:
            keys, known = list(self._known), list(self._known.values())
        now_s = self._clock()
        return (
            KnownRequest(key, now_s - since_s, *answer)
            for key, (answer, since_s) in zip(keys, known, strict=True)
            if isinstance(answer, Answer)
        )

    def _known_or(self, key: bytes, mine: _UnderWay) -> Answer | _UnderWay:
        now_s = self._clock()
        with self._lock:
            self._forget(now_s)
            return self._known.setdefault(key, _Known(mine, now_s)).answer

    def _forget(self, now_s: float) -> None:
        while self._known:
            oldest = next(iter(self._known.values()))
            is_current = now_s - oldest.since_s < self._horizon_s
            if is_current and len(self._known) < MAX_REQUESTS:
                return
            self._known.popitem(last=False)
