"""Who may send, over what: real certificates, real tokens, real gRPC."""

from __future__ import annotations

import os
import socket
import ssl
from base64 import b64encode
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_REFUSED
from otel_ml_processor.config import HttpDoor, ReceiveConfig, ServerTls
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.admission import Admission
from otel_ml_processor.receive.grpc_server import GrpcServer
from otel_ml_processor.receive.http_server import OtlpHttpServer
from otel_ml_processor.refusal import RefusalCause
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SERVER_TLS = ServerTls(cert_file="server.pem", key_file="server.key")
MUTUAL_TLS = ServerTls(cert_file="server.pem", key_file="server.key", client_ca_file="ca.pem")
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
ACKNOWLEDGE = {Signal.TRACES: lambda request, _: b""}


def write_identity(
    folder: Path, authority: trustme.CA, name: str = "server", **issue: object
) -> None:
    """Write a certificate for this machine into *folder*, and the authority that signed it; later than what was there."""
    certificate = authority.issue_cert("localhost", "127.0.0.1", **issue)  # type: ignore[arg-type]  # a test names what it likes
    (folder / f"{name}.key").write_bytes(certificate.private_key_pem.bytes())
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    (folder / f"{name}.pem").write_bytes(chain)
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())


@pytest.fixture(name="authority", scope="module")
def _authority() -> trustme.CA:
    """An authority that both sides trust."""
    return trustme.CA()


@contextmanager
def receiving(folder: Path, **settings: object) -> Iterator[tuple[str, SelfMetrics]]:
    """Run a receiver with *settings* until the block ends; give its address and what it counts."""
    metrics = SelfMetrics({METRIC_ML_PROCESSOR_REFUSED: RefusalCause})
    config = ReceiveConfig(endpoint="127.0.0.1:0", **settings)  # type: ignore[arg-type]  # a test names settings as it likes
    server = GrpcServer(config, ACKNOWLEDGE, Admission(1 << 20), metrics, folder=folder)
    server.start()
    try:
        yield f"127.0.0.1:{server.port}", metrics
    finally:
        server.stop(0)


def credentials(folder: Path, *, with_certificate: bool = False) -> grpc.ChannelCredentials:
    """Return what a client that trusts the authority in *folder* needs."""
    authority = (folder / "ca.pem").read_bytes()
    if not with_certificate:
        return grpc.ssl_channel_credentials(authority)
    key, certificate = (folder / "client.key").read_bytes(), (folder / "client.pem").read_bytes()
    return grpc.ssl_channel_credentials(authority, key, certificate)


def answer(
    address: str, tls: grpc.ChannelCredentials | None = None, **metadata: str
) -> grpc.StatusCode:
    """Return the status that a request gets."""
    channel = grpc.secure_channel(address, tls) if tls else grpc.insecure_channel(address)
    with channel:
        try:
            channel.unary_unary(EXPORT)(b"", timeout=60, metadata=tuple(metadata.items()))
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def refused(metrics: SelfMetrics) -> dict[str, int]:
    """Return the refused requests by cause, without zeros."""
    return {
        attributes["ml.processor.cause"]: count
        for name, attributes, count in metrics.snapshot()
        if name == METRIC_ML_PROCESSOR_REFUSED and count
    }


def test_over_tls_whoever_trusts_the_authority_gets_through(
    tmp_path: Path, authority: trustme.CA
) -> None:
    """In the clear, or with another authority, nobody does."""
    write_identity(tmp_path, authority)
    stranger = trustme.CA().cert_pem.bytes()
    with receiving(tmp_path, tls=SERVER_TLS) as (address, _):
        assert answer(address, credentials(tmp_path)) is grpc.StatusCode.OK
        assert answer(address, grpc.ssl_channel_credentials(stranger)) is UNAVAILABLE
        assert answer(address) is UNAVAILABLE


