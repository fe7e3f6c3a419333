"""The client of OTLP/HTTP against real peers: what they answer, in the words that our own caller must get."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from otel_ml_processor.config import ClientTls
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.forward.http_client import OtlpHttpClient
from otel_ml_processor.forward.tls import client_context
from otel_ml_processor.refusal import Refusal, RefusalCause
from tests.integration.real_servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CODE = grpc.StatusCode
PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=3)
).SerializeToString()


class Peer:
    """A server that speaks HTTP as badly as a test wants: *behave* gets the socket of each request that was read."""

    def __init__(
        self, behave: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self._behave = behave
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while line := stream.readline():
                    headers = dict(_headers(stream))
                    body = stream.read(int(headers.get("content-length", "0")))
                    self.requests.append((line.decode().strip(), headers, body))
                    self._behave(connection)
        except OSError:
            return

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()


def _headers(stream: object) -> Iterator[tuple[str, str]]:
    while line := stream.readline().decode().strip():  # type: ignore[attr-defined]  # a stream of bytes
        name, _, value = line.partition(":")
        yield name.lower(), value.strip()


@contextmanager
def peer_that(
    behave: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[Peer]:
    """Run a peer until the block ends."""
    peer = Peer(behave, tls)
    try:
        yield peer
    finally:
        peer.close()


def answering(status: str, body: bytes = b"", *headers: str) -> Callable[[socket.socket], None]:
    """Return what answers like that."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + body)


def refusal_of(
    behave: Callable[[socket.socket], None], timeout_s: float = 60, request: bytes = b"x"
) -> Refusal:
    """Return the refusal that a peer which behaves like that leads to."""
    with peer_that(behave) as peer:
        client = OtlpHttpClient(peer.endpoint, "/v1/traces")
        with pytest.raises(Refusal) as raised:
            client.send(request, timeout_s)
        client.close()
    assert raised.value.cause is RefusalCause.NEXT_HOP
    assert peer.endpoint in raised.value.message
    return raised.value


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_bytes_arrive_with_all_headers_over_one_connection(compression: str) -> None:
    """Protobuf, at the path of the signal, below the prefix of the endpoint; the connection is kept."""
    with peer_that(answering("200 OK", PARTIAL)) as peer:
        client = OtlpHttpClient(
            f"{peer.endpoint}/otlp/",
            "/v1/traces",
            headers={"authorization": "Bearer x"},
            compression=compression,  # type: ignore[arg-type]  # one of the two
        )
        answers = [client.send(b"payload" * n, 60) for n in (1, 2)]
        client.close()
    assert answers == [PARTIAL, PARTIAL]
    assert peer.connections == 1
    for n, (line, headers, body) in enumerate(peer.requests, start=1):
        assert line == "POST /otlp/v1/traces HTTP/1.1"
        assert headers["content-type"] == "application/x-protobuf"
        assert headers["authorization"] == "Bearer x"
        assert headers.get("content-encoding", "none") == compression
        assert (gzip.decompress(body) if compression == "gzip" else body) == b"payload" * n


STATUS = Status(code=3, message="bad field").SerializeToString()
DETAILED = Status(code=14, message="wait")
DETAILED.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=7, nanos=500_000_000)))


@pytest.mark.parametrize(
    ("status", "code", "after_s"),
    [
        ("429 Too Many", CODE.UNAVAILABLE, 1.0),
        ("502 Bad Gateway", CODE.UNAVAILABLE, 1.0),
        ("503 Unavailable", CODE.UNAVAILABLE, 1.0),
        ("504 Timeout", CODE.UNAVAILABLE, 1.0),
        ("400 Bad", CODE.INVALID_ARGUMENT, None),
        ("401 Who", CODE.UNAUTHENTICATED, None),
        ("403 No", CODE.PERMISSION_DENIED, None),
        ("404 Where", CODE.UNIMPLEMENTED, None),
        ("405 How", CODE.UNIMPLEMENTED, None),
        ("413 Large", CODE.RESOURCE_EXHAUSTED, None),
        ("415 What", CODE.UNIMPLEMENTED, None),
        ("418 Teapot", CODE.INTERNAL, None),
        ("500 Broken", CODE.INTERNAL, None),
        ("302 Moved", CODE.INTERNAL, None),
    ],
)
def test_every_status_has_its_meaning(
    status: str, code: grpc.StatusCode, after_s: float | None
) -> None:
    """What OTLP has senders of HTTP repeat is what our own caller is told to repeat, and nothing else; redirects are not followed."""
    refusal = refusal_of(answering(status, STATUS, "location: http://127.0.0.1:9/"))
    assert (refusal.code, refusal.retry_after_s) == (code, after_s)
    assert f"HTTP {status[:3]}: bad field" in refusal.message


