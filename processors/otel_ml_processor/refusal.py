"""Why a request is not taken, in the words that its sender gets: a gRPC status and, where trying again helps, when to."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc

__all__ = ["Refusal", "RefusalCause"]


class RefusalCause(str, Enum):
    """What `ml.processor.cause` says of a refused request."""

    UNAUTHENTICATED = "unauthenticated"
    """The caller does not know the token."""
    OVERLOAD = "overload"
    """More bytes are being worked on than `receive.max_in_flight`."""
    UNREADABLE = "unreadable"
    """No message came out: larger than `receive.max_message`, not to be decompressed, of a kind that nobody takes, or the caller left first."""
    MALFORMED = "malformed"
    """The message is not an export request."""
    DEADLINE = "deadline"
    """The caller left too little time to forward anything."""
    NEXT_HOP = "next_hop"
    """The next hop refused, failed, or did not answer in time."""
    INTERNAL = "internal_error"
    """Our own mistake."""


class Refusal(Exception):  # noqa: N818 - an answer to the caller, not an error of ours
    """
    A request that is answered with *code* and *message*.

    A sender of OTLP tries again on UNAVAILABLE and drops the spans on most other codes. *retry_after_s* (>= 0) goes out as
    `google.rpc.RetryInfo`; None says nothing about when.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        cause: RefusalCause,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cause = cause
        self.retry_after_s = retry_after_s
