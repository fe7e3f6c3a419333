"""Certificates towards a next hop, replaced while requests are on their way: real files, real TLS, over gRPC and over HTTP."""

from __future__ import annotations

import logging
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme

from otel_ml_processor.config import ClientTls, ForwardConfig
from otel_ml_processor.forward.forwarding import Forwarding
from otel_ml_processor.forward.renewed import renewed_client
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.signals import Signal
from tests.unit.processor.forward.test_otlp_client import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TLS = ClientTls(ca_file="ca.pem", cert_file="own.pem", key_file="own.key")
PROTOCOLS = pytest.mark.parametrize("protocol", ["grpc", "http"])


class NextHop:
    """Takes requests of callers with a certificate; a request that says `slow` is answered when `leave` is set."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str]] = []
        self.inside, self.leave = threading.Event(), threading.Event()

    def take(self, request: bytes, name: str) -> None:
        """Keep it with the *name* in its caller's certificate."""
        self.taken.append((request, name))
        if request == b"slow":
            self.inside.set()
            assert self.leave.wait(60)


@contextmanager
def over_grpc(hop: NextHop, authority: trustme.CA) -> Iterator[str]:
    """Serve *hop*; give its address."""

    def export(request: bytes, context: grpc.ServicerContext) -> bytes:
        hop.take(request, context.auth_context()["x509_common_name"][0].decode())
        return b""

    certificate = authority.issue_cert("127.0.0.1")
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    pair = (certificate.private_key_pem.bytes(), chain)
    credentials = grpc.ssl_server_credentials(
        [pair], authority.cert_pem.bytes(), require_client_auth=True
    )
    with serving(export, credentials=credentials) as address:
        yield address


@contextmanager
def over_http(hop: NextHop, authority: trustme.CA) -> Iterator[str]:
    """Serve *hop*; give its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take the request."""
            subject = dict(part[0] for part in self.connection.getpeercert()["subject"])  # type: ignore[attr-defined]  # it is TLS
            hop.take(self.rfile.read(int(self.headers["content-length"])), subject["commonName"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of a caller that is not let in."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Server(("127.0.0.1", 0), Handler)
    # Not at accepting, where one caller that hangs would hold up all others.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


SERVING = {"grpc": over_grpc, "http": over_http}


@contextmanager
def sending(
    folder: Path, protocol: str, hop: NextHop, authority: trustme.CA
) -> Iterator[Callable[[bytes, float | None], bytes]]:
    """Serve *hop* and give what forwards spans to it."""
    with SERVING[protocol](hop, authority) as endpoint:
        config = ForwardConfig(endpoint=endpoint, protocol=protocol, tls=TLS)  # type: ignore[arg-type]  # one of the two
        counts = dict.fromkeys(Signal, len)
        forwarding = Forwarding(config, counts, SelfMetrics(), folder)
        yield forwarding.send[Signal.TRACES]
        forwarding.close(0)


def write(folder: Path, authority: trustme.CA, name: str, **issue: object) -> None:
    """Write a client's certificate for *name*, its key, and who may have signed the other side's."""
    own = authority.issue_cert("client.example.org", common_name=name, **issue)  # type: ignore[arg-type]  # a test names what it likes
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (folder / "own.key").write_bytes(own.private_key_pem.bytes())
    (folder / "own.pem").write_bytes(own.cert_chain_pems[0].bytes())


@PROTOCOLS
def test_a_certificate_that_has_expired_is_replaced_without_a_signal(
    tmp_path: Path, protocol: str
) -> None:
    """Of hours or days, as an issuer in a cluster makes them: with the file that it writes in time, spans arrive."""
    hop, authority = NextHop(), trustme.CA()
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    write(tmp_path, authority, "first", not_after=yesterday)
    with sending(tmp_path, protocol, hop, authority) as send:
        with pytest.raises(Refusal) as refused:
            send(b"a", 60)
        assert refused.value.code is grpc.StatusCode.UNAVAILABLE
        write(tmp_path, authority, "second")
        assert send(b"a", 60) == b""
    assert hop.taken == [(b"a", "second")]


@PROTOCOLS
def test_what_is_on_its_way_ends_on_the_connection_that_it_began_on(
    tmp_path: Path, protocol: str
) -> None:
    """Nothing is lost or sent twice; what comes afterwards goes with the new certificate."""
    hop, authority = NextHop(), trustme.CA()
    write(tmp_path, authority, "first")
    with (
        sending(tmp_path, protocol, hop, authority) as send,
        ThreadPoolExecutor(1) as thread,
    ):
        slow = thread.submit(send, b"slow", 60)
        assert hop.inside.wait(60)
        write(tmp_path, authority, "second")
        assert [send(request, 60) for request in (b"a", b"b")] == [b"", b""]
        assert not slow.done()
        hop.leave.set()
        assert slow.result(60) == b""
        assert send(b"c", 60) == b""
    assert hop.taken == [(b"slow", "first"), *((r, "second") for r in (b"a", b"b", b"c"))]


@PROTOCOLS
def test_half_a_change_leaves_the_connection_as_it_is(
    tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Files are written one after the other: a key without its certificate is said once, and taken when that follows."""
    caplog.set_level(logging.INFO)
    hop, authority = NextHop(), trustme.CA()
    write(tmp_path, authority, "first")
    with sending(tmp_path, protocol, hop, authority) as send:
        send(b"a", 60)
        certificate = (tmp_path / "own.pem").read_bytes()
        write(tmp_path, authority, "second")
        renewed = (tmp_path / "own.pem").read_bytes()
        (tmp_path / "own.pem").write_bytes(certificate)
        send(b"b", 60)
        send(b"c", 60)
        (tmp_path / "own.pem").write_bytes(renewed)
        send(b"d", 60)
    assert [name for _, name in hop.taken] == ["first", "first", "first", "second"]
    first, second = (record.message for record in caplog.records)
    assert first.startswith("$.forward.tls: cannot use these files: ")
    assert first.endswith("; the certificates in force stay")
    assert second == "$.forward.tls: certificates were read again"


def test_connections_that_nobody_needs_any_more_are_closed(tmp_path: Path) -> None:
    """Of a hundred certificates ninety-nine connections would stay open: each is closed when its last request has ended, and not before."""

    class Kept:
        """A client that remembers whether it was closed."""

        is_closed = False

        def send(self, request: bytes, timeout_s: float) -> bytes:
            """Refuse what is empty, while the files change."""
            assert not self.is_closed
            (tmp_path / "ca.pem").write_bytes(b"x" * len(made))
            if not request:
                raise ValueError("empty")
            return send(request[1:], timeout_s) if request[1:] else b""

        def close(self) -> None:
            """Remember it."""
            assert not self.is_closed
            self.is_closed = True

    made: list[Kept] = []

    def make() -> Kept:
        made.append(Kept())
        return made[-1]

    (tmp_path / "ca.pem").write_bytes(b"")
    client = renewed_client(ClientTls(ca_file="ca.pem"), tmp_path, "$.forward", make)
    send = client.send
    assert send(b"abc", 1) == b""  # each within the one before
    assert [each.is_closed for each in made] == [True, True, False]
    with pytest.raises(ValueError, match="empty"):
        send(b"", 1)
    assert [each.is_closed for each in made] == [True, True, True, False]
    client.close()
    assert all(each.is_closed for each in made)
