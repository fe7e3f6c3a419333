"""A refusal as a `google.rpc.Status`: the body of an answer over HTTP, the details of one over gRPC."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

if TYPE_CHECKING:
    from otel_ml_processor.refusal import Refusal

__all__ = ["MAX_MESSAGE", "status_of"]

MAX_MESSAGE: Final = 400
"""Characters of a status message: over gRPC it travels in a header, and a header is small."""


def status_of(refusal: Refusal) -> Status:
    """Return code, message (cut) and, where it is said, when to try again."""
    status = Status(code=refusal.code.value[0], message=refusal.message[:MAX_MESSAGE])
    if refusal.retry_after_s is not None:
        fraction, seconds = math.modf(refusal.retry_after_s)
        delay = Duration(seconds=int(seconds), nanos=int(fraction * 1e9))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status
