"""
What OTLP asks of a server and of a client that stands in its place, topic by topic, at both doors of a running processor.

The expected values are those of the specification of OTLP 1.x and of `google.rpc.Code`, written out here.
"""

from __future__ import annotations

import gzip
import json
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import httpx
import pytest
import zstandard
from google.protobuf.json_format import MessageToDict, Parse
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from otel_ml_processor.refusal import RefusalCause
from tests.data.export_requests import attributes, export_request, inference_span
from tests.faults.hop import Hop, refused
from tests.faults.peers import Behaviour, Peer, aborting, taking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}
CODE = grpc.StatusCode
PROTOBUF, JSON = "application/x-protobuf", "application/json"
LIMIT = 1 << 20
NUMBERS = count(1)


class House(NamedTuple):
    """The processor, and its next hop."""

    hop: Hop
    peer: Peer


@pytest.fixture(scope="module", name="one")
def _one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One processor for all tests of this file."""
    with ExitStack() as stack:
        peer = stack.enter_context(Peer(largest=16 * LIMIT).serving())
        hop = Hop(tmp_path_factory.mktemp("hop"), peer.endpoint, receive=f"max_message: {LIMIT}")
        # Without a reference there is nothing to say, so what goes on is byte for byte what came.
        plain = hop.config.read_text().replace("profiles: [fraud.json]", "bootstrap: null")
        hop.config.write_text(plain)
        yield House(stack.enter_context(hop.running()), peer)


@pytest.fixture(name="house")
def _house(one: House) -> House:
    """The processor, its next hop in order and with nothing taken."""
    one.peer.behaviour = taking
    one.peer.taken.clear()
    return one


class Answer(NamedTuple):
    """An answer over gRPC: its code, what it says, and its details."""

    code: grpc.StatusCode
    content: bytes
    details: Status | None = None

    @property
    def retry_after_s(self) -> float | None:
        """When RetryInfo says to come again; None where there is none."""
        for detail in self.details.details if self.details else ():
            info = RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
        return None


def by_grpc(
    house: House,
    content: bytes,
    signal: str = "traces",
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> Answer:
    """Return the answer to *content* over gRPC."""
    options = (("grpc.max_send_message_length", -1),)
    with grpc.insecure_channel(house.hop.grpc, options) as channel:
        export = channel.unary_unary(f"/{SERVICES[signal]}/Export")
        try:
            return Answer(CODE.OK, export(content, timeout=60, compression=compression))
        except grpc.RpcError as error:
            found = [v for k, v in error.trailing_metadata() if k == "grpc-status-details-bin"]
            return Answer(error.code(), b"", Status.FromString(found[0]) if found else None)


def by_http(
    house: House,
    content: bytes,
    signal: str = "traces",
    kind: str = PROTOBUF,
    encoding: str = "identity",
    method: str = "POST",
) -> httpx.Response:
    """Return the answer to *content* over HTTP."""
    headers = {"content-type": kind, "content-encoding": encoding}
    url = f"http://{house.hop.http}/v1/{signal}"
    with httpx.Client(trust_env=False, timeout=60) as client:
        return client.request(method, url, content=content, headers=headers)


def spans(n: int = 1, **values: object) -> bytes:
    """Return a request with *n* inferences that no other request has."""
    said = {key.replace("_", ".", 2): value for key, value in values.items()}
    return export_request(inference_span(said, span_id=next(NUMBERS)) for _ in range(n))


def large(size: int) -> bytes:
    """Return a request of *size* bytes that no other has, which gzip makes small."""
    empty = spans(1, text="")
    request = spans(1, text="x" * (size - len(empty) - 40))
    padding = size - len(request)
    assert 2 < padding < 120
    return request + b"\xa2\x06" + bytes((padding - 3,)) + bytes(padding - 3)


# success, empty requests, encodings, compression


@pytest.mark.parametrize("signal", SERVICES)
def test_an_empty_request_is_a_success(house: House, signal: str) -> None:
    """Of every signal, over every door, in every format; the answer is that of a full success."""
    assert by_grpc(house, b"", signal) == Answer(CODE.OK, b"")
    answer = by_http(house, b"", signal)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        b"",
        PROTOBUF,
    )
    answer = by_http(house, b"{}", signal, JSON)
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, JSON)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_over_grpc_plain_and_gzip_are_read(house: House, compression: grpc.Compression) -> None:
    """A full success leaves `partial_success` unset."""
    request = spans(3)
    answer = by_grpc(house, request, compression=compression)
    assert answer == Answer(CODE.OK, b"")
    assert house.peer.taken == [request]


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_over_http_both_formats_are_read_at_the_same_path(
    house: House, kind: str, encoding: str
) -> None:
    """Told by the content type; the answer is in the format of the request, and the next hop has the same spans."""
    request = spans(3)
    content = request if kind == PROTOBUF else as_json(request)
    answer = by_http(house, ENCODINGS[encoding](content), kind=kind, encoding=encoding)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    (taken,) = house.peer.taken
    assert ExportTraceServiceRequest.FromString(taken) == ExportTraceServiceRequest.FromString(
        request
    )


def as_json(request: bytes) -> bytes:
    """Return *request* as OTLP/JSON: protobuf's JSON with ids in hexadecimal."""
    parsed = ExportTraceServiceRequest.FromString(request)
    document = MessageToDict(parsed, use_integers_for_enums=True)
    originals = parsed.resource_spans[0].scope_spans[0].spans
    for said, span in zip(
        document["resourceSpans"][0]["scopeSpans"][0]["spans"], originals, strict=True
    ):
        said["traceId"], said["spanId"] = span.trace_id.hex(), span.span_id.hex()
    return json.dumps(document).encode()