@pytest.mark.parametrize(
    ("headers", "body", "after_s"),
    [
        (["retry-after: 12"], b"", 12.0),
        (["retry-after: 0"], b"", 0.0),
        (["retry-after: 99999999999999999999"], b"", 3600.0),
        (["retry-after: -3"], b"", 1.0),
        (["retry-after: soon"], b"", 1.0),
        (["retry-after: \xb2"], b"", 1.0),
        ([], DETAILED.SerializeToString(), 7.5),
        (["retry-after: 2"], DETAILED.SerializeToString(), 2.0),
        ([], b"<html>503</html>", 1.0),
    ],
)
def test_when_to_come_again_is_read_where_it_is_said(
    headers: list[str], body: bytes, after_s: float
) -> None:
    """In the header as seconds, in the body as RetryInfo, at most an hour; else our own word for it."""
    assert refusal_of(answering("503 Later", body, *headers)).retry_after_s == after_s


def test_when_to_come_again_may_be_a_date() -> None:
    """As HTTP allows; what is past is now."""
    ahead = formatdate(time.time() + 60, usegmt=True)
    said = refusal_of(answering("503 Later", b"", f"retry-after: {ahead}")).retry_after_s
    assert said is not None
    assert 30 < said <= 60
    past = formatdate(time.time() - 60, usegmt=True)
    assert refusal_of(answering("503 Later", b"", f"retry-after: {past}")).retry_after_s == 0


def test_nobody_listening_is_to_be_repeated() -> None:
    """The connection is refused: UNAVAILABLE at once."""
    endpoint = f"127.0.0.1:{free_port()}"
    with pytest.raises(Refusal) as raised:
        OtlpHttpClient(endpoint, "/v1/traces").send(b"", 60)
    assert raised.value.code is CODE.UNAVAILABLE
    place, _, said = raised.value.message.partition(": UNAVAILABLE: NewConnectionError: ")
    assert place == f"next hop {endpoint}"
    assert re.fullmatch(r"Failed to establish .*Connection refused", said)


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side leaves."""
    connection.recv(1)


def trickle(text: bytes) -> Callable[[socket.socket], None]:
    """Return what says *text* and then a byte every now and then, without end."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(text)
        pause = threading.Event()
        while not pause.wait(0.05):
            connection.sendall(b"a")

    return behave


TRICKLES = {
    "nothing": hang,
    "the status line": trickle(b"HTTP/1.1 200 "),
    "the headers": trickle(b"HTTP/1.1 200 OK\r\nx: "),
}


@pytest.mark.parametrize("behave", TRICKLES.values(), ids=TRICKLES)
def test_a_peer_that_hangs_or_trickles_is_left_in_time(
    behave: Callable[[socket.socket], None],
) -> None:
    """The timeout is for all of it: a byte now and then does not keep us; the outcome is unknown, so it is to be repeated."""
    begin = time.monotonic()
    refusal = refusal_of(behave, timeout_s=0.4)
    assert refusal.code is CODE.UNAVAILABLE
    assert "DEADLINE_EXCEEDED" in refusal.message
    assert time.monotonic() - begin < 60


def test_a_success_whose_body_trickles_is_a_success() -> None:
    """The status has said that it was accepted; what follows is not waited for beyond the timeout."""
    with peer_that(trickle(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")) as peer:
        assert OtlpHttpClient(peer.endpoint, "/v1/traces").send(b"x", 5.0) == b""


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x00\xff" * 100,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000,
    ],
)
def test_what_is_no_http_is_to_be_repeated(text: bytes) -> None:
    """Reset, garbage, too many headers: nobody said that it was accepted."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_RDWR)

    assert refusal_of(behave).code is CODE.UNAVAILABLE


@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", bytes([10]) * (5 << 20)], ids=["html", "5 MiB"]
)
def test_a_success_with_a_body_that_is_no_answer_is_a_success(body: bytes) -> None:
    """Our caller must not fail over what follows the status."""
    with peer_that(answering("200 OK", body)) as peer:
        client = OtlpHttpClient(peer.endpoint, "/v1/traces")
        assert client.send(b"x", 60) == b""
        assert client.send(b"x", 60) == b""


def test_a_compressed_answer_is_not_expanded() -> None:
    """We did not ask for one, and it could be a bomb: 1 GiB of zeros in 1 MiB."""
    bomb = gzip.compress(bytes(1 << 24))
    with peer_that(answering("503 Later", bomb, "content-encoding: gzip")) as peer:
        with pytest.raises(Refusal) as raised:
            OtlpHttpClient(peer.endpoint, "/v1/traces").send(b"x", 60)
        assert peer.requests[0][1]["accept-encoding"] == "identity"
    assert len(raised.value.message) < 500


def test_an_answer_that_ends_the_connection_is_read_to_its_end() -> None:
    """`connection: close`, with and without a length, chunked: each is an answer, and the next request connects again."""

    def close(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + PARTIAL)
        connection.shutdown(socket.SHUT_RDWR)

    chunk = f"{len(PARTIAL):x}\r\n".encode() + PARTIAL + b"\r\n0\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk
    for behave, connections in ((close, 2), (lambda c: c.sendall(chunked), 1)):
        with peer_that(behave) as peer:
            client = OtlpHttpClient(peer.endpoint, "/v1/traces")
            assert [client.send(b"x", 60) for _ in range(2)] == [PARTIAL, PARTIAL]
            assert peer.connections == connections


def test_an_old_connection_is_no_reason_to_fail() -> None:
    """The time of the last request is over, the time of the next one begins anew."""
    with peer_that(answering("200 OK")) as peer:
        client = OtlpHttpClient(peer.endpoint, "/v1/traces")
        client.send(b"x", 4.0)
        threading.Event().wait(4.1)
        assert client.send(b"x", 60) == b""
        assert peer.connections == 1


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """Return what a server with a certificate of *authority* needs, who asks callers for one of the same."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def write_client(folder: Path, authority: trustme.CA, trusted: trustme.CA) -> ClientTls:
    """Write what a client needs into *folder* and return what names it."""
    own = authority.issue_cert("client.example.org")
    (folder / "ca.pem").write_bytes(trusted.cert_pem.bytes())
    (folder / "own.pem").write_bytes(own.cert_chain_pems[0].bytes())
    (folder / "own.key").write_bytes(own.private_key_pem.bytes())
    return ClientTls(ca_file="ca.pem", cert_file="own.pem", key_file="own.key")


