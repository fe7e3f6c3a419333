"""The HTTP door against real HTTP clients: every case has the status that OTLP gives it, and is counted."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
import trustme
import zstandard
from google.protobuf.json_format import Parse
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_REFUSED
from otel_ml_processor.config import HttpDoor, ReceiveConfig, ServerTls, Size
from otel_ml_processor.decode.wire import scan
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive import http_server
from otel_ml_processor.receive.admission import Admission
from otel_ml_processor.receive.http_server import OtlpHttpServer
from otel_ml_processor.receive.web_server import WebServer
from otel_ml_processor.refusal import Refusal, RefusalCause
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.signals import Signal
from tests.data.export_requests import export_request, inference_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_ml_processor.receive.door import Take

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
)


class Door:
    """A running door on a free port, a client of it, and what was counted."""

    def __init__(self, take: Take, folder: Path, door: HttpDoor, receive: ReceiveConfig) -> None:
        self.metrics = SelfMetrics({METRIC_ML_PROCESSOR_REFUSED: RefusalCause})
        self.admission = Admission(receive.max_in_flight)
        takes = dict.fromkeys(Signal, take)
        self.server = OtlpHttpServer(
            receive, door, takes, self.admission, self.metrics, folder=folder
        )
        self.server.start()
        self.client = httpx.Client(
            base_url=f"http://{self.server.endpoint}", trust_env=False, timeout=60
        )

    def post(
        self, body: bytes, kind: str = PROTOBUF, path: str = "/v1/traces", **headers: str
    ) -> httpx.Response:
        """Return the answer to *body*."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=body, headers={"content-type": kind, **named})

    def refused(self) -> dict[str, int]:
        """Return the refused requests by cause, without zeros."""
        return {
            attributes["ml.processor.cause"]: count
            for name, attributes, count in self.metrics.snapshot()
            if name == METRIC_ML_PROCESSOR_REFUSED and count
        }


@contextmanager
def opened(
    take: Take, folder: Path = Path(), door: HttpDoor | None = None, **settings: object
) -> Iterator[Door]:
    """Run a door with *take* behind it and *settings* of `receive` until the block ends."""
    receive = ReceiveConfig(**settings)  # type: ignore[arg-type]  # a test names settings as it likes
    running = Door(take, folder, door or HttpDoor(endpoint="127.0.0.1:0"), receive)
    try:
        yield running
    finally:
        running.client.close()
        running.server.stop(5)


def status_of(response: httpx.Response) -> Status:
    """Return the body of an error, in whichever format it has been asked for."""
    if response.headers["content-type"] == JSON:
        return Parse(response.content, Status())
    assert response.headers["content-type"] == PROTOBUF
    return Status.FromString(response.content)


def retry_delay_s(status: Status) -> float | None:
    """Return what RetryInfo says; None without one."""
    info = RetryInfo()
    for detail in status.details:
        assert detail.Unpack(info)
        return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None


class Taken:
    """Keeps what is taken and answers *response*."""

    def __init__(self, response: bytes = b"") -> None:
        self.requests: list[bytes] = []
        self.response = response

    def __call__(self, request: bytes, remaining_s: float | None) -> bytes:
        """Keep it; HTTP has no deadlines."""
        assert remaining_s is None
        self.requests.append(request)
        return self.response


def refusing(refusal: Exception) -> Take:
    """Return what refuses everything."""

    def take(_: bytes, __: float | None) -> bytes:
        raise refusal

    return take


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("encoding", [*COMPRESSIONS, ""])
def test_protobuf_arrives_as_it_was_sent(encoding: str) -> None:
    """The bytes before they were compressed, unchanged (a header without a value says nothing); the answer goes back as protobuf."""
    taken = Taken(PARTIAL.SerializeToString())
    body = b"any bytes \x00\xff" * 100
    with opened(taken) as door:
        answer = door.post(COMPRESSIONS.get(encoding, bytes)(body), content_encoding=encoding)
    assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF)
    assert ExportTraceServiceResponse.FromString(answer.content) == PARTIAL
    assert taken.requests == [body]
    assert door.refused() == {}


def test_several_members_of_one_body_are_one_request() -> None:
    """Gzip and zstd may be written in several pieces, one behind the other, which is how streams are compressed."""
    taken = Taken()
    with opened(taken) as door:
        for encoding, compress in COMPRESSIONS.items():
            body = compress(b"one") + compress(b"two" * 1000)
            assert door.post(body, content_encoding=encoding).status_code == 200
    assert taken.requests == [b"one" + b"two" * 1000] * 3