# limits


def test_the_limit_is_that_of_the_message_after_decompression(house: House) -> None:
    """The largest is taken; a byte more is refused for good, plain and compressed, over both doors: no RetryInfo, no Retry-After."""
    assert by_grpc(house, large(LIMIT)).code is CODE.OK
    assert by_grpc(house, large(LIMIT), compression=grpc.Compression.Gzip).code is CODE.OK
    assert by_http(house, large(LIMIT)).status_code == 200
    assert by_http(house, gzip.compress(large(LIMIT)), encoding="gzip").status_code == 200
    assert len(house.peer.taken) == 4
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        answer = by_grpc(house, large(LIMIT + 1), compression=compression)
        assert answer.code is CODE.RESOURCE_EXHAUSTED
        assert answer.retry_after_s is None
    for encoding, compressed in ENCODINGS.items():
        http = by_http(house, compressed(large(LIMIT + 1)), encoding=encoding)
        assert http.status_code == 413
        assert "retry-after" not in http.headers
    assert len(house.peer.taken) == 4


# refusals


RETRYABLE = (
    CODE.CANCELLED,
    CODE.DEADLINE_EXCEEDED,
    CODE.ABORTED,
    CODE.OUT_OF_RANGE,
    CODE.UNAVAILABLE,
    CODE.DATA_LOSS,
)
FINAL = {
    CODE.UNKNOWN: 500,
    CODE.INVALID_ARGUMENT: 400,
    CODE.NOT_FOUND: 500,
    CODE.ALREADY_EXISTS: 500,
    CODE.PERMISSION_DENIED: 403,
    CODE.UNAUTHENTICATED: 401,
    CODE.RESOURCE_EXHAUSTED: 413,
    CODE.FAILED_PRECONDITION: 500,
    CODE.UNIMPLEMENTED: 404,
    CODE.INTERNAL: 500,
}


@pytest.mark.parametrize("code", RETRYABLE, ids=lambda code: code.name)
def test_what_the_next_hop_refuses_for_now_is_refused_for_now(
    house: House, code: grpc.StatusCode
) -> None:
    """UNAVAILABLE with RetryInfo; over HTTP 503 with Retry-After and a `google.rpc.Status` as body."""
    house.peer.behaviour = aborting(code)
    answer = by_grpc(house, spans())
    assert answer.code is CODE.UNAVAILABLE
    assert answer.retry_after_s == 1
    http = by_http(house, spans())
    assert (http.status_code, http.headers["retry-after"]) == (503, "1")
    status = Status.FromString(http.content)
    assert status.code == CODE.UNAVAILABLE.value[0]
    assert "as the test says" in status.message
    assert http.headers["content-type"] == PROTOBUF


