"""What a next hop is to us, and its refusal in the words that our own caller must get."""

from __future__ import annotations

from typing import Final, Protocol

import grpc

from otel_ml_processor.refusal import Refusal, RefusalCause

__all__ = ["MAX_RESPONSE", "RETRY_AFTER_S", "Client", "refusal"]

MAX_RESPONSE: Final = 4 << 20
"""Bytes of an answer, decompressed too; a larger one is an error, as OTLP wants it."""
RETRY_AFTER_S: Final = 1.0
"""What our caller is told to wait where the next hop did not say."""

_MAX_RETRY_AFTER_S: Final = 3600.0
_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class Client(Protocol):
    """Sends export requests of one signal somewhere."""

    def send(self, request: bytes, timeout_s: float) -> bytes:
        """
        Send *request*, wait at most *timeout_s* seconds, and return the answer, which may be a partial success.

        Raises:
            Refusal: If the request was not accepted, or if that is unknown.
        """

    def close(self) -> None:
        """Let go of the connection."""


def refusal(
    endpoint: str, code: grpc.StatusCode, details: str, retry_after_s: float | None
) -> Refusal:
    """
    Return what our caller is told when the next hop at *endpoint* answers *code*: UNAVAILABLE where sending again is right, otherwise *code*.

    *retry_after_s* is when to, as far as it said so.
    """
    message = f"next hop {endpoint}: {code.name}: {details}"
    is_exhausted = code is grpc.StatusCode.RESOURCE_EXHAUSTED
    if code in _RETRYABLE or (is_exhausted and retry_after_s is not None):
        after_s = RETRY_AFTER_S if retry_after_s is None else retry_after_s
        bounded_s = min(max(0.0, after_s), _MAX_RETRY_AFTER_S)
        return Refusal(grpc.StatusCode.UNAVAILABLE, message, RefusalCause.NEXT_HOP, bounded_s)
    return Refusal(code, message, RefusalCause.NEXT_HOP)
