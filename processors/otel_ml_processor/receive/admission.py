"""How many bytes are worked on at once: what does not fit is refused at once, so that its sender keeps it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import grpc

from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RETRY_AFTER_S", "Admission", "Share"]

RETRY_AFTER_S: Final = 1.0
"""What a refused sender is told to wait."""


class Admission:
    """
    A budget of *limit_bytes* (>= 1) for all requests in flight; safe to use from any thread.

    One request alone is admitted whatever its size: how large one may be is said elsewhere, and one that never fitted would be sent
    again for ever.
    """

    __slots__ = ("_in_flight", "_limit_bytes", "_lock")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._in_flight = 0
        self._lock = threading.Lock()

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of all requests being worked on."""
        return self._in_flight

    def check(self) -> None:
        """
        Return if there is room for anything at all: asked before a request is read, so that one to be refused takes no memory.

        Raises:
            Refusal: UNAVAILABLE, if the budget is spent.
        """
        if self._in_flight >= self._limit_bytes:
            raise self._refusal()

    def hold(self, size_bytes: int) -> Share:
        """
        Return a share of *size_bytes* (>= 0), to be used as the block that it lasts for.

        Raises:
            Refusal: UNAVAILABLE, if they do not fit beside the others.
        """
        share = Share(self)
        share.grow(size_bytes)
        return share

    def take(self, size_bytes: int, held_bytes: int) -> None:
        """
        Take *size_bytes* for a request that holds *held_bytes* already.

        Raises:
            Refusal: UNAVAILABLE, if they do not fit beside the other requests.
        """
        with self._lock:
            others = self._in_flight - held_bytes
            if others and self._in_flight + size_bytes > self._limit_bytes:
                raise self._refusal()
            self._in_flight += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Have *size_bytes* free for others."""
        with self._lock:
            self._in_flight -= size_bytes

    def _refusal(self) -> Refusal:
        message = (
            f"{self._in_flight} bytes are being worked on, at most {self._limit_bytes} may be "
            "(receive.max_in_flight); try again"
        )
        return Refusal(grpc.StatusCode.UNAVAILABLE, message, RefusalCause.OVERLOAD, RETRY_AFTER_S)


class Share:
    """
    What one request holds of the budget, until its block ends, however it ends.

    A class, because every request has one, and a generator takes several times as long.
    """

    __slots__ = ("_admission", "size_bytes")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.size_bytes = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End; nothing of the budget is held any more."""
        self._admission.give_back(self.size_bytes)

    def grow(self, size_bytes: int) -> None:
        """
        Hold *size_bytes* (>= 0) more.

        Raises:
            Refusal: UNAVAILABLE, if they do not fit beside the others.
        """
        self._admission.take(size_bytes, self.size_bytes)
        self.size_bytes += size_bytes
