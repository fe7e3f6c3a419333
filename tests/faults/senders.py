"""Senders that do what OTLP asks of an exporter: each request again until it is acknowledged or refused for good."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.data.state_house import request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["EXPORT", "Load", "Sender", "span_ids"]

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PAUSE_S = 0.05
"""Before a request is sent again; an exporter would wait longer, and the test with it."""
_RETRYABLE = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
"""What the specification of OTLP says to send again."""


def span_ids(requests: Iterable[bytes]) -> list[bytes]:
    """Return the ids of all spans in *requests*, once for each time that they are in them, in their order."""
    return sorted(
        span.span_id
        for one in requests
        for group in ExportTraceServiceRequest.FromString(one).resource_spans
        for scoped in group.scope_spans
        for span in scoped.spans
    )


class Sender:
    """A connection to *address*; keeps what was acknowledged and what was refused for good, and how often it was told to come again."""

    def __init__(self, address: str, deadline_s: float = 30.0) -> None:
        self._channel = grpc.insecure_channel(
            address,
            (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 300)),
        )
        self._export = self._channel.unary_unary(EXPORT)
        self._deadline_s = deadline_s
        self.acknowledged: list[bytes] = []
        self.dropped: list[bytes] = []
        self.repeats = 0

    def send(self, one: bytes, within_s: float = 120.0) -> grpc.StatusCode:
        """Send *one* until it is acknowledged or refused for good, and return the status that it was."""
        end = time.monotonic() + within_s
        while is_retryable(error := self.once(one)):
            assert time.monotonic() < end, f"still refused: {error}"
            self.repeats += 1
            time.sleep(PAUSE_S)
        (self.acknowledged if error is None else self.dropped).append(one)
        return grpc.StatusCode.OK if error is None else error.code()

    def once(self, one: bytes, deadline_s: float | None = None) -> grpc.RpcError | None:
        """Send *one* once; return why it was not acknowledged, None if it was."""
        try:
            self._export(one, timeout=deadline_s or self._deadline_s)
        except grpc.RpcError as error:
            return error
        return None

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


def is_retryable(error: grpc.RpcError | None) -> bool:
    """Return whether OTLP has a request sent again that was answered with *error*."""
    if error is None:
        return False
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return any(
            detail.Is(RetryInfo.DESCRIPTOR)
            for key, value in error.trailing_metadata() or ()
            if key == "grpc-status-details-bin"
            for detail in Status.FromString(value).details
        )
    return error.code() in _RETRYABLE


class Load:
    """*n_senders* that send different requests of *per_request* inferences of *model*, one after the other, until they are stopped."""

    def __init__(
        self,
        address: str,
        at_ns: int,
        *,
        n_senders: int = 4,
        per_request: int = 25,
        model: str = "fraud",
        first: int = 0,
        deadline_s: float = 30.0,
    ) -> None:
        self._stopping = threading.Event()
        self._senders = [Sender(address, deadline_s) for _ in range(n_senders)]
        self._threads = [
            threading.Thread(
                target=self._send,
                args=(sender, numbered(first + 1_000_000 * n, per_request), model, at_ns),
            )
            for n, sender in enumerate(self._senders)
        ]
        for thread in self._threads:
            thread.start()

    def _send(self, sender: Sender, numbers: Iterator[range], model: str, at_ns: int) -> None:
        while not self._stopping.is_set():
            sender.send(request(next(numbers), model, at_ns), within_s=120)

    @property
    def acknowledged(self) -> list[bytes]:
        """All requests that have been acknowledged so far."""
        return [one for sender in self._senders for one in sender.acknowledged]

    @property
    def dropped(self) -> list[bytes]:
        """All requests that were refused for good."""
        return [one for sender in self._senders for one in sender.dropped]

    @property
    def repeats(self) -> int:
        """How often a request was sent again."""
        return sum(sender.repeats for sender in self._senders)

    def stop(self) -> list[bytes]:
        """Stop when each has an answer to its last request; return what was acknowledged."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(150)
            assert not thread.is_alive()
        for sender in self._senders:
            sender.close()
        return self.acknowledged


def numbered(first: int, per_request: int) -> Iterator[range]:
    """Yield the numbers of the inferences of one request after the other, from *first* on."""
    while True:
        yield range(first, first + per_request)
        first += per_request
