"""OTLP over HTTP: a request in protobuf or JSON becomes the bytes that came over gRPC, and its answer the status that OTLP gives the case."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import grpc
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from otel_ml_processor.receive.admission import RETRY_AFTER_S
from otel_ml_processor.receive.callers import Callers
from otel_ml_processor.receive.content import ENCODINGS, expanded, too_large
from otel_ml_processor.receive.door import Doorkeeper
from otel_ml_processor.receive.otlp_json import json_of, protobuf_of
from otel_ml_processor.receive.status import status_of
from otel_ml_processor.receive.tls import server_context
from otel_ml_processor.receive.web_server import WebServer
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from otel_ml_processor.config import HttpDoor, ReceiveConfig
    from otel_ml_processor.receive.admission import Admission, Share
    from otel_ml_processor.receive.door import ByTenant, Take, Takes
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.signals import Signal

__all__ = ["OtlpHttpServer"]

_ROOM: Final = "$.receive.http"
_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_READ_S: Final = 30.0
"""A body that takes longer to arrive is given up: a slow sender must not hold memory."""
_KEEP_ALIVE_S: Final = 60
"""Longer than exporters pause, so that none finds its connection closed just as it sends."""
_MAX_CONNECTIONS: Final = 1024

_STATUS: Final[Mapping[grpc.StatusCode, int]] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNIMPLEMENTED: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 413,
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 503,
    grpc.StatusCode.ABORTED: 503,
    grpc.StatusCode.OUT_OF_RANGE: 503,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 503,
}
"""
A sender repeats what is answered 503, and drops the spans on all others; what is not here is 500.

