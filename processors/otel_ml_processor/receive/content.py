"""The body of a request as it was before it was compressed, never more of it than is allowed."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import grpc
import zstandard

from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["ENCODINGS", "expanded", "too_large", "unpacked"]

_MAX_WINDOW: Final = 8 << 20
"""Bytes of memory that a zstd frame may ask for: what its format recommends everybody to support."""
_ZSTD_PIECE: Final = 128
"""Bytes of zstd that are decompressed at once: four bytes can become 128 KiB, so a piece is 4 MiB at most."""
_ZLIB_PIECE: Final = 4 << 10
"""The same of gzip and deflate, of which a byte can become a thousand."""
_USUAL: Final = 16
"""What becomes more than so many times as large is measured before it is made: telemetry becomes five to fifteen times as large, a bomb a thousand times."""
_WITH_GZIP_HEADER: Final = 31
_WITH_ZLIB_HEADER: Final = 15
_GZIP: Final = b"\x1f\x8b"
"""How gzip begins, and no OTLP request: no field has the wire type 7."""
_DEFLATE: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""How deflate begins, by how hard it tried; a request may, with a field of the number 15, but then not go on as deflate does."""


class _Decompressor(Protocol):
    """Expands one member, given piece by piece, up to its end."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def unpacked(message: bytes, limit_bytes: int) -> bytes:
    """
    Return what a *message* of gRPC was before it was compressed, with gzip or deflate as its first bytes tell; itself where it was not.

    Raises:
        Refusal: As `expanded`.
    """
    if message.startswith(_GZIP):
        return expanded(message, "gzip", limit_bytes)
    if message.startswith(_DEFLATE):
        with suppress(zlib.error, EOFError):
            return _joined(lambda: _inflated(message), _USUAL * len(message), limit_bytes)
    return message


def expanded(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """
    Return what *body* was before it was compressed as *encoding*, one of `ENCODINGS`, says.

    Raises:
        Refusal: RESOURCE_EXHAUSTED if that is more than *limit_bytes*, without any more than that being made; INVALID_ARGUMENT if *body* is cut
            off or something else.
    """
    try:
        return _joined(lambda: ENCODINGS[encoding](body), _USUAL * len(body), limit_bytes)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        message = f"expected a body in {encoding}, found one that is broken: {reason}"
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, message, RefusalCause.UNREADABLE) from None


def _joined(pieces: Callable[[], Iterator[bytes]], usual_bytes: int, limit_bytes: int) -> bytes:
    """Return the *pieces* as one; beyond *usual_bytes* they are only counted, and made again once it is known that they may be."""
    kept: list[bytes] = []
    size = 0
    for piece in pieces():
        size += len(piece)
        if size > limit_bytes:
            raise too_large(limit_bytes)
        if size <= usual_bytes:
            kept.append(piece)
        else:
            kept.clear()
    return b"".join(kept if size <= usual_bytes else pieces())


def too_large(limit_bytes: int) -> Refusal:
    """Return the refusal of a request of more than *limit_bytes*."""
    message = f"expected a request of at most {limit_bytes} bytes, after decompression too (receive.max_message)"
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, message, RefusalCause.UNREADABLE)


def _identity(body: bytes) -> Iterator[bytes]:
    yield body


def _members(body: bytes, piece_bytes: int, new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """Yield the content of all members of *body*, which may be several, one behind the other; *new* expands one."""
    at = 0
    while at < len(body):
        member = new()
        while not member.eof:
            # Not all that is left: what lies behind the end of a member is copied, for each of a million tiny ones.
            piece = body[at : at + piece_bytes]
            if not piece:
                raise EOFError("it is cut off")
            yield member.decompress(piece)
            at += len(piece) - len(member.unused_data)


def _gunzipped(body: bytes) -> Iterator[bytes]:
    return _members(body, _ZLIB_PIECE, lambda: zlib.decompressobj(_WITH_GZIP_HEADER))


def _inflated(body: bytes) -> Iterator[bytes]:
    return _members(body, _ZLIB_PIECE, lambda: zlib.decompressobj(_WITH_ZLIB_HEADER))


def _unzstd(body: bytes) -> Iterator[bytes]:
    return _members(
        body,
        _ZSTD_PIECE,
        lambda: zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj(),
    )


ENCODINGS: Final[Mapping[str, Callable[[bytes], Iterator[bytes]]]] = {
    "identity": _identity,
    "gzip": _gunzipped,
    "zstd": _unzstd,
}
"""What may stand in `content-encoding`."""
