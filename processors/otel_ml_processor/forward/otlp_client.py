"""The next hop: raw bytes out over OTLP/gRPC, and its answer in the words that our own caller must get."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_ml_processor.forward.next_hop import MAX_RESPONSE, RETRY_AFTER_S, refusal
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.refusal import Refusal

__all__ = [
    "LOGS",
    "MAX_RESPONSE",
    "METRICS",
    "RETRY_AFTER_S",
    "TRACES",
    "OtlpClient",
    "answer_of",
    "rejected_items",
    "retry_delay_s",
]

TRACES: Final = Signal.TRACES.method
METRICS: Final = Signal.METRICS.method
LOGS: Final = Signal.LOGS.method

_LONG_ANSWER: Final = 1 << 10
"""Bytes; what a next hop has to say of what it did not take is shorter."""
_MAX_HEADERS: Final = 1 << 20
"""Bytes; Go, in which most next hops are written, takes more."""
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_RESPONSE),
    # A refusal says why in its headers, twice; one that is longer would be a refusal for good, and the spans lost.
    ("grpc.max_metadata_size", _MAX_HEADERS),
    ("grpc.absolute_max_metadata_size", _MAX_HEADERS),
    ("grpc.max_send_message_length", -1),  # The next hop says what is too large for it.
    # gRPC waits up to two minutes before it connects again; spans would wait as long after the next hop has come back.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # The next hop is where the operator says, not behind a proxy for the web.
    ("grpc.enable_http_proxy", 0),
)


class OtlpClient:
    """
    Sends export requests of one kind of telemetry to *endpoint* (`host:port`), over one connection that is kept.

    It connects when it first sends, and again by itself when the connection is lost. Safe to use from any thread. In the clear without
    *tls*; *headers* go with every request.
    """

    def __init__(
        self,
        endpoint: str,
        method: str = TRACES,
        *,
        tls: grpc.ChannelCredentials | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        compression: grpc.Compression = grpc.Compression.NoCompression,
        options: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._endpoint = endpoint
        self._metadata = tuple(headers.items())
        self._compression = compression
        self._channel = (
            grpc.insecure_channel(endpoint, (*_OPTIONS, *options))
            if tls is None
            else grpc.secure_channel(endpoint, tls, (*_OPTIONS, *options))
        )
        self._export = self._channel.unary_unary(method)

    def send(self, request: bytes, timeout_s: float) -> bytes:
        """
        Send *request*, wait at most *timeout_s* seconds, and return the answer, which may be a partial success.

        An answer that is no export response is replaced by an empty one: the status said that the request was accepted, and our
        caller must not fail over what follows it.

        Raises:
            Refusal: If the request was not accepted, or if that is unknown. UNAVAILABLE where sending again is right, otherwise the
                code that the next hop gave.
        """
        try:
            response: bytes = self._export(
                request,
                timeout=timeout_s,
                metadata=self._metadata,
                compression=self._compression,
            )
        except grpc.RpcError as error:
            raise self._refusal(error) from None
        return answer_of(response)

    def close(self) -> None:
        """Close the connection; what is still being sent fails with UNAVAILABLE."""
        self._channel.close()

    def _refusal(self, error: grpc.RpcError) -> Refusal:
        return refusal(self._endpoint, error.code(), str(error.details()), _retry_after_s(error))


def answer_of(response: bytes) -> bytes:
    """
    Return *response*, or an empty one where it is no export response, of any signal: all have the same fields.

    Of a long one the message is cut: answers are remembered, for whoever asks again, and tens of thousands of them.
    """
    parsed = _parsed(response)
    if parsed is None:
        return b""
    if len(response) <= _LONG_ANSWER:
        return response
    said = parsed.partial_success
    if said.error_message:
        cut = said.error_message.encode()[:_LONG_ANSWER]
        said.error_message = cut.decode(errors="ignore")
    parsed.DiscardUnknownFields()
    return parsed.SerializeToString()


def rejected_items(response: bytes) -> int:
    """Return how many spans, points or records the partial success in *response* rejects; 0 for a full success."""
    parsed = _parsed(response)
    return 0 if parsed is None else max(0, parsed.partial_success.rejected_spans)


def _parsed(response: bytes) -> ExportTraceServiceResponse | None:
    """Return what *response* says; None where that is nothing, as usual, or cannot be read: it was accepted."""
    if not response:
        return None
    try:
        return ExportTraceServiceResponse.FromString(response)
    except DecodeError:
        return None


def _retry_after_s(error: grpc.RpcError) -> float | None:
    """Return the seconds that the next hop's RetryInfo says; None if there is none, or none that can be read."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return retry_delay_s(value)
    return None


def retry_delay_s(status: bytes) -> float | None:
    """Return the seconds that the RetryInfo in a `google.rpc.Status` says; None if there is none, or none that can be read."""
    info = RetryInfo()
    try:
        details = Status.FromString(status).details
        if not any(detail.Unpack(info) for detail in details):
            return None
    except DecodeError:
        return None
    delay_s: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    return delay_s