def test_json_becomes_the_protobuf_that_it_says() -> None:
    """Ids in hexadecimal, numbers as texts, fields that nobody knows: as OTLP writes JSON; answered in JSON."""
    taken = Taken(PARTIAL.SerializeToString())
    with opened(taken) as door:
        answer = door.post(JSON_REQUEST.encode(), f"{JSON}; charset=utf-8")
    assert answer.headers["content-type"] == JSON
    assert answer.json() == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}
    (request,) = taken.requests
    (group,) = ExportTraceServiceRequest.FromString(request).resource_spans
    span = group.scope_spans[0].spans[0]
    assert span.trace_id == bytes.fromhex("5B8EFFF798038103D269B633813FC60C")
    assert span.span_id == bytes.fromhex("eee19b7ec3c1b174")
    assert span.links[0].span_id == bytes.fromhex("0102030405060708")
    assert span.parent_span_id == b""
    assert (span.kind, span.end_time_unix_nano) == (2, 1544712661000000000)
    values = {a.key: a.value for a in span.attributes}
    assert values["traceId"].string_value == "not an id"
    assert values["n"].int_value == 2**53 + 1
    assert values["raw"].bytes_value == b"\xff\x00"
    assert not span.HasField("status")


JSON_REQUEST = """
{"resourceSpans": [{"resource": {"attributes": []}, "whatIsThis": {"spanId": "zz"}, "scopeSpans": [{"spans": [{
    "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174", "parentSpanId": "",
    "name": "predict", "kind": 2, "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": 1544712661000000000,
    "links": [{"spanId": "0102030405060708"}],
    "attributes": [{"key": "traceId", "value": {"stringValue": "not an id"}},
                   {"key": "n", "value": {"intValue": "9007199254740993"}},
                   {"key": "raw", "value": {"bytesValue": "/wA="}}]}]}]}]}
""".replace('"spanId": "zz"', '"spans": 1')


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1/logs"])
def test_an_empty_request_of_every_signal_is_a_success(path: str, kind: str) -> None:
    """As OTLP says; the answer is an empty response of that signal."""
    taken = Taken()
    with opened(taken) as door:
        answer = door.post(b"{}" if kind == JSON else b"", kind, path)
    assert (answer.status_code, answer.content) == (200, b"{}" if kind == JSON else b"")
    assert taken.requests == [b""]
    assert ExportLogsServiceResponse.FromString(b"") == ExportLogsServiceResponse()


BROKEN_JSON = {
    b"": "truncated",
    b"{": "truncated",
    b"[]": "object",
    b"null": "object",
    b'{"resourceSpans": 7}': "resourceSpans",
    b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": {}}]}]}]}': ".kind: expected",
    b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}': "traceId: expected an id in hexadecimal",
    b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": "-1"}]}]}]}': "endTimeUnixNano",
    b'{"a": ' * 100_000 + b"1" + b"}" * 100_000: "ExportTraceServiceRequest",
    b'{"name": "\xff"}': "utf-8",
    b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": [{"value": '
    + b'{"arrayValue": {"values": [' * 300
    + b"]}}" * 300
    + b"}]}]}]}]}": "ExportTraceServiceRequest",
}


@pytest.mark.parametrize(("body", "said"), BROKEN_JSON.items(), ids=range(len(BROKEN_JSON)))
def test_json_that_is_no_request_is_refused_for_good(body: bytes, said: str) -> None:
    """400 with a Status in JSON that says where it breaks; nothing is taken, the next request is."""
    taken = Taken()
    with opened(taken) as door:
        answer = door.post(body, JSON)
        assert door.post(b"{}", JSON).status_code == 200
    assert answer.status_code == 400
    assert "retry-after" not in answer.headers
    status = status_of(answer)
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert said in status.message
    assert taken.requests == [b""]
    assert door.refused() == {"malformed": 1}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("intValue", '"70915.25"'),
        ("intValue", "70915.25"),
        ("intValue", '"709152570915257091525"'),
        ("boolValue", '"70915.25"'),
        ("doubleValue", '"70915.25%"'),
        ("stringValue", "70915.25"),
    ],
)
def test_a_value_that_cannot_be_read_is_not_quoted(kind: str, value: str) -> None:
    """It may be that of a feature, and the sender writes the answer into its log; the answer names the field."""
    body = f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{{"attributes": [{{"key": "a", "value": {{"{kind}": {value}}}}}]}}]}}]}}]}}'
    with opened(Taken()) as door:
        said = status_of(door.post(body.encode(), JSON)).message
    assert "70915" not in said
    assert f".{kind}: expected" in said


