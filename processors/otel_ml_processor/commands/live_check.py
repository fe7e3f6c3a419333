"""An OTLP receiver, gRPC and HTTP, that judges what arrives and keeps none of it."""

from __future__ import annotations

import json
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from otel_ml_conventions.conformance import Registry
from otel_ml_conventions.otlp_messages import judge_request
from otel_ml_conventions.tally import Tally
from otel_ml_processor.commands.otlp_files import from_json
from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.listener import check_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message
    from starlette.requests import Request as HttpRequest

    from otel_ml_processor.commands.otlp_files import Request

__all__ = ["MAX_REQUEST", "LiveCheck"]

MAX_REQUEST: Final = 64 << 20
"""Bytes of one request, decompressed; a larger one is refused."""
_THREADS: Final = 4
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


class _Kind(NamedTuple):
    """One kind of telemetry: where it is sent, its request and its answer."""

    service: str
    path: str
    request: type[Request]
    response: type[Message]


_KINDS: Final = (
    _Kind(
        "opentelemetry.proto.collector.trace.v1.TraceService",
        "/v1/traces",
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    ),
    _Kind(
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        "/v1/metrics",
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
    ),
    _Kind(
        "opentelemetry.proto.collector.logs.v1.LogsService",
        "/v1/logs",
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
    ),
)


class LiveCheck:
    """Listens on *grpc_endpoint* and *http_endpoint*, `host:port` of this machine, and judges what arrives; port 0 takes a free one."""

    def __init__(self, grpc_endpoint: str, http_endpoint: str) -> None:
        check_endpoint("--grpc", grpc_endpoint, may_reach_out=False)
        check_endpoint("--http", http_endpoint, may_reach_out=False)
        self._grpc_endpoint = grpc_endpoint
        self._registry = Registry()
        self._lock = threading.Lock()
        self._n_requests = 0
        self.tally = Tally(self._registry)
        """What was found; to be read after `stop`."""
        self._http = HttpServer(http_endpoint, _application(self._take))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="otel-ml-live-check")
        self._grpc = _grpc_server(self._threads, self._take)
        self._grpc_port = 0

    @property
    def grpc_endpoint(self) -> str:
        """`host:port` as gRPC is served: after `start` with the real port."""
        host, _, _ = self._grpc_endpoint.rpartition(":")
        return f"{host}:{self._grpc_port}"

    @property
    def http_endpoint(self) -> str:
        """`host:port` as HTTP is served: after `start` with the real port."""
        return self._http.endpoint

    def start(self) -> None:
        """
        Listen.

        Raises:
            ConfigError: If one of the addresses has been taken meanwhile.
        """
        try:
            self._grpc_port = self._grpc.add_insecure_port(self._grpc_endpoint)
        except RuntimeError:
            raise ConfigError(f"--grpc: cannot listen on {self._grpc_endpoint}") from None
        self._http.start()
        self._grpc.start()

    def stop(self) -> None:
        """Answer what is being answered, and close both."""
        self._grpc.stop(2.0).wait()
        self._threads.shutdown()
        self._http.stop()

    def _take(self, request: Request, way: str) -> None:
        judgements = list(judge_request(self._registry, request))
        with self._lock:
            self._n_requests += 1
            self.tally.add(judgements, f"request {self._n_requests} over {way}")


def _grpc_server(threads: ThreadPoolExecutor, take: Callable[[Request, str], None]) -> grpc.Server:
    options = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_REQUEST))
    server = grpc.server(threads, options=options)
    server.add_generic_rpc_handlers([_grpc_handler(kind, take) for kind in _KINDS])
    return server


def _grpc_handler(kind: _Kind, take: Callable[[Request, str], None]) -> grpc.GenericRpcHandler:
    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            request = kind.request.FromString(body)
        except DecodeError:
            message = f"expected an {kind.request.__name__}, found {len(body)} other bytes"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
        take(request, "gRPC")
        return b""  # The answer of full success is an empty message.

    method = grpc.unary_unary_rpc_method_handler(export)
    return grpc.method_handlers_generic_handler(kind.service, {"Export": method})


def _application(take: Callable[[Request, str], None]) -> Starlette:
    return Starlette(routes=[_route(kind, take) for kind in _KINDS])


def _route(kind: _Kind, take: Callable[[Request, str], None]) -> Route:
    async def export(http: HttpRequest) -> Response:
        content_type = http.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            body = await _body(http)
            # In a thread of its own: judging a large request must not keep the others waiting.
            request = await run_in_threadpool(_request, kind, body, content_type)
        except _RefusedError as error:
            return _refusal(error, content_type)
        await run_in_threadpool(take, request, "HTTP")
        return _answer(kind.response(), content_type)

    return Route(kind.path, export, methods=["POST"])


class _RefusedError(Exception):
    """A request that is answered with an HTTP status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def _body(http: HttpRequest) -> bytes:
    """Return the body decompressed, never more of it than `MAX_REQUEST`."""
    encoding = http.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"gzip", "identity"}:
        raise _RefusedError(415, f"expected content-encoding gzip or none, found {encoding!r}")
    # 16 more than the window means that a gzip header comes first.
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding == "gzip" else None
    body = bytearray()
    async for chunk in http.stream():
        room = MAX_REQUEST - len(body) + 1
        try:
            body += chunk if unzip is None else unzip.decompress(chunk, room)
        except zlib.error:
            raise _RefusedError(400, "expected gzip, found other bytes") from None
        if len(body) > MAX_REQUEST:
            raise _RefusedError(413, f"expected at most {MAX_REQUEST} bytes, decompressed")
    if unzip is not None and (unzip.unused_data or not unzip.eof):
        raise _RefusedError(400, "expected one whole gzip stream")
    return bytes(body)


def _request(kind: _Kind, body: bytes, content_type: str) -> Request:
    if content_type not in {_PROTOBUF, _JSON}:
        expected = f"expected content-type {_PROTOBUF} or {_JSON}"
        raise _RefusedError(415, f"{expected}, found {content_type!r}")
    try:
        request = (
            from_json(json.loads(body)) if content_type == _JSON else kind.request.FromString(body)
        )
    except (ValueError, DecodeError, RecursionError) as error:
        raise _RefusedError(400, f"expected an {kind.request.__name__}: {error}") from None
    if not isinstance(request, kind.request):
        found = type(request).__name__
        raise _RefusedError(400, f"expected an {kind.request.__name__}, found an {found}")
    return request


def _refusal(error: _RefusedError, content_type: str) -> Response:
    invalid_argument: int = grpc.StatusCode.INVALID_ARGUMENT.value[0]
    status = Status(code=invalid_argument, message=str(error))
    return _answer(status, content_type, error.status)


def _answer(message: Message, content_type: str, status: int = 200) -> Response:
    if content_type == _PROTOBUF:
        return Response(message.SerializeToString(), status, media_type=_PROTOBUF)
    return Response(MessageToJson(message, indent=None), status, media_type=_JSON)
