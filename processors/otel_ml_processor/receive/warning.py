"""What a sender is told when all its spans were accepted and something in them could not be read."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["with_warning"]


def with_warning(response: bytes, undecoded: Mapping[str, int]) -> bytes:
    """
    Return the answer for a sender of whose spans *undecoded* says, by cause, how many had something that was not read.

    That is *response*, the next hop's; where it is empty, a full success, one that rejects no span and says the causes: OTLP has this
    form for warnings, and exporters log it. Empty if there is nothing to say.
    """
    if response or not undecoded:
        return response
    return _warning(tuple(sorted((str.__str__(cause), n) for cause, n in undecoded.items())))


@lru_cache(maxsize=256)  # Answers are remembered; the same words are kept once.
def _warning(causes: tuple[tuple[str, int], ...]) -> bytes:
    said = ", ".join(f"{cause} in {n}" for cause, n in causes)
    message = (
        f"all spans were accepted; not all that they say of inferences could be read: {said} "
        "(spans, counted in ml.processor.undecoded)"
    )
    partial = ExportTracePartialSuccess(rejected_spans=0, error_message=message)
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()
