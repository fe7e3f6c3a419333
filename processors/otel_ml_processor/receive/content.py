"""The body of a request as it was before it was compressed, never more of it than is allowed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import grpc
import zstandard

from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ENCODINGS", "expanded", "too_large"]

_MAX_WINDOW: Final = 8 << 20
"""Bytes of memory that a zstd frame may ask for: what its format recommends everybody to support."""
_PIECE: Final = 128
"""Bytes that are decompressed at once: four bytes can become 128 KiB, so the limit is passed by 4 MiB at most."""
_WITH_GZIP_HEADER: Final = 31


def expanded(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """
    Return what *body* was before it was compressed as *encoding*, one of `ENCODINGS`, says.

    Raises:
        Refusal: RESOURCE_EXHAUSTED if that is more than *limit_bytes*, of which no more is ever made; INVALID_ARGUMENT if *body* is cut
            off or something else.
    """
    try:
        content = ENCODINGS[encoding](body, limit_bytes)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        message = f"expected a body in {encoding}, found one that is broken: {reason}"
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, message, RefusalCause.UNREADABLE) from None
    if len(content) > limit_bytes:
        raise too_large(limit_bytes)
    return content


def too_large(limit_bytes: int) -> Refusal:
    """Return the refusal of a request of more than *limit_bytes*."""
    message = f"expected a request of at most {limit_bytes} bytes, after decompression too (receive.max_message)"
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, message, RefusalCause.UNREADABLE)


def _identity(body: bytes, _: int) -> bytes:
    return body


def _gunzipped(body: bytes, limit_bytes: int) -> bytes:
    """Return the content of all members of *body*, which may be several, one behind the other."""
    parts: list[bytes] = []
    left = limit_bytes + 1
    while body and left > 0:
        member = zlib.decompressobj(_WITH_GZIP_HEADER)
        parts.append(member.decompress(body, left))
        left -= len(parts[-1])
        if left > 0 and not member.eof:
            raise EOFError("it is cut off")
        body = member.unused_data
    return b"".join(parts)


def _unzstd(body: bytes, limit_bytes: int) -> bytes:
    """Return the content of all frames of *body*, or more than *limit_bytes* of it."""
    parts: list[bytes] = []
    size = at = 0
    while at < len(body) and size <= limit_bytes:
        frame = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
        while not frame.eof and size <= limit_bytes:
            piece = body[at : at + _PIECE]
            if not piece:
                raise EOFError("it is cut off")
            parts.append(frame.decompress(piece))
            size += len(parts[-1])
            at += len(piece) - len(frame.unused_data)
    return b"".join(parts)


ENCODINGS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "identity": _identity,
    "gzip": _gunzipped,
    "zstd": _unzstd,
}
"""What may stand in `content-encoding`."""
