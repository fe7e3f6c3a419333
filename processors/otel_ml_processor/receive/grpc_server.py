"""OTLP traces over gRPC: raw bytes in, raw bytes or a status out; every request that is not taken is counted."""

from __future__ import annotations

import logging
import math
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_REFUSED
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.admission import RETRY_AFTER_S, Admission
from otel_ml_processor.receive.bearer import BearerToken
from otel_ml_processor.receive.listener import check_endpoint, host_and_port
from otel_ml_processor.receive.tls import server_credentials
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_ml_processor.config import ReceiveConfig
    from otel_ml_processor.self_metrics import SelfMetrics

__all__ = ["GrpcServer", "Take"]

Take: TypeAlias = "Callable[[bytes, float | None], bytes]"
"""
Takes a request and the seconds that its caller still waits (None: for ever), and gives the response.

It raises `Refusal` to answer with a status; anything else that it raises is answered with UNAVAILABLE.
"""

_PLACE: Final = "$.receive.endpoint"
_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # Two processors on one port would each get some of the spans.
    ("grpc.max_metadata_size", 8 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
    ("grpc.max_concurrent_streams", 128),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
)
_FOR_EVER_S: Final = 1e9
"""gRPC gives a call without a deadline one that lies centuries ahead."""
_MAX_MESSAGE: Final = 400
"""Characters of a status message: it travels in a header, and a header is small."""
_LOGGER: Final = logging.getLogger(__name__)


class GrpcServer:
    """
    Serves OTLP/gRPC traces on `config.endpoint` and hands every admitted request to *take*, on `config.threads` threads.

    Besides it answers `grpc.health.v1.Health`, without a token. Paths in *config* are relative to *folder*.

    Whatever happens, the caller gets the status that OTLP gives the case: a request larger than `config.max_message` (decompressed)
    RESOURCE_EXHAUSTED, one without the token UNAUTHENTICATED, one that does not fit beside those in flight UNAVAILABLE with RetryInfo, a mistake of our own UNAVAILABLE.

    Raises:
        ConfigError: If `config.endpoint` is no `host:port`, or a file of certificates or of a token cannot be used.
    """

    def __init__(
        self,
        config: ReceiveConfig,
        take: Take,
        self_metrics: SelfMetrics,
        *,
        folder: Path = Path(),
        insecure_bind: bool = False,
    ) -> None:
        host_and_port(_PLACE, config.endpoint)
        self._config = config
        self._may_reach_out = insecure_bind or config.tls is not None
        self._tls = server_credentials(config.tls, folder) if config.tls else None
        token_file = config.bearer_token_file
        self._token = BearerToken(folder / token_file) if token_file else None
        self._take = take
        self._self_metrics = self_metrics
        self._admission = Admission(config.max_in_flight)
        self._reported: set[str] = set()
        self._threads = ThreadPoolExecutor(config.threads, thread_name_prefix="otel-ml-receive")
        self._server = grpc.server(
            self._threads,
            options=(*_OPTIONS, ("grpc.max_receive_message_length", config.max_message)),
        )
        # Registered as a stream of requests, which is the same on the wire. A message is then read when a thread asks for it, after
        # admission; and one that cannot be read ends up here, where it is counted, instead of being refused unseen.
        export = grpc.stream_unary_rpc_method_handler(self._export)
        handler = grpc.method_handlers_generic_handler(_SERVICE, {"Export": export})
        self._server.add_generic_rpc_handlers((handler,))
        self._health = HealthServicer()
        self._health.set("", HealthCheckResponse.NOT_SERVING)
        add_HealthServicer_to_server(self._health, self._server)
        self._port = 0

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
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_s).wait()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _export(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        try:
            return self._answer(messages, context)
        except Refusal as refusal:
            self._refuse(refusal, context)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender must keep its spans
            self._refuse(self._our_mistake(error), context)

    def _answer(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        if self._token is not None:
            self._token.check(context.invocation_metadata())
        self._admission.check()
        request = self._read(messages)
        with self._admission.hold(len(request)):
            remaining_s = context.time_remaining()
            return self._take(request, remaining_s if remaining_s < _FOR_EVER_S else None)

    def _read(self, messages: Iterator[bytes]) -> bytes:
        try:
            return next(messages)
        except (StopIteration, grpc.RpcError):
            # gRPC has answered already, except where a caller sent no message at all.
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"expected one message of at most {self._config.max_message} bytes (receive.max_message)",
                RefusalCause.UNREADABLE,
            ) from None

    def _our_mistake(self, error: Exception) -> Refusal:
        what = type(error).__name__
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{what} in {frame.filename}:{frame.lineno}"
        if (
            where not in self._reported
        ):  # Its message may quote a value of the user's, so it stays out.
            self._reported.add(where)
            _LOGGER.warning("a request failed by a mistake of ours (said once): %s", where)
        message = f"the processor failed ({what}); try again"
        return Refusal(grpc.StatusCode.UNAVAILABLE, message, RefusalCause.INTERNAL, RETRY_AFTER_S)

    def _refuse(self, refusal: Refusal, context: grpc.ServicerContext) -> NoReturn:
        self._self_metrics.add(METRIC_ML_PROCESSOR_REFUSED, cause=refusal.cause)
        message = refusal.message[:_MAX_MESSAGE]
        if refusal.retry_after_s is not None:
            context.set_trailing_metadata(
                (("grpc-status-details-bin", _details(refusal, message)),)
            )
        context.abort(refusal.code, message)
        raise AssertionError  # abort() always raises.


def _details(refusal: Refusal, message: str) -> bytes:
    """Return the `google.rpc.Status` that says when to try again."""
    status = Status(code=refusal.code.value[0], message=message)
    fraction, seconds = math.modf(refusal.retry_after_s or 0.0)
    delay = Duration(seconds=int(seconds), nanos=int(fraction * 1e9))
    status.details.add().Pack(RetryInfo(retry_delay=delay))
    details: bytes = status.SerializeToString()
    return details
