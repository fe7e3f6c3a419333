"""
Requests that go on together: most of what one costs does not depend on its size.

What comes while others are under way waits for them, for `PATIENCE_S` at most, and then goes on with all that has come meanwhile: two
serialized requests behind one another are one valid request. Nobody waits where nothing is under way.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc

from otel_ml_processor.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_ml_processor.receive.repeats import Answer

__all__ = ["MAX_CONVOY_BYTES", "PATIENCE_S", "Convoys", "Request", "is_for_good"]

PATIENCE_S: Final = 0.01
"""Longest wait for others: a next hop that is slow for one does not stop all."""
MAX_CONVOY_BYTES: Final = 2 << 20
"""Bytes of all requests that go together."""
_AMPLE_S: Final = 1.0
"""Whoever leaves less time goes alone: the shortest deadline is that of all."""


class Request(NamedTuple):
    """A request, what it is known by, when its sender gives up (`time.monotonic()`), None for never, and the tenant that a header of it names."""

    content: bytes
    key: bytes
    deadline_s: float | None
    tenant: str = ""

    @property
    def remaining_s(self) -> float | None:
        """How long its sender still waits."""
        return None if self.deadline_s is None else self.deadline_s - time.monotonic()


class _Member:
    """Whoever waits for an answer, or to be called to lead a group."""

    __slots__ = ("error", "group", "outcome", "request", "turn")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.turn = threading.Lock()  # given once: a semaphore does the same in ten times the time
        self.turn.acquire()
        self.group: list[_Member] = []
        self.outcome: Answer | BaseException | None = None


class Convoys:
    """
    Takes requests in groups, of one where nothing else is there; safe to use from any thread.

    *take* answers all requests of a group in their order, or raises and has taken none. *is_whole* says of the bytes of a request whether other
    bytes may stand behind them.
    """

    def __init__(
        self,
        take: Callable[[Sequence[Request]], Sequence[Answer]],
        is_whole: Callable[[bytes], bool],
    ) -> None:
        self._take = take
        self._is_whole = is_whole
        self._lock = threading.Lock()
        self._under_way = 0
        self._waiting: list[_Member] = []

    @property
    def n_waiting(self) -> int:
        """How many requests wait for others at this moment."""
        return len(self._waiting)

    def send(self, request: Request) -> Answer:
        """
        Return the answer to *request*.

        Raises:
            Refusal: As *take* does; where it refuses a group for good, as it does of this request alone.
        """
        me = _Member(request)
        group = self._group_of(me)
        if group:
            try:
                self._lead(group)
            finally:
                self._call_next()
        if isinstance(me.outcome, BaseException):
            raise me.outcome
        assert me.outcome is not None  # noqa: S101 # nobody is let go without an outcome
        return me.outcome

    def _group_of(self, me: _Member) -> list[_Member]:
        """Return whom *me* leads; nobody where somebody else has led it."""
        can_wait = self._under_way and self._can_wait(me.request)  # mostly nobody is, nor asked
        with self._lock:
            if not (can_wait and self._under_way):
                self._under_way += 1
                return [me]
            self._waiting.append(me)
        if not me.turn.acquire(timeout=PATIENCE_S):
            with self._lock:
                if me in self._waiting:
                    self._under_way += 1
                    self._waiting.remove(me)
                    return [me, *self._taken(len(me.request.content), me.request.tenant)]
            me.turn.acquire()  # somebody has called it meanwhile, or has taken it along
        return me.group

    def _can_wait(self, request: Request) -> bool:
        remaining_s = request.remaining_s
        is_patient = remaining_s is None or remaining_s >= _AMPLE_S
        content = request.content
        return is_patient and len(content) < MAX_CONVOY_BYTES // 2 and self._is_whole(content)

    def _taken(self, size_bytes: int, tenant: str) -> list[_Member]:
        """Return those of *tenant* who waited longest, as many as go with *size_bytes*."""
        taken: list[_Member] = []
        left: list[_Member] = []
        for member in self._waiting:
            # A group is forwarded as one request, and read as one tenant's; whoever finds no room lets nobody pass.
            is_own = member.request.tenant == tenant
            size_bytes += len(member.request.content) * is_own
            (taken if is_own and size_bytes <= MAX_CONVOY_BYTES else left).append(member)
        self._waiting = left
        return taken

    def _call_next(self) -> None:
        """Have those who wait go on; where nobody waits, the next one goes at once."""
        with self._lock:
            group = self._taken(0, self._waiting[0].request.tenant) if self._waiting else []
            if not group:
                self._under_way -= 1
                return
        group[0].group = group
        group[0].turn.release()

    def _lead(self, group: Sequence[_Member]) -> None:
        """Give everybody in *group*, the first of which leads it, an outcome, and let them go."""
        try:
            self._settle(group)
        finally:
            for member in group[1:]:
                member.turn.release()

    def _settle(self, group: Sequence[_Member]) -> None:
        try:
            outcomes: Sequence[Answer | BaseException] = self._take([m.request for m in group])
        except BaseException as error:  # noqa: BLE001 # whatever it is, it is raised where they wait
            if len(group) > 1 and is_for_good(error):
                for member in group:
                    self._settle([member])
                return
            outcomes = [error] * len(group)
        for member, outcome in zip(group, outcomes, strict=True):
            member.outcome = outcome


def is_for_good(error: BaseException) -> bool:
    """Return whether nothing of a group was taken because of something in one of them: each is then taken alone."""
    return isinstance(error, Refusal) and error.code is not grpc.StatusCode.UNAVAILABLE
