"""How long the next hop may take, given how long our caller still waits."""

from __future__ import annotations

from typing import Final

import grpc

from otel_ml_processor.refusal import Refusal, RefusalCause

__all__ = ["LEAST_REMAINING_S", "forward_timeout"]

LEAST_REMAINING_S: Final = 0.02
"""With less, the answer would come too late whatever the next hop does, so nothing is sent."""

_SHARE: Final = 0.9


def forward_timeout(remaining_s: float | None, default_s: float) -> float:
    """
    Return how many seconds to wait for the next hop: what the caller still waits, less a tenth; *default_s* if it waits for ever.

    The tenth is for our own answer: one that comes after the caller has given up makes it send everything again.

    Raises:
        Refusal: DEADLINE_EXCEEDED, if fewer than `LEAST_REMAINING_S` seconds are left.
    """
    if remaining_s is None:
        return default_s
    if remaining_s < LEAST_REMAINING_S:
        message = (
            f"{remaining_s * 1000:.0f} ms of the caller's deadline are left, expected at least "
            f"{LEAST_REMAINING_S * 1000:.0f} ms; nothing was forwarded"
        )
        raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, message, RefusalCause.DEADLINE)
    return remaining_s * _SHARE
