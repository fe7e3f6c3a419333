"""OTLP over gRPC: raw bytes in, raw bytes or a status out; every request that is not taken is counted."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from otel_ml_processor.endpoint import host_and_port
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.callers import Callers
from otel_ml_processor.receive.content import unpacked
from otel_ml_processor.receive.door import Doorkeeper
from otel_ml_processor.receive.listener import check_endpoint
from otel_ml_processor.receive.status import status_of
from otel_ml_processor.receive.tls import server_credentials
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_ml_processor.config import ReceiveConfig
    from otel_ml_processor.receive.admission import Admission
    from otel_ml_processor.receive.door import ByTenant, Take, Takes
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.signals import Signal

__all__ = ["GrpcServer"]

_ROOM: Final = "$.receive"
_PLACE: Final = f"{_ROOM}.endpoint"
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # Two processors on one port would each get some of the spans.
    ("grpc.max_metadata_size", 8 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
    ("grpc.max_concurrent_streams", 128),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    # It would inflate a kilobyte at a time, on the one thread that serves all; a gRPC that does not know the option does.
    ("grpc.per_message_decompression", 0),
)
_READ_S: Final = 30.0
"""A message that takes longer to arrive is given up: who says nothing must not keep a thread."""
_READ_BRIEFLY_S: Final = 1.0
"""The same, where half of the threads wait for a message already: the other half is for those who have sent theirs."""
_LOOK_S: Final = 0.25
_OTLP: Final = "/opentelemetry.proto.collector."
_FOR_EVER_S: Final = 1e9
"""gRPC gives a call without a deadline one that lies centuries ahead."""


class GrpcServer:
    """
    Serves OTLP/gRPC on `config.endpoint`: what *admission* has room for goes to who of *takes* takes its signal, on `config.threads` threads.

    Besides it answers `grpc.health.v1.Health`, without a token. Paths in *config* are relative to *folder*.

    Whatever happens, the caller gets the status that OTLP gives the case: a request larger than `config.max_message` (decompressed)
    RESOURCE_EXHAUSTED, one without the token UNAUTHENTICATED, one that does not fit beside those in flight UNAVAILABLE with RetryInfo, a mistake of our own UNAVAILABLE.

    Raises:
        ConfigError: If `config.endpoint` is no `host:port`, or a file of certificates or of a token cannot be used.
    """

    def __init__(
        self,
        config: ReceiveConfig,
        takes: Takes,
        admission: Admission,
        self_metrics: SelfMetrics,
        *,
        folder: Path = Path(),
        insecure_bind: bool = False,
        by_tenant: ByTenant | None = None,
    ) -> None:
        host_and_port(_PLACE, config.endpoint)
        self._config = config
        self._may_reach_out = insecure_bind or config.tls is not None
        self._tls = server_credentials(config.tls, folder, f"{_ROOM}.tls") if config.tls else None
        callers = Callers(config, folder, _ROOM)
        self._door = Doorkeeper(callers, admission, self_metrics, by_tenant)
        self._threads = ThreadPoolExecutor(config.threads, thread_name_prefix="otel-ml-receive")
        self._server = grpc.server(
            self._threads,
            options=(*_OPTIONS, ("grpc.max_receive_message_length", config.max_message)),
        )
        # Registered as a stream of requests, which is the same on the wire. A message is then read when a thread asks for it, after
        # admission; and one that cannot be read ends up here, where it is counted, instead of being refused unseen.
        for signal, take in takes.items():
            export = grpc.stream_unary_rpc_method_handler(partial(self._export, signal, take))
            handler = grpc.method_handlers_generic_handler(signal.service, {"Export": export})
            self._server.add_generic_rpc_handlers((handler,))
        self._served = ", ".join(signal.service for signal in takes)
        self._server.add_generic_rpc_handlers((_Unserved(self._unserved),))
        self._health_thread = ThreadPoolExecutor(1, thread_name_prefix="otel-ml-health")
        self._health = _health_on(self._health_thread)
        add_HealthServicer_to_server(self._health, self._server)
        self._port = 0
        self._reading: dict[grpc.ServicerContext, float] = {}
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before the start."""
        return self._port

    def bind(self) -> None:
        """
        Take the address; requests that come before `start` wait.

        Raises:
            ConfigError: If the address is not one of this machine or is in use.
        """
        endpoint = self._config.endpoint
        check_endpoint(_PLACE, endpoint, may_reach_out=self._may_reach_out)
        try:
            self._port = self._listen(endpoint)
        except RuntimeError as error:
            raise ConfigError(f"{_PLACE}: cannot listen on {endpoint}: {error}") from None

    def start(self) -> None:
        """
        Serve, on the address that `bind` took or now takes.

        Raises:
            ConfigError: As `bind`.
        """
        if not self._port:
            self.bind()
        self._server.start()
        threading.Thread(target=self._give_up_silent, name="otel-ml-patience", daemon=True).start()
        self._health.set("", HealthCheckResponse.SERVING)

    def _listen(self, endpoint: str) -> int:
        if self._tls is None:
            return int(self._server.add_insecure_port(endpoint))
        return int(self._server.add_secure_port(endpoint, self._tls))

    def stop(self, grace_s: float) -> None:
        """
        Refuse new requests, give those in flight *grace_s* seconds to end, and cut off the rest.

        A caller that is cut off is told so and keeps its spans; *take* may still be at work on them when this returns.
        """
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_s).wait()
        for threads in (self._threads, self._health_thread):
            threads.shutdown(wait=False, cancel_futures=True)

    def _export(
        self, signal: Signal, take: Take, messages: Iterator[bytes], context: grpc.ServicerContext
    ) -> bytes:
        try:
            return self._answer(signal, take, messages, context)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender must keep what it sent
            _abort(context, self._door.refused(error))

    def _answer(
        self, signal: Signal, take: Take, messages: Iterator[bytes], context: grpc.ServicerContext
    ) -> bytes:
        header = partial(_header, context)
        take = self._door.take_of(signal, take, header)
        self._door.let_in(header)
        message = self._read(messages, context)
        with self._door.admission.hold(len(message)) as share:
            request = unpacked(message, self._config.max_message)
            if request is not message:
                share.grow(len(request))
            remaining_s = context.time_remaining()
            return take(request, remaining_s if remaining_s < _FOR_EVER_S else None)

    def _unserved(self, _: Iterator[bytes], context: grpc.ServicerContext) -> NoReturn:
        message = f"expected Export of one of {self._served}"
        refusal = Refusal(grpc.StatusCode.UNIMPLEMENTED, message, RefusalCause.UNREADABLE)
        _abort(context, self._door.refused(refusal))

    def _read(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        self._reading[context] = time.monotonic()
        try:
            return next(messages)
        except (StopIteration, grpc.RpcError):
            # gRPC has answered already, except where a caller sent no message at all.
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"expected one message of at most {self._config.max_message} bytes (receive.max_message)",
                RefusalCause.UNREADABLE,
            ) from None
        finally:
            del self._reading[context]

    def _give_up_silent(self) -> None:
        """Cancel, until the server stops, the calls whose message does not come; they may be begun again."""
        n_patient = max(1, self._config.threads // 2)
        while not self._stopping.wait(_LOOK_S):
            now_s = time.monotonic()
            # The oldest first, and they are the ones to be waited for: the message of a slow sender comes at last, one after the other.
            for place, (context, since_s) in enumerate(list(self._reading.items())):
                if now_s - since_s > (_READ_S if place < n_patient else _READ_BRIEFLY_S):
                    context.cancel()


class _Unserved(grpc.GenericRpcHandler):  # type: ignore[misc] # it has no types
    """Hands OTLP that nobody takes, profiles for example, to *refuse*: gRPC would refuse it unseen. The last handler, asked where no other fits."""

    def __init__(self, refuse: Callable[[Iterator[bytes], grpc.ServicerContext], bytes]) -> None:
        self._handler = grpc.stream_unary_rpc_method_handler(refuse)

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Return who answers *call*; nobody what is no OTLP."""
        return self._handler if call.method.startswith(_OTLP) else None


def _health_on(thread: ThreadPoolExecutor) -> HealthServicer:
    """
    Return what tells the health, not serving yet, on *thread*.

    Among the threads of the requests it would wait with them for a next hop that hangs, and whoever asks would restart a processor that is well.
    """
    health = HealthServicer()
    health.set("", HealthCheckResponse.NOT_SERVING)
    check = partial(health.Check)
    # What gRPC looks for in a handler; the library of the health service does the same for `Watch`.
    check.experimental_thread_pool = thread  # type: ignore[attr-defined] # a partial takes any
    health.Check = check
    return health


def _header(context: grpc.ServicerContext, name: str) -> str:
    """Return the header of that *name*, in lower case; empty without one."""
    metadata = context.invocation_metadata()
    given = next((value for key, value in metadata if key == name), "")
    return given if isinstance(given, str) else given.decode(errors="replace")


def _abort(context: grpc.ServicerContext, refusal: Refusal) -> NoReturn:
    status = status_of(refusal)
    if refusal.retry_after_s is not None:
        details = (("grpc-status-details-bin", status.SerializeToString()),)
        context.set_trailing_metadata(details)
    context.abort(refusal.code, status.message)
    raise AssertionError  # abort() always raises.
