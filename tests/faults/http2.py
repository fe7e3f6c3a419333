"""HTTP/2 by hand, frame by frame: what no client library would send."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DATA", "GOAWAY", "HEADERS", "PING", "RST_STREAM", "Frame", "Http2"]

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
CONTINUATION = 9
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_ACK = END_STREAM = 1
END_HEADERS = 4
_INITIAL_WINDOW = 65_535
_MAX_FRAME = 16_384


class Frame(NamedTuple):
    """A frame as it came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class Http2:
    """A connection to *address*, on which the first words have been said."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 10)
        self._room = {0: _INITIAL_WINDOW}
        self._initial = _INITIAL_WINDOW
        self.frames: list[Frame] = []
        """All that have come, in their order."""
        self._socket.sendall(_PREFACE)
        self.send(SETTINGS, 0, 0, b"")
        self.read()

    def send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """Send a frame."""
        header = len(payload).to_bytes(3, "big") + bytes((kind, flags))
        self._socket.sendall(header + stream.to_bytes(4, "big") + payload)

    def call(
        self, stream: int, more: Mapping[str, str] | None = None, *, is_whole: bool = True
    ) -> None:
        """Begin an export on *stream*, with *more* headers; *is_whole*: they end with this frame."""
        self._room[stream] = self._initial
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
            **(more or {}),
        }
        block = b"".join(_literal(name) + _text(value) for name, value in headers.items())
        pieces = [block[at : at + _MAX_FRAME] for at in range(0, len(block), _MAX_FRAME)]
        last = len(pieces) - 1
        for at, piece in enumerate(pieces):
            flags = END_HEADERS if at == last and is_whole else 0
            self.send(CONTINUATION if at else HEADERS, flags, stream, piece)

    def message(self, stream: int, content: bytes, *, is_compressed: bool = False) -> None:
        """Send *content* as the one message of *stream*, as fast as the other side allows; ends early where it answers or goes away."""
        left = bytes((is_compressed,)) + len(content).to_bytes(4, "big") + content
        with suppress(OSError):
            while left and not self.is_over(stream):
                size = min(len(left), _MAX_FRAME, self._room[0], self._room[stream])
                if size <= 0:
                    if self.read() is None:
                        return
                    continue
                is_last = size == len(left)
                self.send(DATA, END_STREAM if is_last else 0, stream, left[:size])
                self._room[0] -= size
                self._room[stream] -= size
                left = left[size:]

    def is_over(self, stream: int) -> bool:
        """Return whether *stream* or the connection has been ended by the other side."""
        return any(
            frame.kind == GOAWAY
            or (frame.stream == stream and (frame.kind == RST_STREAM or _ends(frame)))
            for frame in self.frames
        )

    def until_over(self, stream: int) -> bool:
        """Read until *stream* or the connection is over; return whether it was the stream that was answered."""
        while not self.is_over(stream) and self.read() is not None:
            pass
        return any(frame.stream == stream and _ends(frame) for frame in self.frames)

    def until_closed(self) -> list[Frame]:
        """Read until the other side closes; return all that has come."""
        while self.read() is not None:
            pass
        return self.frames

    def read(self) -> Frame | None:
        """Read a frame and do what it asks for; None at the end of the connection."""
        try:
            header = self._exactly(9)
            payload = self._exactly(int.from_bytes(header[:3], "big"))
        except (OSError, EOFError):
            return None
        frame = Frame(header[3], header[4], int.from_bytes(header[5:], "big"), payload)
        self.frames.append(frame)
        self._heed(frame)
        return frame

    def _heed(self, frame: Frame) -> None:
        if frame.kind == SETTINGS and not frame.flags & _ACK:
            for at in range(0, len(frame.payload), 6):
                if frame.payload[at : at + 2] == b"\0\4":
                    self._initial = int.from_bytes(frame.payload[at + 2 : at + 6], "big")
            with suppress(OSError):
                self.send(SETTINGS, _ACK, 0, b"")
        if frame.kind == WINDOW_UPDATE:
            more = int.from_bytes(frame.payload, "big")
            self._room[frame.stream] = self._room.get(frame.stream, self._initial) + more
        if frame.kind == PING and not frame.flags & _ACK:
            with suppress(OSError):
                self.send(PING, _ACK, 0, frame.payload)

    def _exactly(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            piece = self._socket.recv(size - len(content))
            if not piece:
                raise EOFError
            content += piece
        return content

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _ends(frame: Frame) -> bool:
    return frame.kind in {DATA, HEADERS} and bool(frame.flags & END_STREAM)


def _literal(name: str) -> bytes:
    """Return the beginning of a header that is not to be remembered."""
    return b"\0" + _text(name)


def _text(text: str) -> bytes:
    """Return *text* as HPACK has it, without Huffman's code."""
    content, first = text.encode(), 127
    if len(content) < first:
        return bytes((len(content),)) + content
    rest, length = len(content) - first, [first]
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes((*length, rest)) + content
