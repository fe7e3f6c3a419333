"""The client against real gRPC servers that accept, refuse, hang, lie and disappear."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import pytest
import trustme
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import DebugInfo, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from otel_ml_processor.config import ClientTls
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.forward.otlp_client import (
    LOGS,
    MAX_RESPONSE,
    METRICS,
    TRACES,
    OtlpClient,
    answer_of,
    rejected_items,
)
from otel_ml_processor.forward.tls import channel_credentials, channel_options
from otel_ml_processor.refusal import Refusal, RefusalCause
from tests.integration.real_servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

Answer: TypeAlias = Callable[[bytes, grpc.ServicerContext], bytes]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
).SerializeToString()


@contextmanager
def serving(
    answer: Answer,
    method: str = TRACES,
    port: int = 0,
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[str]:
    """Serve one method with *answer* on *port* until the block ends, in the clear or with *credentials*; give its address."""
    service, name = method[1:].split("/")
    handler = grpc.method_handlers_generic_handler(
        service, {name: grpc.unary_unary_rpc_method_handler(answer)}
    )
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers((handler,))
        address = f"127.0.0.1:{port}"
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0).wait()


@contextmanager
def next_hop(answer: Answer, method: str = TRACES) -> Iterator[OtlpClient]:
    """Give a client of a next hop that answers with *answer*."""
    with serving(answer, method) as address:
        client = OtlpClient(address, method)
        try:
            yield client
        finally:
            client.close()


def refusing(code: grpc.StatusCode, *details: bytes) -> Answer:
    """Return an answer that is *code*, with these bytes as its status details."""

    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata([("grpc-status-details-bin", detail) for detail in details])
        context.abort(code, "because")
        raise AssertionError

    return answer


def status(after: Duration | None, code: int = 8) -> bytes:
    """Return the details of a status, among others a RetryInfo if *after* is given."""
    made = Status(code=code)
    made.details.add().Pack(DebugInfo(detail="elsewhere"))
    if after is not None:
        made.details.add().Pack(RetryInfo(retry_delay=after))
    return made.SerializeToString()


def refusal(answer: Answer, timeout_s: float = 60.0) -> Refusal:
    """Return what the client makes of *answer*."""
    with next_hop(answer) as client, pytest.raises(Refusal) as refused:
        client.send(b"spans", timeout_s)
    assert refused.value.cause is RefusalCause.NEXT_HOP
    return refused.value


@pytest.mark.parametrize("method", [TRACES, METRICS, LOGS])
def test_the_bytes_arrive_and_the_answer_comes_back(method: str) -> None:
    """Both unchanged, for every kind of telemetry."""
    received: list[bytes] = []

    def answer(request: bytes, _: grpc.ServicerContext) -> bytes:
        received.append(request)
        return b""

    with next_hop(answer, method) as client:
        assert client.send(b"\xff any bytes", 60.0) == b""

    assert received == [b"\xff any bytes"]


def test_a_partial_success_is_the_callers_business() -> None:
    """It comes back unchanged, and says how many were rejected: they are not sent again."""
    with next_hop(lambda request, context: PARTIAL) as client:
        response = client.send(b"spans", 60.0)

    assert response == PARTIAL
    assert rejected_items(response) == 3


@pytest.mark.parametrize(
    "response",
    [
        b"",
        ExportTraceServiceResponse(
            partial_success=ExportTracePartialSuccess(error_message="just a warning")
        ).SerializeToString(),
        ExportTraceServiceResponse(
            partial_success=ExportTracePartialSuccess(rejected_spans=-5)
        ).SerializeToString(),
        b"\xff\xff",
    ],
)
def test_a_full_success_rejects_nothing(response: bytes) -> None:
    """Nor does a warning, an impossible number or garbage."""
    assert rejected_items(response) == 0


def test_garbage_after_a_success_is_a_success() -> None:
    """The status said that the spans were accepted; our caller must not fail over bytes that it cannot read."""
    with next_hop(lambda request, context: b"\xff\xff\xff") as client:
        assert client.send(b"spans", 60.0) == b""


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    ],
)
def test_what_may_be_sent_again_is_unavailable(code: grpc.StatusCode) -> None:
    """OTLP's retryable codes all become the one that every exporter repeats, after a second."""
    refused = refusal(refusing(code))

    assert (refused.code, refused.retry_after_s) == (UNAVAILABLE, 1.0)
    assert code.name in refused.message
    assert "because" in refused.message


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAUTHENTICATED,
    ],
)
def test_what_is_final_stays_as_it_was_received(code: grpc.StatusCode) -> None:
    """Repeating it would change nothing: the code is passed on, without a time to try again."""
    refused = refusal(refusing(code))

    assert (refused.code, refused.retry_after_s) == (code, None)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN]
)
def test_a_time_makes_nothing_of_what_is_final(code: grpc.StatusCode) -> None:
    """OTLP lets RetryInfo decide of RESOURCE_EXHAUSTED alone: a request that is wrong would be sent for ever."""
    refused = refusal(refusing(code, status(Duration(seconds=2))))

    assert (refused.code, refused.retry_after_s) == (code, None)