def test_malformed_protobuf_is_told_where_it_breaks() -> None:
    """400, a Status in protobuf with path and offset."""

    def take(request: bytes, _: float | None) -> bytes:
        scan(request)
        return b""

    with opened(take) as door:
        answer = door.post(b"\x0a\x02\x12\x05")
    assert answer.status_code == 400
    assert "resource_spans[0]" in status_of(answer).message
    assert "byte 3" in status_of(answer).message
    assert door.refused() == {"malformed": 1}


@pytest.mark.parametrize(
    ("kind", "encoding", "said"),
    [
        ("text/plain", "identity", "content-type: expected one of application/x-protobuf"),
        ("", "identity", "content-type"),
        (PROTOBUF, "br", "content-encoding: expected one of identity, gzip, zstd, found 'br'"),
        (JSON, "gzip, gzip", "content-encoding"),
    ],
)
def test_what_is_written_in_a_way_nobody_reads_is_415(kind: str, encoding: str, said: str) -> None:
    """The message names the header, what is known and what was found."""
    with opened(Taken()) as door:
        answer = door.post(b"", kind, content_encoding=encoding)
    assert answer.status_code == 415
    assert said in status_of(answer).message
    assert door.refused() == {"unreadable": 1}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/traces", 405), ("PUT", "/v1/logs", 405), ("POST", "/v1/profiles", 404)],
)
def test_other_methods_and_paths_have_their_status(method: str, path: str, status: int) -> None:
    """405 names what is allowed; 404 is no place of ours. Both say what is served, and telemetry that was refused is counted."""
    with opened(Taken()) as door:
        answers = [
            door.client.request(method, path, headers={"content-type": kind})
            for kind in (PROTOBUF, JSON)
        ]
    for answer in answers:
        assert answer.status_code == status
        assert ("POST" in answer.headers.get("allow", "")) == (status == 405)
        assert status_of(answer).code == grpc.StatusCode.UNIMPLEMENTED.value[0]
        assert status_of(answer).message == (
            f"expected POST on one of /v1/traces, /v1/metrics, /v1/logs, found {method} {path!r}"
        )
    assert door.refused() == ({"unreadable": 2} if method == "POST" else {})


@pytest.mark.parametrize("encoding", COMPRESSIONS)
def test_the_largest_request_is_taken_and_a_byte_more_is_not(encoding: str) -> None:
    """The limit is that after decompression; 413 is never repeated by a sender."""
    taken = Taken()
    limit = 1 << 16
    with opened(taken, max_message=Size(limit)) as door:
        compress = COMPRESSIONS[encoding]
        assert door.post(compress(bytes(limit)), content_encoding=encoding).status_code == 200
        answer = door.post(compress(bytes(limit + 1)), content_encoding=encoding)
    assert answer.status_code == 413
    assert "retry-after" not in answer.headers
    assert status_of(answer).code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert [len(request) for request in taken.requests] == [limit]
    assert door.refused() == {"unreadable": 1}


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "changed", "other"])
def test_a_body_that_cannot_be_decompressed_is_refused(encoding: str, damage: str) -> None:
    """Cut off, changed, or something else altogether: 400, nothing is taken."""
    whole = COMPRESSIONS[encoding](b"some content that is long enough" * 50)
    body = {"cut": whole[:-5], "changed": b"\x00" + whole[1:], "other": b"plain"}[damage]
    taken = Taken()
    with opened(taken) as door:
        answer = door.post(body, content_encoding=encoding)
    assert answer.status_code == 400
    assert encoding in status_of(answer).message
    assert taken.requests == []
    assert door.refused() == {"unreadable": 1}


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_refusal_that_passes_says_when_to_come_again(kind: str) -> None:
    """503 with Retry-After in whole seconds, rounded up, and RetryInfo in the body."""
    refusal = Refusal(grpc.StatusCode.UNAVAILABLE, "not now", RefusalCause.NEXT_HOP, 2.25)
    with opened(refusing(refusal)) as door:
        answer = door.post(b"{}" if kind == JSON else b"", kind)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"
    assert status_of(answer).message == "not now"
    assert retry_delay_s(status_of(answer)) == 2.25
    assert door.refused() == {"next_hop": 1}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, 503),
        (grpc.StatusCode.ABORTED, 503),
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.UNAUTHENTICATED, 401),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.UNIMPLEMENTED, 404),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 413),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.UNKNOWN, 500),
    ],
)
def test_what_the_next_hop_said_keeps_its_meaning(code: grpc.StatusCode, status: int) -> None:
    """Only what gRPC senders repeat is answered with a status that HTTP senders repeat (429, 502, 503, 504)."""
    with opened(refusing(Refusal(code, "so it is", RefusalCause.NEXT_HOP))) as door:
        answer = door.post(b"")
    assert answer.status_code == status
    assert status_of(answer).code == code.value[0]


