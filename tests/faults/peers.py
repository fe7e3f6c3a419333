"""Next hops that are real gRPC servers and answer as a test says; they keep what they have taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from tests.faults.senders import span_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Behaviour", "Peer", "aborting", "taking"]

Behaviour: TypeAlias = Callable[[bytes, grpc.ServicerContext], bytes]
"""Answers a request: what it returns is the answer of a success; it may abort instead, or wait."""


def taking(_: bytes, __: grpc.ServicerContext) -> bytes:
    """Acknowledge."""
    return b""


def aborting(code: grpc.StatusCode, retry_after_s: float | None = None) -> Behaviour:
    """Return what refuses with *code* and, where it is given, a time to come again."""

    def refuse(_: bytes, context: grpc.ServicerContext) -> bytes:
        if retry_after_s is not None:
            status = Status(code=code.value[0])
            delay = Duration(nanos=int(retry_after_s * 1e9))
            status.details.add().Pack(RetryInfo(retry_delay=delay))
            details = (("grpc-status-details-bin", status.SerializeToString()),)
            context.set_trailing_metadata(details)
        context.abort(code, "as the test says")
        raise AssertionError

    return refuse


class Peer(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """
    Takes every request of every service as `behaviour` says; what that raises or aborts has not been taken.

    *taken* are the requests for spans that it has acknowledged, *refused* counts the others and *waiting* those without an answer; one of more than *largest* bytes it does not read.
    """

    def __init__(
        self, behaviour: Behaviour = taking, *, largest: int = 4 << 20, host: str = "127.0.0.1"
    ) -> None:
        self.behaviour = behaviour
        self.taken: list[bytes] = []
        self.refused = 0
        self.waiting = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(32)
        self._server = grpc.server(
            self._threads,
            options=(("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", largest)),
        )
        self._server.add_generic_rpc_handlers((self,))
        self.endpoint = f"{host}:{self._server.add_insecure_port(f'{host}:0')}"

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return what answers any method."""
        is_spans = "TraceService" in details.method

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self._lock:
                self.waiting += 1
            try:
                answer = self.behaviour(request, context)
            except BaseException:
                with self._lock:
                    self.refused += 1
                raise
            finally:
                with self._lock:
                    self.waiting -= 1
            if is_spans:
                with self._lock:
                    self.taken.append(request)
            return answer

        return grpc.unary_unary_rpc_method_handler(answer)

    def span_ids(self) -> list[bytes]:
        """Return the ids of the spans that it has, once for each time that it has them."""
        return span_ids(list(self.taken))

    @contextmanager
    def serving(self) -> Iterator[Peer]:
        """Serve until the block ends."""
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(0).wait()
            self._threads.shutdown(wait=False, cancel_futures=True)