@pytest.mark.parametrize("is_tls", [False, True])
def test_what_waits_for_an_answer_ends_with_the_client(*, is_tls: bool) -> None:
    """As over gRPC: a processor that is told to end does not wait for a next hop that hangs, however long its callers would."""
    asked, authority = threading.Event(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with peer_that(lambda _: asked.set(), server if is_tls else None) as peer:
        client = OtlpHttpClient(peer.endpoint, "/v1/traces", tls=trusting if is_tls else None)
        with ThreadPoolExecutor(1) as thread:
            sent = thread.submit(client.send, b"x", 300)
            assert asked.wait(60)
            client.close()
            refusal = sent.exception(timeout=60)
    assert isinstance(refusal, Refusal)
    assert refusal.code is CODE.UNAVAILABLE


def test_a_client_ends_while_a_connection_is_being_made() -> None:
    """The other side has taken it and says nothing, so TLS has not begun: that wait is a short one, and its own."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as thread:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        client = OtlpHttpClient(endpoint, "/v1/traces", tls=ssl.create_default_context())
        sent = thread.submit(client.send, b"x", 300)
        connection, _ = silent.accept()
        assert connection.recv(1)
        client.close()
        connection.close()
        refusal = sent.exception(timeout=60)
    assert isinstance(refusal, Refusal)
    assert refusal.code is CODE.UNAVAILABLE


def test_over_tls_both_sides_must_know_the_other(tmp_path: Path) -> None:
    """The right authority gets through; another one, or another name, does not."""
    authority, stranger = trustme.CA(), trustme.CA()
    files = write_client(tmp_path, authority, authority)
    trusting = client_context(files, tmp_path, "$.forward")
    with peer_that(answering("200 OK"), server_context(authority)) as peer:
        assert OtlpHttpClient(peer.endpoint, "/v1/traces", tls=trusting).send(b"x", 60) == b""
        other = client_context(write_client(tmp_path, stranger, stranger), tmp_path, "$.forward")
        with pytest.raises(Refusal) as raised:
            OtlpHttpClient(peer.endpoint, "/v1/traces", tls=other).send(b"x", 60)
        assert raised.value.code is CODE.UNAVAILABLE
        assert "certificate verify failed" in raised.value.message
    named = server_context(authority, "inside.example.org")
    with peer_that(answering("200 OK"), named) as peer:
        with pytest.raises(Refusal):
            OtlpHttpClient(peer.endpoint, "/v1/traces", tls=trusting).send(b"x", 60)
        name = "inside.example.org"
        client = OtlpHttpClient(peer.endpoint, "/v1/traces", tls=trusting, server_name=name)
        assert client.send(b"x", 60) == b""


@pytest.mark.parametrize("file", ["ca.pem", "own.pem", "own.key"])
def test_files_that_cannot_be_used_are_named(tmp_path: Path, file: str) -> None:
    """With the place in the configuration, before anything is sent."""
    authority = trustme.CA()
    config = write_client(tmp_path, authority, authority)
    (tmp_path / file).write_text("words")
    with pytest.raises(ConfigError, match=r"\$\.forward\.tls\.\w+: expected PEM") as raised:
        client_context(config, tmp_path, "$.forward")
    assert file in str(raised.value)


def test_key_and_certificate_must_belong_together(tmp_path: Path) -> None:
    """Another key is found before anything is sent."""
    authority = trustme.CA()
    config = write_client(tmp_path, authority, authority)
    other = authority.issue_cert("client.example.org")
    (tmp_path / "own.key").write_bytes(other.private_key_pem.bytes())
    with pytest.raises(ConfigError, match=r"\$\.forward\.tls: cannot use these files"):
        client_context(config, tmp_path, "$.forward")


def test_an_endpoint_that_is_none_is_refused() -> None:
    """At once, with what an address looks like."""
    with pytest.raises(ConfigError, match=r"\$\.forward\.endpoint: expected host:port"):
        OtlpHttpClient("https://example.com", "/v1/traces", place="$.forward.endpoint")