def test_a_mistake_of_ours_never_costs_a_span(caplog: pytest.LogCaptureFixture) -> None:
    """503, which every exporter repeats; logged once, without what the error quotes."""
    with opened(refusing(ValueError("card number 4111"))) as door:
        answers = [door.post(b"") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    assert door.refused() == {"internal_error": 3}
    own = [record for record in caplog.records if record.name.startswith("otel_ml_processor")]
    assert len(own) == 1  # the client has a log of its own, in which others may be interested
    assert "4111" not in caplog.text + status_of(answers[0]).message


def test_what_does_not_fit_beside_those_in_flight_may_be_sent_again() -> None:
    """503 with Retry-After while the first request is worked on, and all of the budget is given back at the end."""
    inside, leave = threading.Event(), threading.Event()

    def take(request: bytes, _: float | None) -> bytes:
        if len(request) == 60:
            inside.set()
            leave.wait(60)
        return b""

    with opened(take, max_in_flight=Size(100)) as door, ThreadPoolExecutor(1) as other:
        first = other.submit(door.post, bytes(60))
        assert inside.wait(60)
        answer = door.post(bytes(41))
        leave.set()
        assert first.result(60).status_code == 200
        assert door.post(bytes(41)).status_code == 200
        assert door.admission.in_flight_bytes == 0
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert door.refused() == {"overload": 1}


def test_a_sender_that_leaves_gives_back_what_it_held() -> None:
    """Half a body and then nothing: counted, nothing taken, no memory kept."""
    taken = Taken()
    with opened(taken) as door:
        host, _, port = door.server.endpoint.rpartition(":")
        with socket.create_connection((host, int(port))) as half:
            head = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\n"
            half.sendall(head.encode() + b"content-length: 1000\r\n\r\n" + bytes(500))
        while not door.refused():
            assert door.post(b"").status_code == 200
        assert door.admission.in_flight_bytes == 0
    assert door.refused() == {"unreadable": 1}
    assert set(taken.requests) <= {b""}


@pytest.mark.parametrize("said", [b"", b"POST /v1/traces HTTP/1.1\r\nhost"])
def test_a_connection_on_which_no_request_begins_is_closed(said: bytes) -> None:
    """Silent or in the middle of a header, also after a request that was answered: nobody holds a connection for nothing."""
    server = WebServer("$.place", "127.0.0.1:0", Starlette(), keep_alive_s=3)
    server.start()
    host, _, port = server.endpoint.rpartition(":")
    whole = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    with (
        socket.create_connection((host, int(port))) as new,
        socket.create_connection((host, int(port))) as used,
    ):
        used.sendall(whole)
        answer = b""
        while not answer.endswith(b"Not Found"):
            answer += used.recv(1000)
        assert is_closed(new, said)
        assert is_closed(used, said)
    server.stop()


def is_closed(connection: socket.socket, said: bytes) -> bool:
    """Return whether nothing but the end comes of saying *said*; on a busy machine the end is there before it is said."""
    connection.settimeout(60)
    try:
        connection.sendall(said)
        return connection.recv(1000) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


def test_whoever_knows_no_password_is_told_how_to_say_one(tmp_path: Path) -> None:
    """401 before the body is read, with the header that HTTP has for it; the right one gets through."""
    (tmp_path / "users").write_text("ann:tuna\n")
    settings = HttpDoor(endpoint="127.0.0.1:0", basic_auth_file="users")
    taken = Taken()
    with opened(taken, tmp_path, settings) as door:
        answer = door.post(b"")
        assert door.client.post(
            "/v1/traces", content=b"", headers={"content-type": PROTOBUF}, auth=("ann", "tuna")
        ).is_success
    assert answer.status_code == 401
    assert "Basic" in answer.headers["www-authenticate"]
    assert len(taken.requests) == 1
    assert door.refused() == {"unauthenticated": 1}


def test_over_tls_with_certificates_that_are_renewed(tmp_path: Path) -> None:
    """Who trusts the authority gets through; after new files are written, who trusts the new one does, without a restart."""
    old, new = trustme.CA(), trustme.CA()
    write_identity(tmp_path, old)
    settings = HttpDoor(
        endpoint="127.0.0.1:0",
        tls=ServerTls(cert_file="server.pem", key_file="server.key", client_ca_file="ca.pem"),
    )
    with opened(Taken(), tmp_path, settings) as door:
        url = f"https://{door.server.endpoint}/v1/traces"
        assert secure_post(url, old, client=old) == 200
        with pytest.raises(httpx.TransportError):
            secure_post(url, old, client=None)
        with pytest.raises(httpx.TransportError):
            secure_post(url, old, client=new)
        write_identity(tmp_path, new)
        assert secure_post(url, new, client=new) == 200
        with pytest.raises(httpx.TransportError):
            secure_post(url, old, client=new)
        (tmp_path / "server.pem").write_text("half a fi")
        assert secure_post(url, new, client=new) == 200
        with pytest.raises(httpx.TransportError):
            door.post(b"")


def write_identity(folder: Path, authority: trustme.CA) -> None:
    """Write a server's certificate and its authority into *folder*."""
    certificate = authority.issue_cert("127.0.0.1")
    (folder / "server.key").write_bytes(certificate.private_key_pem.bytes())
    (folder / "server.pem").write_bytes(certificate.cert_chain_pems[0].bytes() + b"\n")
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())