@pytest.mark.parametrize("code", [UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
@pytest.mark.parametrize(
    ("delay", "after_s"),
    [
        (Duration(seconds=2, nanos=500_000_000), 2.5),
        (Duration(), 0.0),
        (Duration(seconds=-5), 0.0),
        (Duration(seconds=10**11), 3600.0),
    ],
)
def test_a_time_to_try_again_is_passed_on(
    code: grpc.StatusCode, delay: Duration, after_s: float
) -> None:
    """With it, RESOURCE_EXHAUSTED may be repeated too; a delay of three thousand years is an hour."""
    refused = refusal(refusing(code, status(delay)))

    assert (refused.code, refused.retry_after_s) == (UNAVAILABLE, after_s)


@pytest.mark.parametrize(
    "details",
    [
        b"",
        b"\xff\xff\xff",
        status(None),
        Status(
            code=8,
            details=[{"type_url": "type.googleapis.com/google.rpc.RetryInfo", "value": b"\xff"}],
        ).SerializeToString(),
        Status(code=8, details=[{"type_url": "", "value": b"x"}]).SerializeToString(),
    ],
)
def test_details_that_say_no_time_are_none(details: bytes) -> None:
    """Other details, and such as cannot be read, leave RESOURCE_EXHAUSTED final."""
    refused = refusal(refusing(grpc.StatusCode.RESOURCE_EXHAUSTED, details))

    assert (refused.code, refused.retry_after_s) == (grpc.StatusCode.RESOURCE_EXHAUSTED, None)


def test_a_next_hop_that_fails_inside_is_final_as_received() -> None:
    """Its UNKNOWN is its word; whether it is right to drop then is for the sender to know."""

    def answer(_: bytes, __: grpc.ServicerContext) -> bytes:
        raise ZeroDivisionError

    refused = refusal(answer)

    assert refused.code is grpc.StatusCode.UNKNOWN


def test_a_long_reason_is_a_reason() -> None:
    """A next hop that is away for now and says at length why, as a chain of collectors does, is to be repeated."""

    def refuse(_: bytes, context: grpc.ServicerContext) -> bytes:
        status = Status(code=14, message="x" * 30_000).SerializeToString()
        context.set_trailing_metadata([("grpc-status-details-bin", status)])
        context.abort(UNAVAILABLE, "x" * 30_000)

    with next_hop(refuse) as client, pytest.raises(Refusal) as raised:
        client.send(b"spans", 60)
    assert raised.value.code is UNAVAILABLE
    assert raised.value.retry_after_s is not None


def test_a_next_hop_that_hangs_is_not_waited_for() -> None:
    """After our own deadline nobody knows whether the spans arrived: UNAVAILABLE, so that they are not lost."""
    leave = threading.Event()

    def answer(_: bytes, __: grpc.ServicerContext) -> bytes:
        leave.wait(60)
        return b""

    with next_hop(answer) as client:
        with pytest.raises(Refusal) as refused:
            client.send(b"spans", 0.05)
        leave.set()

    assert (refused.value.code, refused.value.retry_after_s) == (UNAVAILABLE, 1.0)
    assert "DEADLINE_EXCEEDED" in refused.value.message


def test_an_answer_may_have_four_mebibytes_and_no_more() -> None:
    """A larger one is cut off, compressed or not: it is final, since the next hop would say it again. Of a long one the message is cut."""
    largest = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(error_message="x" * (MAX_RESPONSE - 10))
    ).SerializeToString()
    assert len(largest) == MAX_RESPONSE

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_compression(grpc.Compression.Gzip)
        return largest + b"\x78\x01" * int(request)

    with next_hop(answer) as client:
        answered = ExportTraceServiceResponse.FromString(client.send(b"0", 60.0))
        assert answered.partial_success.error_message == "x" * 1024
        with pytest.raises(Refusal) as refused:
            client.send(b"1", 60.0)

    assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.retry_after_s is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            {"rejected_spans": 3, "error_message": "é" * 4000},
            {"rejected_spans": 3, "error_message": "é" * 512},
        ),
        (
            {"rejected_spans": 3, "error_message": "a" + "é" * 4000},
            {"rejected_spans": 3, "error_message": "a" + "é" * 511},
        ),
        (None, None),
    ],
)
def test_an_answer_is_short_enough_to_be_remembered(
    said: dict[str, Any] | None, expected: dict[str, Any] | None
) -> None:
    """Sixty-five thousand of them are: how many were rejected is said, the message is cut between characters, and what nobody can read is left out."""
    unknown = b"\x7a\x80\x20" + b"u" * 4096

    def response(parts: dict[str, Any] | None) -> bytes:
        partial = None if parts is None else ExportTracePartialSuccess(**parts)
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()

    assert answer_of(response(said) + unknown) == response(expected)