def test_a_next_hop_that_is_exhausted_and_says_when_to_come_again_is_to_be_asked_again(
    house: House,
) -> None:
    """RESOURCE_EXHAUSTED is refused for now only with RetryInfo; the time is handed on."""
    house.peer.behaviour = aborting(CODE.RESOURCE_EXHAUSTED, 0.25)
    answer = by_grpc(house, spans())
    assert (answer.code, answer.retry_after_s) == (CODE.UNAVAILABLE, 0.25)
    http = by_http(house, spans())
    assert (http.status_code, http.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("code", FINAL, ids=lambda code: code.name)
def test_what_the_next_hop_refuses_for_good_is_refused_for_good(
    house: House, code: grpc.StatusCode
) -> None:
    """With its code, and over HTTP the status that OTLP gives the case; nothing tells the sender to come again."""
    house.peer.behaviour = aborting(code)
    answer = by_grpc(house, spans())
    assert (answer.code, answer.retry_after_s) == (code, None)
    http = by_http(house, as_json(spans()), kind=JSON)
    assert http.status_code == FINAL[code]
    assert "retry-after" not in http.headers
    assert Parse(http.content, Status()).code == code.value[0]


def test_bad_data_is_told_where_it_is_bad(house: House) -> None:
    """INVALID_ARGUMENT, 400: field path and offset, in the format of the request; nothing goes on."""
    bad = field(1, field(2, field(2, spans(1)) + b"\x12\x7f"))
    assert by_grpc(house, bad).code is CODE.INVALID_ARGUMENT
    http = by_http(house, bad)
    assert http.status_code == 400
    status = Status.FromString(http.content)
    assert status.code == CODE.INVALID_ARGUMENT.value[0]
    assert "resource_spans[0].scope_spans[0]: expected" in status.message
    assert f"at byte {len(bad) - 1}" in status.message  # the length that lies: the last byte
    assert by_http(house, b'{"resourceSpans": 5}', kind=JSON).status_code == 400
    assert by_http(house, b"\x1f\x8b not gzip", encoding="gzip").status_code == 400
    assert house.peer.taken == []


def test_what_is_not_served_has_the_status_that_http_gives_it(house: House) -> None:
    """Another content type or encoding 415, another method 405, another path 404; another service UNIMPLEMENTED."""
    assert by_http(house, b"", kind="text/plain").status_code == 415
    assert by_http(house, b"", encoding="br").status_code == 415
    assert by_http(house, b"", method="GET").status_code == 405
    assert by_http(house, b"", "profiles").status_code == 404
    with grpc.insecure_channel(house.hop.grpc) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary("/other.Service/Export")(b"", timeout=60)
        assert raised.value.code() is CODE.UNIMPLEMENTED


# partial success


def test_a_partial_success_of_the_next_hop_is_handed_on(house: House) -> None:
    """With the count and the words, over both doors and in both formats."""
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
    answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    house.peer.behaviour = lambda _, __: answer
    assert by_grpc(house, spans(3)) == Answer(CODE.OK, answer)
    assert by_http(house, spans(3)).content == answer
    said = by_http(house, as_json(spans(3)), kind=JSON).json()
    assert said == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}


def test_what_could_not_be_read_is_a_warning_and_no_rejection(house: House) -> None:
    """A span is delivered whatever we can read of it: no span is rejected, the message says what and how many, also to who repeats it."""
    request = spans(2, ml_prediction_confidence="very")
    for _ in range(2):
        answer = by_grpc(house, request)
        said = ExportTraceServiceResponse.FromString(answer.content).partial_success
        assert (answer.code, said.rejected_spans) == (CODE.OK, 0)
        assert "wrong_type in 2" in said.error_message
    assert house.peer.taken == [request]
    json_said = by_http(house, as_json(spans(1, ml_prediction_confidence=7.0)), kind=JSON).json()
    assert set(json_said["partialSuccess"]) == {"errorMessage"}
    assert "out_of_range in 1" in json_said["partialSuccess"]["errorMessage"]


def test_an_empty_partial_success_says_nothing(house: House) -> None:
    """OTLP: the same as none. The OpenTelemetry collector answers so; our warning takes its place, and without one none is set."""
    house.peer.behaviour = lambda _, __: ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess()
    ).SerializeToString()
    assert by_grpc(house, spans(2)) == Answer(CODE.OK, b"")
    answer = by_grpc(house, spans(2, ml_prediction_confidence="very"))
    said = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.code, said.rejected_spans) == (CODE.OK, 0)
    assert "wrong_type in 2" in said.error_message


def test_the_next_hops_word_goes_before_ours(house: House) -> None:
    """A partial success that it gives is not written over by our warning."""
    partial = ExportTracePartialSuccess(rejected_spans=1, error_message="theirs")
    answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    house.peer.behaviour = lambda _, __: answer
    assert by_grpc(house, spans(2, ml_prediction_confidence="very")).content == answer


# a response that is too large, duplicates, fidelity


def test_an_answer_beyond_four_mebibytes_is_an_error(house: House) -> None:
    """As a client of OTLP has to do; one of four is read."""
    filler = b"\xa2\x06" + b"\x80\x80\xfc\x01" + bytes((4 << 20) - (64 << 10))
    house.peer.behaviour = lambda _, __: filler
    assert by_grpc(house, spans()).code is CODE.OK
    house.peer.behaviour = lambda _, __: bytes(1 + (4 << 20))
    assert by_grpc(house, spans()).code is CODE.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("signal", SERVICES)
def test_a_request_that_comes_again_is_a_success(house: House, signal: str) -> None:
    """Traces that come again go nowhere; logs and metrics, of which nothing is counted here, go on as often as they come."""
    behaviour, seen = recording()
    house.peer.behaviour = behaviour
    unknown = next(NUMBERS).to_bytes(4, "big")
    request = spans() if signal == "traces" else b"\xa2\x06\x04" + unknown
    for _ in range(3):
        assert by_grpc(house, request, signal) == Answer(CODE.OK, b"")
    assert seen == [request] * (1 if signal == "traces" else 3)