def secure_post(url: str, trusted: trustme.CA, client: trustme.CA | None) -> int:
    """Return the status of an empty request by somebody who trusts one authority and has a certificate of another."""
    context = ssl.create_default_context()
    trusted.configure_trust(context)
    if client is not None:
        client.issue_cert("client.example.org").configure_cert(context)
    with httpx.Client(verify=context, trust_env=False, timeout=60) as session:
        return session.post(url, content=b"", headers={"content-type": PROTOBUF}).status_code


def test_key_and_certificate_must_belong_together(tmp_path: Path) -> None:
    """Said before anything listens."""
    write_identity(tmp_path, trustme.CA())
    other = trustme.CA().issue_cert("127.0.0.1")
    (tmp_path / "server.key").write_bytes(other.private_key_pem.bytes())
    door = HttpDoor(
        endpoint="127.0.0.1:0", tls=ServerTls(cert_file="server.pem", key_file="server.key")
    )
    with (
        pytest.raises(ConfigError, match=r"\$\.receive\.http\.tls: cannot use these files"),
        opened(Taken(), tmp_path, door),
    ):
        pass


@pytest.mark.parametrize("endpoint", ["0.0.0.0:4318", "example.com:4318"])
def test_an_address_of_another_machine_is_refused(endpoint: str) -> None:
    """Without TLS nobody else is listened to."""
    with (
        pytest.raises(ConfigError, match=r"\$\.receive\.http\.endpoint: expected an address of th"),
        opened(Taken(), door=HttpDoor(endpoint=endpoint)),
    ):
        pass


def test_stopping_lets_those_in_flight_finish() -> None:
    """Whoever was admitted before the stop gets the answer."""
    inside, leave = threading.Event(), threading.Event()

    def take(_: bytes, __: float | None) -> bytes:
        inside.set()
        leave.wait(60)
        return b""

    with opened(take) as door, ThreadPoolExecutor(2) as others:
        call = others.submit(door.post, export_request([inference_span()]))
        assert inside.wait(60)
        stopping = others.submit(door.server.stop, 30)
        leave.set()
        assert call.result(60).status_code == 200
        stopping.result(60)


def test_a_json_answer_is_one_that_json_reads() -> None:
    """Also of a status with details."""
    refusal = Refusal(grpc.StatusCode.UNAVAILABLE, 'quote " and ü', RefusalCause.NEXT_HOP, 1.0)
    with opened(refusing(refusal)) as door:
        body = json.loads(door.post(b"{}", JSON).content)
    assert body["message"] == 'quote " and ü'
    assert body["code"] == 14
    assert body["details"][0]["@type"] == "type.googleapis.com/google.rpc.RetryInfo"


def test_a_body_that_comes_too_slowly_is_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender keeps the spans: nothing is wrong with them, and what had come is let go of."""
    monkeypatch.setattr(http_server, "_READ_S", 0.2)
    begun = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: 9\r\n\r\nab"
    with opened(lambda _request, _: b"") as door:
        host, _, port = door.server.endpoint.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as sender:
            sender.sendall(begun.encode())
            answer = sender.recv(4096).decode("latin-1")

        assert answer.startswith("HTTP/1.1 503 ")
        assert "\r\nretry-after: 1\r\n" in answer
        assert door.refused() == {"unreadable": 1}
        assert door.admission.in_flight_bytes == 0
