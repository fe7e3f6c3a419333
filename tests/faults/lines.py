"""A line between two that can be cut, stalled, slowed and reset, with a real server behind it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from tests.integration.real_servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Fault", "Line"]

Fault = Literal["none", "refuses", "hangs", "trickles", "resets", "closes"]
"""
What a line does: it passes all on; nobody listens at its near end; it takes bytes and passes none on; it passes on a byte at a time;
it breaks every connection after some bytes, with a reset or with an orderly end.
"""
_PIECE = 1 << 16
_BREAKS_AFTER = 300
"""Bytes: enough for the first words of HTTP/2, too few for a request."""
_RESET = struct.pack("ii", 1, 0)


class Line:
    """Passes connections to `endpoint` on to *far*, `host:port`, as the fault that is set has it."""

    def __init__(self, far: str) -> None:
        self.leads_to(far)
        self._port = free_port()  # one that nobody is given while it refuses
        self._listening = socket.create_server(("127.0.0.1", self._port))
        self.endpoint = f"127.0.0.1:{self._port}"
        self._fault: Fault = "none"
        self._open: set[socket.socket] = set()
        self._is_ending = False

    def leads_to(self, far: str) -> None:
        """Lead new connections to *far*."""
        host, _, port = far.rpartition(":")
        self._far = (host, int(port))

    @contextmanager
    def serving(self) -> Iterator[Line]:
        """Serve until the block ends."""
        self._accept_from(self._listening)
        try:
            yield self
        finally:
            self._is_ending = True
            self._stop_listening()
            self._break_all()

    @property
    def fault(self) -> Fault:
        """What it does now; connections that are open meet a new fault as well."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        """Have it do that from now on."""
        before, self._fault = self._fault, fault
        if fault == "refuses":
            self._stop_listening()
        elif before == "refuses":
            self._listening = socket.create_server(("127.0.0.1", self._port))
            self._accept_from(self._listening)
        if fault in {"refuses", "resets", "closes"} or before == "hangs":
            self._break_all()

    def _accept_from(self, listening: socket.socket) -> None:
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                try:
                    far = socket.create_connection(self._far, 60)
                except OSError:
                    near.close()
                    continue
                self._open |= {near, far}
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                while self._fault == "hangs" and not self._is_ending:
                    time.sleep(0.01)
                if self._fault == "trickles":
                    self._trickle(piece, target)
                    continue
                passed += len(piece)
                if self._fault in {"resets", "closes"} and passed > _BREAKS_AFTER:
                    break
                target.sendall(piece)
        self._break(source)
        self._break(target)

    def _trickle(self, piece: bytes, target: socket.socket) -> None:
        at = 0
        while at < len(piece):
            step = 1 if self._fault == "trickles" else len(piece)
            target.sendall(piece[at : at + step])
            at += step
            time.sleep(0.01)

    def _break(self, one: socket.socket) -> None:
        with suppress(OSError):
            if self._fault == "resets":
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            one.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            one.close()
        self._open.discard(one)

    def _break_all(self) -> None:
        for one in list(self._open):
            self._break(one)

    def _stop_listening(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listening.close()
