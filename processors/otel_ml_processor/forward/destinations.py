"""Where a request of one signal goes: to the next hop, to whoever else must have it, and to whoever may."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_processor.forward.deadline import forward_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_ml_processor.forward.best_effort import BestEffort
    from otel_ml_processor.forward.next_hop import Client
    from otel_ml_processor.signals import Signal

__all__ = ["Destinations", "Required"]

_FULL_SUCCESSES: Final = frozenset({b"", b"\n\x00"})
"""What OTLP wants, and an empty partial success, which means the same and is what the OpenTelemetry collector answers."""


class Required(NamedTuple):
    """A destination that must have a request before its sender is told that it has arrived, and the longest wait for it."""

    client: Client
    timeout_s: float


class Destinations:
    """
    The destinations of *signal*: at least one *required*, the next hop first, and those of *best_effort*.

    *count* says how many items a request has; it is asked where there is a best-effort destination.
    """

    __slots__ = ("_best_effort", "_clock", "_count", "_required", "_signal")

    def __init__(
        self,
        signal: Signal,
        required: Sequence[Required],
        best_effort: Sequence[BestEffort],
        count: Callable[[bytes], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signal = signal
        self._required = required
        self._best_effort = best_effort
        self._count = count
        self._clock = clock

    def send(self, request: bytes, remaining_s: float | None) -> bytes:
        """
        Send *request* to all that must have it, one after the other, within the caller's remaining time; return the next hop's answer, empty for a full success.

        Where it is one, the first answer that says more: what one of them rejects has not arrived. Copies for the others are made only then: a request that its sender repeats would come to them twice.

        Raises:
            Refusal: As the first that refuses; those after it have not been asked.
        """
        begin_s = self._clock()
        answers: list[bytes] = []
        for client, default_s in self._required:
            left_s = None if remaining_s is None else remaining_s - (self._clock() - begin_s)
            answers.append(client.send(request, forward_timeout(left_s, default_s)))
        if self._best_effort:
            n_items = self._count(request)
            for destination in self._best_effort:
                destination.offer(self._signal, request, n_items)
        return next((answer for answer in answers if answer not in _FULL_SUCCESSES), b"")