def recording() -> tuple[Behaviour, list[bytes]]:
    """Return what takes every request, and the list of what it has taken, of any signal."""
    seen: list[bytes] = []

    def record(request: bytes, _: grpc.ServicerContext) -> bytes:
        seen.append(request)
        return b""

    return record, seen


UNKNOWN = (
    b"\xa2\x06\x05newer"  # 100: bytes
    b"\xa8\x06\x96\x01"  # 101: a varint
    b"\xb1\x06\0\1\2\3\4\5\6\7"  # 102: 64 bits
    b"\xbd\x06\0\1\2\3"  # 103: 32 bits
)
"""Fields of every kind that no version knows."""


def field(number: int, content: bytes) -> bytes:
    """Return a field with *content*."""
    length, size = b"", len(content)
    while size >= 128:
        length, size = length + bytes((size % 128 + 128,)), size // 128
    return bytes((number << 3 | 2,)) + length + bytes((size,)) + content


def with_unknown_fields(values: dict[str, Any]) -> bytes:
    """Return a request of one inference with `UNKNOWN` at the end of every message in it."""
    own = inference_span({}, span_id=next(NUMBERS))
    said = own.attributes
    del own.attributes[:]

    def strange(attribute: KeyValue) -> bytes:
        value = attribute.value.SerializeToString() + UNKNOWN
        return field(1, attribute.key.encode()) + field(2, value) + UNKNOWN

    identity = inference_span(values).attributes
    assert not said
    event = (
        field(2, b"happened") + field(3, strange(attributes({"x": [1, {"y": b"z"}]})[0])) + UNKNOWN
    )
    link = field(1, bytes(16)) + field(2, bytes(8)) + UNKNOWN
    span = own.SerializeToString()
    span += b"".join(field(9, strange(one)) for one in identity)
    span += field(11, event) + field(13, link) + field(15, field(2, b"fine") + UNKNOWN) + UNKNOWN
    resource = field(1, strange(attributes({"service.name": "shop"})[0])) + UNKNOWN
    scope = field(1, b"scope") + UNKNOWN
    scoped = field(1, scope) + field(2, span) + field(3, b"https://schema/1") + UNKNOWN
    group = field(1, resource) + field(2, scoped) + field(3, b"https://schema/2") + UNKNOWN
    return field(1, group) + UNKNOWN


def test_fields_that_nobody_knows_go_on_at_every_level(house: House) -> None:
    """In the request, resource, scope, span, event, link, status, attributes and their values: byte for byte, over both doors."""
    for send in (by_grpc, by_http):
        request = with_unknown_fields({})
        # Request, group, scope spans, resource, scope, span, event, link, status: 9; five attributes and their values: 10.
        assert request.count(UNKNOWN) == 19
        house.peer.taken.clear()
        send(house, request)
        assert house.peer.taken == [request]


def test_with_a_verdict_on_it_a_span_keeps_the_fields_that_nobody_knows(house: House) -> None:
    """The verdict stands behind all that the span had; take it off again and every byte is as it came."""
    request = with_unknown_fields({"ml.prediction.confidence": 0.4, "ml.prediction.label": "x"})
    assert by_grpc(house, request).code is CODE.OK
    (taken,) = house.peer.taken
    assert len(taken) > len(request)
    assert taken.count(UNKNOWN) == request.count(UNKNOWN)
    parsed = ExportTraceServiceRequest.FromString(taken)
    (span,) = parsed.resource_spans[0].scope_spans[0].spans
    kept = [one for one in span.attributes if not one.key.startswith("ml.verdict.")]
    assert len(kept) < len(span.attributes)
    del span.attributes[:]
    span.attributes.extend(kept)
    assert parsed == ExportTraceServiceRequest.FromString(request)


def test_any_value_that_is_legal_goes_on_unharmed(house: House) -> None:
    """Bytes, maps in lists in maps, lists of mixed types, empty ones and none: whatever key they stand under, also under ours."""
    odd: list[object] = [b"\0\xff", [], {}, None, [1, "a", None, {"b": [b"c"]}], "", 0, False]
    for value in odd:
        request = export_request(
            [inference_span({"x": value, "ml.input.features": value}, span_id=next(NUMBERS))]
        )
        assert by_grpc(house, request).code is CODE.OK
        assert house.peer.taken[-1] == request


@pytest.mark.parametrize("cause", RefusalCause)
def test_every_refusal_is_counted_under_a_name_that_is_there_from_the_start(
    house: House, cause: RefusalCause
) -> None:
    """A dashboard finds the series of each cause at 0, before anything was refused for it."""
    assert refused(cause.value) in house.hop.series()