def test_where_callers_need_a_certificate_it_must_be_of_the_authority(
    tmp_path: Path, authority: trustme.CA
) -> None:
    """None, or one that somebody else signed, ends the connection; the right one gets through."""
    write_identity(tmp_path, authority)
    write_identity(tmp_path, authority, "client")
    with receiving(tmp_path, tls=MUTUAL_TLS) as (address, _):
        assert answer(address, credentials(tmp_path)) is UNAVAILABLE
        assert answer(address, credentials(tmp_path, with_certificate=True)) is grpc.StatusCode.OK
        other = tmp_path / "other"
        other.mkdir()
        write_identity(other, trustme.CA(), "client")
        (other / "ca.pem").write_bytes(authority.cert_pem.bytes())
        assert answer(address, credentials(other, with_certificate=True)) is UNAVAILABLE


def test_a_certificate_that_has_expired_is_replaced_without_a_restart(
    tmp_path: Path, authority: trustme.CA
) -> None:
    """The new file is what the next connection gets; a file that is no certificate changes nothing."""
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    write_identity(tmp_path, authority, not_after=yesterday)
    with receiving(tmp_path, tls=SERVER_TLS) as (address, _):
        assert answer(address, credentials(tmp_path)) is UNAVAILABLE

        write_identity(tmp_path, authority)
        newer(tmp_path / "server.pem")
        assert answer(address, credentials(tmp_path)) is grpc.StatusCode.OK

        (tmp_path / "server.pem").write_text("half a fi")
        assert answer(address, credentials(tmp_path)) is grpc.StatusCode.OK

        (tmp_path / "server.pem").unlink()
        assert answer(address, credentials(tmp_path)) is grpc.StatusCode.OK


def test_a_file_that_is_mended_is_read_though_it_looks_as_old(
    tmp_path: Path, authority: trustme.CA
) -> None:
    """Time and length tell nothing where they were kept, or where only the rights had been wrong."""
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    write_identity(tmp_path, authority, not_after=yesterday)
    with receiving(tmp_path, tls=SERVER_TLS) as (address, _):
        write_identity(tmp_path, authority)
        key = tmp_path / "server.key"
        content = key.read_bytes()
        key.write_bytes(b"x" * len(content))
        stat = key.stat()
        assert answer(address, credentials(tmp_path)) is UNAVAILABLE

        key.write_bytes(content)
        os.utime(key, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert answer(address, credentials(tmp_path)) is grpc.StatusCode.OK


def test_a_file_that_is_gone_is_said_once(
    tmp_path: Path, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with every connection: whoever may connect could fill the disk with it."""
    write_identity(tmp_path, authority)
    with receiving(tmp_path, tls=SERVER_TLS) as (address, _):
        (tmp_path / "server.key").unlink()
        for _ in range(3):
            assert answer(address, credentials(tmp_path)) is grpc.StatusCode.OK
    assert sum("the new ones are unusable" in line for line in caplog.messages) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_of_before_gets_by_new_authorities(
    tmp_path: Path, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    """Over HTTP: whoever had been let in takes up that session, with a certificate that nobody trusts any more."""
    write_identity(tmp_path, authority, "client")
    write_identity(tmp_path, authority)
    caller = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    caller.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    caller.maximum_version = version
    door = HttpDoor(endpoint="127.0.0.1:0", tls=MUTUAL_TLS)
    room = Admission(1 << 20)
    server = OtlpHttpServer(
        ReceiveConfig(), door, ACKNOWLEDGE, room, SelfMetrics(), folder=tmp_path
    )
    server.start()
    try:
        session, said = asked(server.endpoint, caller)
        assert said.startswith(b"HTTP/1.1 405")
        (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
        assert asked(server.endpoint, caller, session)[1] == b""

        (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
        asked(server.endpoint, caller, session)
        assert asked(server.endpoint, caller, session)[1].startswith(b"HTTP/1.1 405")
    finally:
        server.stop(0)


def asked(
    endpoint: str, caller: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession | None, bytes]:
    """Return the session and the answer that *caller* gets who takes up *session*; nothing where it is cut off."""
    host, _, port = endpoint.rpartition(":")
    with socket.create_connection((host, int(port)), 60) as plain:
        try:
            with caller.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
                tls.sendall(b"GET /v1/traces HTTP/1.1\r\nhost: localhost\r\n\r\n")
                said = tls.recv(100)  # a ticket comes with it
                return tls.session, said
        except OSError:
            return None, b""


def newer(path: Path) -> None:
    """Make *path* look changed, however coarse the clock of the file system is."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot read"), (b"", "expected PEM"), (b"words", "expected PEM")]
)
@pytest.mark.parametrize("file", ["server.pem", "server.key", "ca.pem"])
def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, authority: trustme.CA, file: str, content: bytes | None, said: str
) -> None:
    """Before anything listens, with the place in the configuration."""
    write_identity(tmp_path, authority)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    config = ReceiveConfig(endpoint="127.0.0.1:0", tls=MUTUAL_TLS)
    with pytest.raises(ConfigError, match=r"\$\.receive\.tls.*" + said) as raised:
        GrpcServer(config, ACKNOWLEDGE, Admission(1 << 20), SelfMetrics(), folder=tmp_path)
    assert file in str(raised.value)


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Bearer swordfish", grpc.StatusCode.OK),
        ("bearer swordfish", grpc.StatusCode.OK),
        ("Bearer sword", grpc.StatusCode.UNAUTHENTICATED),
        ("Bearer swordfish2", grpc.StatusCode.UNAUTHENTICATED),
        ("Bearer ", grpc.StatusCode.UNAUTHENTICATED),
        ("swordfish", grpc.StatusCode.UNAUTHENTICATED),
        ("Basic swordfish", grpc.StatusCode.UNAUTHENTICATED),
        (None, grpc.StatusCode.UNAUTHENTICATED),
    ],
)
def test_whoever_does_not_know_the_token_is_refused_and_counted(
    tmp_path: Path, authorization: str | None, expected: grpc.StatusCode
) -> None:
    """The spans are not taken, and the status tells the sender not to try again in vain."""
    (tmp_path / "token").write_text("swordfish\n")
    with receiving(tmp_path, bearer_token_file="token") as (address, metrics):
        metadata = {} if authorization is None else {"authorization": authorization}
        assert answer(address, **metadata) is expected
    is_refused = expected is grpc.StatusCode.UNAUTHENTICATED
    assert refused(metrics) == ({"unauthenticated": 1} if is_refused else {})


