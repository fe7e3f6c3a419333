"""A socket whose timeout is for all that follows, not for each piece of it."""

from __future__ import annotations

import io
import math
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["TimedSocket"]


class TimedSocket:
    """
    A *connected* socket, plain or TLS, that ends with TimeoutError what takes longer than its timeout in total.

    With a plain one, whoever sends a byte now and then keeps its reader for ever. Every `settimeout` begins anew.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._end_s = math.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, seconds: float | None) -> None:
        """Let all that follows take so long, together; None: for ever."""
        self._end_s = math.inf if seconds is None else time.monotonic() + seconds

    def end(self) -> None:
        """End what another thread is sending or receiving; OSError where it has been closed."""
        # Of TLS too it is the connection below: its own way out would wait for the other side.
        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def sendall(self, data: ReadableBuffer) -> None:
        """Send *data*."""
        self._limit()
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what reads from here; *mode* is `rb`, the only one that an HTTP client asks for."""
        # The socket's own file keeps it open until it is closed itself, also when its owner has let go of it.
        raw: io.RawIOBase = self._socket.makefile(mode, buffering=0)  # type: ignore[call-overload] # the mode is "rb"
        return io.BufferedReader(_Limited(raw, self._limit))

    def _limit(self) -> None:
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(None if math.isinf(left_s) else left_s)


class _Limited(io.RawIOBase):
    """Reads from *raw*, and calls *limit* before each piece."""

    def __init__(self, raw: io.RawIOBase, limit: Callable[[], None]) -> None:
        super().__init__()
        self._raw = raw
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._limit()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