def test_a_large_request_is_the_next_hops_to_judge() -> None:
    """Nothing of ours limits what is sent; a next hop with the usual limit says so itself."""
    refused = refusal_of_size(5 << 20)

    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "4194304" in refused.message


def refusal_of_size(size: int) -> Refusal:
    """Return how a next hop with the usual limit of 4 MiB refuses *size* bytes."""
    with next_hop(lambda request, context: b"") as client:
        with pytest.raises(Refusal) as refused:
            client.send(bytes(size), 60.0)
        return refused.value


def test_a_dead_next_hop_is_noticed_at_once_and_again_when_it_is_back() -> None:
    """Nothing waits while nobody listens; the same client delivers as soon as somebody does."""
    port = free_port()
    with serving(lambda request, context: b"", port=port) as address:
        pass
    client = OtlpClient(address)
    with pytest.raises(Refusal) as refused:
        client.send(b"spans", 60.0)

    with serving(lambda request, context: b"", port=port):
        assert delivered(client) == b""
    client.close()

    assert (refused.value.code, refused.value.retry_after_s) == (UNAVAILABLE, 1.0)
    assert address in refused.value.message


def delivered(client: OtlpClient) -> bytes:
    """Return the answer as soon as *client* gets one."""
    while True:
        with suppress(Refusal):
            return client.send(b"spans", 60.0)
        threading.Event().wait(0.05)


def test_headers_and_compression_go_with_every_request() -> None:
    """What the operator says of a next hop: who we are, and that bytes are dear."""
    seen: list[dict[str, object]] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append({"request": request, **dict(context.invocation_metadata())})
        return b""

    with serving(answer) as address:
        client = OtlpClient(
            address, headers={"authorization": "Bearer x"}, compression=grpc.Compression.Gzip
        )
        client.send(b"0" * 10_000, 60)
        client.close()

    assert seen[0]["request"] == b"0" * 10_000
    assert seen[0]["authorization"] == "Bearer x"


@pytest.mark.parametrize("authority_is_known", [True, False])
def test_over_tls_only_a_next_hop_of_a_known_authority_gets_spans(
    tmp_path: Path, *, authority_is_known: bool
) -> None:
    """The right one is spoken to; a stranger's gets nothing, and the sender is told to try again."""
    authority = trustme.CA()
    certificate = authority.issue_cert("jaeger.example")
    known = authority if authority_is_known else trustme.CA()
    (tmp_path / "ca.pem").write_bytes(known.cert_pem.bytes())
    key = certificate.private_key_pem.bytes()
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    handler = grpc.method_handlers_generic_handler(
        TRACES[1:].split("/")[0],
        {"Export": grpc.unary_unary_rpc_method_handler(lambda *_: b"")},
    )
    config = ClientTls(ca_file="ca.pem", server_name_override="jaeger.example")
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads, (handler,))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
        server.start()
        client = OtlpClient(
            f"127.0.0.1:{port}",
            tls=channel_credentials(config, tmp_path, "$.forward"),
            options=channel_options(config),
        )
        if authority_is_known:
            assert client.send(b"", 60) == b""
        else:
            with pytest.raises(Refusal) as refused:
                client.send(b"", 60)
            assert refused.value.code is UNAVAILABLE
        client.close()
        server.stop(0).wait()


@pytest.mark.parametrize(("content", "said"), [(None, "cannot read"), ("words", "expected PEM")])
@pytest.mark.parametrize("field", ["ca_file", "cert_file", "key_file"])
def test_certificates_that_cannot_be_used_are_named(
    tmp_path: Path, field: str, content: str | None, said: str
) -> None:
    """The place in the configuration, the file, and what was expected."""
    if content is not None:
        (tmp_path / "file.pem").write_text(content)
    with pytest.raises(ConfigError, match=rf"\$\.emit\.tls\.{field}: {said}.*file\.pem"):
        channel_credentials(ClientTls(**{field: "file.pem"}), tmp_path, "$.emit")