def test_a_new_token_is_in_force_when_its_file_is_written(tmp_path: Path) -> None:
    """The old one is refused from then on; an empty or missing file leaves the last one in force."""
    token = tmp_path / "token"
    token.write_text("old")
    with receiving(tmp_path, bearer_token_file="token") as (address, _):
        token.write_text("newer")
        assert answer(address, authorization="Bearer old") is grpc.StatusCode.UNAUTHENTICATED
        assert answer(address, authorization="Bearer newer") is grpc.StatusCode.OK
        token.write_text("")
        assert answer(address, authorization="Bearer newer") is grpc.StatusCode.OK
        assert answer(address, authorization="Bearer ") is grpc.StatusCode.UNAUTHENTICATED
        token.unlink()
        assert answer(address, authorization="Bearer newer") is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("door", "header"),
    [("bearer_token_file", "Bearer ann:tuna"), ("basic_auth_file", "Basic YW5uOnR1bmE=")],
)
def test_a_mark_that_an_editor_puts_before_a_secret_is_no_part_of_it(
    tmp_path: Path, door: str, header: str
) -> None:
    """Nobody sees it in the file, nobody could send it, and the refusal says nothing."""
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbfann:tuna\r\n")
    with receiving(tmp_path, **{door: "secret"}) as (address, _):
        assert answer(address, authorization=header) is grpc.StatusCode.OK