RESOURCE_EXHAUSTED has no 429, which would be repeated: where the next hop meant that, the refusal is UNAVAILABLE by now.
"""
_UNSUPPORTED: Final = 415


class OtlpHttpServer:
    """
    Serves `/v1/traces` and its like at *door*: what *admission* has room for goes to who of *takes* takes its signal.

    That happens on `config.threads` threads. Paths in *door* are relative to *folder*.

    A body may be protobuf or JSON, plain, gzip or zstd. The answer is in the same format: a `google.rpc.Status` where it is no success.

    Raises:
        ConfigError: If the address is none, or a file of certificates, tokens or passwords cannot be used.
    """

    def __init__(
        self,
        config: ReceiveConfig,
        door: HttpDoor,
        takes: Takes,
        admission: Admission,
        self_metrics: SelfMetrics,
        *,
        folder: Path = Path(),
        insecure_bind: bool = False,
        by_tenant: ByTenant | None = None,
    ) -> None:
        self._max_message = config.max_message
        self._served = ", ".join(signal.path for signal in takes)
        self._door = Doorkeeper(Callers(door, folder, _ROOM), admission, self_metrics, by_tenant)
        self._threads = ThreadPoolExecutor(config.threads, thread_name_prefix="otel-ml-http-take")
        routes = [
            Route(signal.path, partial(self._export, signal, take), methods=["POST"])
            for signal, take in takes.items()
        ]
        tls = server_context(door.tls, folder, f"{_ROOM}.tls") if door.tls else None
        self._web = WebServer(
            f"{_ROOM}.endpoint",
            door.endpoint,
            Starlette(
                routes=routes,
                exception_handlers={404: self._not_served, 405: self._not_served},
            ),
            may_reach_out=insecure_bind or tls is not None,
            tls=tls,
            keep_alive_s=_KEEP_ALIVE_S,
            max_connections=_MAX_CONNECTIONS,
            grace_s=10,
        )

    @property
    def endpoint(self) -> str:
        """`host:port` as it is served."""
        return self._web.endpoint

    def bind(self) -> None:
        """
        Take the address; requests that come before `start` wait.

        Raises:
            ConfigError: If the address is not one of this machine or is in use.
        """
        self._web.bind()

    def start(self) -> None:
        """
        Serve, on the address that `bind` took or now takes.

        Raises:
            ConfigError: As `bind`.
        """
        self._web.start()

    def stop(self, grace_s: float) -> None:
        """Refuse new requests, give those in flight *grace_s* seconds to end, and cut off the rest."""
        self._web.stop(grace_s)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _export(self, signal: Signal, take: Take, request: Request) -> Response:
        format_ = _format(request)
        try:
            self._door.let_in(lambda name: request.headers.get(name, ""))
            encoding = _encoding(request, format_)
            with self._door.admission.hold(0) as share:
                body = await self._body(request, share)
                take = self._door.take_of(signal, take, lambda name: request.headers.get(name, ""))
                work = partial(self._answer, signal, take, body, encoding, format_, share)
                content = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender must keep what it sent
            return _refused(self._door.refused(error), format_)
        return Response(content, media_type=format_)

    async def _not_served(self, request: Request, error: Exception) -> Response:
        """Say what is served; telemetry that was meant for another path is refused, whoever only looks by is not counted."""
        message = f"expected POST on one of {self._served}, found {request.method} {request.url.path!r:.60}"
        refusal = Refusal(grpc.StatusCode.UNIMPLEMENTED, message, RefusalCause.UNREADABLE)
        if request.method == "POST":
            self._door.refused(refusal)
        answer = _refused(refusal, _format(request))
        if isinstance(error, HTTPException):
            answer.status_code = error.status_code
            answer.headers.update(error.headers or {})
        return answer

    async def _body(self, request: Request, share: Share) -> bytes:
        """Return the body as it came, counted while it comes."""
        parts: list[bytes] = []
        try:
            with anyio.fail_after(_READ_S):
                async for part in request.stream():
                    share.grow(len(part))
                    if share.size_bytes > self._max_message:
                        raise too_large(self._max_message)
                    parts.append(part)
        except (ClientDisconnect, TimeoutError):
            # Nothing is wrong with what would have come: whoever is only slow keeps it.
            message = f"expected the whole body within {_READ_S:g} s; try again"
            raise Refusal(
                grpc.StatusCode.UNAVAILABLE, message, RefusalCause.UNREADABLE, RETRY_AFTER_S
            ) from None
        return b"".join(parts)

    def _answer(
        self, signal: Signal, take: Take, body: bytes, encoding: str, format_: str, share: Share
    ) -> bytes:
        content = expanded(body, encoding, self._max_message)
        if content is not body:
            share.grow(len(content))
        if format_ == _PROTOBUF:
            return take(content, None)
        response = take(protobuf_of(content, signal), None)
        return json_of(signal.response.FromString(response))


def _format(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _encoding(request: Request, format_: str) -> str:
    """Return how the body is compressed; Refusal if it is so, or written, in a way that is not read here."""
    # A header without a value says as little as none.
    encoding = request.headers.get("content-encoding", "").strip().lower() or "identity"
    for header, found, known in (
        ("content-type", format_, (_PROTOBUF, _JSON)),
        ("content-encoding", encoding, tuple(ENCODINGS)),
    ):
        if found not in known:
            message = f"{header}: expected one of {', '.join(known)}, found {found!r:.60}"
            raise Refusal(grpc.StatusCode.UNIMPLEMENTED, message, RefusalCause.UNREADABLE)
    return encoding


def _refused(refusal: Refusal, format_: str) -> Response:
    status = status_of(refusal)
    is_protobuf = format_ == _PROTOBUF
    return Response(
        status.SerializeToString() if is_protobuf else json_of(status),
        status_code=_status_code(refusal),
        media_type=_PROTOBUF if is_protobuf else _JSON,
        headers=_headers(refusal),
    )


def _status_code(refusal: Refusal) -> int:
    if refusal.cause is RefusalCause.UNREADABLE and refusal.code is grpc.StatusCode.UNIMPLEMENTED:
        return _UNSUPPORTED
    return _STATUS.get(refusal.code, 500)


def _headers(refusal: Refusal) -> dict[str, str]:
    """Return when to try again, in whole seconds, and how to say who one is."""
    headers: dict[str, str] = {}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(refusal.retry_after_s))
    if (
        refusal.code is grpc.StatusCode.UNAUTHENTICATED
        and refusal.cause is RefusalCause.UNAUTHENTICATED
    ):
        headers["www-authenticate"] = "Bearer, Basic"
    return headers
