"""An environment in which nothing of OpenTelemetry is chosen, and endpoints that answer for real."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from otel_ml.doctor import reaching, sending
from tests.integration.real_servers import free_port


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every variable away that says something of telemetry or proxies."""
    for name in list(os.environ):
        if name.startswith("OTEL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for an answer than a person would: the machine may have other work."""
    for module in (reaching, sending):
        monkeypatch.setattr(module, "_PATIENCE_SECONDS", 60)
    monkeypatch.setattr(reaching, "_SILENCE_SECONDS", 5.0)


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans, or refuses them with a status; after so many requests it says nothing any more."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.headers: dict[str, Any] = {}
        self.refusal: grpc.StatusCode | None = None
        self.answers_left = sys.maxsize

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name for it
        """Keep the spans of *request*."""
        self.headers = dict(context.invocation_metadata())
        self.answers_left -= 1
        while self.answers_left < 0 and context.is_active():
            sleep(0.05)
        if self.refusal is not None:
            context.abort(self.refusal, "not you")
        self.spans += [
            span
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return trace_service_pb2.ExportTraceServiceResponse()


@contextlib.contextmanager
def _serving(receiver: Receiver, credentials: Any = None) -> Iterator[int]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]  # generated
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


@pytest.fixture
def receiver() -> Receiver:
    """Return what the gRPC endpoint does with spans."""
    return Receiver()


@pytest.fixture
def grpc_port(receiver: Receiver) -> Iterator[int]:
    """Return a port that speaks OTLP by gRPC."""
    with _serving(receiver) as port:
        yield port


@pytest.fixture
def tls_port(receiver: Receiver, authority: Any) -> Iterator[int]:
    """Return a port that speaks OTLP by gRPC over TLS, with a certificate of `authority`."""
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    credentials = grpc.ssl_server_credentials(
        [
            (
                certificate.private_key_pem.bytes(),
                b"".join(part.bytes() for part in certificate.cert_chain_pems),
            )
        ]
    )
    with _serving(receiver, credentials) as port:
        yield port


@pytest.fixture
def authority() -> Any:
    """Return an authority that nobody trusts who is not told to."""
    import trustme

    return trustme.CA()


class HttpAnswers:
    """What the HTTP endpoint answers, by path; 404 otherwise."""

    def __init__(self) -> None:
        self.statuses = {"/v1/traces": 200}
        self.content_type = ""
        self.paths: list[str] = []


@pytest.fixture
def answers() -> HttpAnswers:
    """Return what the HTTP endpoint answers."""
    return HttpAnswers()


@pytest.fixture
def http_port(answers: HttpAnswers) -> Iterator[int]:
    """Return a port that speaks OTLP by HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answers.paths.append(self.path)
            status = answers.statuses.get(self.path, 404)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "https://127.0.0.1/elsewhere")
            if answers.content_type:
                self.send_header("Content-Type", answers.content_type)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def dead_port() -> int:
    """Return a port that nothing listens on."""
    return free_port()