def test_a_new_token_is_in_force_though_its_file_looks_as_old(tmp_path: Path) -> None:
    """A copy that keeps the time, of a token that is as long as the one before."""
    token = tmp_path / "token"
    token.write_text("old")
    stat = token.stat()
    with receiving(tmp_path, bearer_token_file="token") as (address, _):
        token.write_text("new")
        os.utime(token, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert answer(address, authorization="Bearer new") is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("ann:tuna", grpc.StatusCode.OK),
        ("bob:a:b c", grpc.StatusCode.OK),
        ("ann:a:b c", grpc.StatusCode.UNAUTHENTICATED),
        ("ann", grpc.StatusCode.UNAUTHENTICATED),
        (":", grpc.StatusCode.UNAUTHENTICATED),
        ("eve:tuna", grpc.StatusCode.UNAUTHENTICATED),
    ],
)
def test_a_user_needs_the_password_of_that_user(
    tmp_path: Path, user: str, expected: grpc.StatusCode
) -> None:
    """Each line of the file is one who may send; a password may hold a colon and a space."""
    (tmp_path / "users").write_text("ann:tuna\n\nbob:a:b c\n")
    header = "Basic " + b64encode(user.encode()).decode()
    with receiving(tmp_path, basic_auth_file="users") as (address, _):
        assert answer(address, authorization=header) is expected
        assert answer(address, authorization="Basic") is grpc.StatusCode.UNAUTHENTICATED
        assert answer(address, authorization="Bearer ann:tuna") is grpc.StatusCode.UNAUTHENTICATED


def test_where_there_are_tokens_and_passwords_either_will_do(tmp_path: Path) -> None:
    """A door may change from the one to the other without a moment in which somebody is locked out."""
    (tmp_path / "token").write_text("swordfish")
    (tmp_path / "users").write_text("ann:tuna")
    basic = "Basic " + b64encode(b"ann:tuna").decode()
    with receiving(tmp_path, bearer_token_file="token", basic_auth_file="users") as (address, _):
        assert answer(address, authorization="Bearer swordfish") is grpc.StatusCode.OK
        assert answer(address, authorization=basic) is grpc.StatusCode.OK
        assert answer(address, authorization="Bearer tuna") is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("content", ["", "ann\n", "ann:tuna\n:x\n", "ann:\n"])
def test_a_file_of_users_with_a_line_that_lets_nobody_in_is_a_mistake(
    tmp_path: Path, content: str
) -> None:
    """The message names file and line, never what stands there."""
    (tmp_path / "users").write_text(content)
    config = ReceiveConfig(endpoint="127.0.0.1:0", basic_auth_file="users")
    with pytest.raises(ConfigError, match=r"\$\.receive\.basic_auth_file: .*users: ") as raised:
        GrpcServer(config, ACKNOWLEDGE, Admission(1 << 20), SelfMetrics(), folder=tmp_path)
    assert "ann" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        ("  \n", "the file is empty"),
        ("tuna\nbass\n", "expected one token, found several words or lines"),
        ("Bearer tuna\n", "expected one token, found several words or lines"),
    ],
)
def test_a_token_file_that_says_nothing_is_a_mistake(
    tmp_path: Path, content: str | None, said: str
) -> None:
    """Nobody could ever get through, so nothing starts."""
    if content is not None:
        (tmp_path / "token").write_text(content)
    config = ReceiveConfig(endpoint="127.0.0.1:0", bearer_token_file="token")
    with pytest.raises(ConfigError, match=r"\$\.receive\.bearer_token_file.*" + said) as raised:
        GrpcServer(config, ACKNOWLEDGE, Admission(1 << 20), SelfMetrics(), folder=tmp_path)
    assert "tuna" not in str(raised.value)


def test_health_is_told_without_a_token(tmp_path: Path) -> None:
    """Whoever orchestrates asks for the health of a running processor and knows no secrets."""
    (tmp_path / "token").write_text("swordfish")
    with (
        receiving(tmp_path, bearer_token_file="token") as (address, _),
        grpc.insecure_channel(address) as channel,
    ):
        health = HealthStub(channel).Check(HealthCheckRequest(), timeout=60)
    assert health.status == HealthCheckResponse.SERVING


def test_health_ends_before_the_requests_do(tmp_path: Path) -> None:
    """While those in flight are still answered, no new ones are sent to us."""
    seen: list[int] = []
    config = ReceiveConfig(endpoint="127.0.0.1:0")

    def take(request: bytes, _: float | None) -> bytes:
        seen.append(request[0])
        return b""

    server = GrpcServer(
        config, {Signal.TRACES: take}, Admission(1 << 20), SelfMetrics(), folder=tmp_path
    )
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        watched = HealthStub(channel).Watch(HealthCheckRequest(), timeout=60)
        assert next(watched).status == HealthCheckResponse.SERVING
        server.stop(5)
        assert next(watched).status == HealthCheckResponse.NOT_SERVING
