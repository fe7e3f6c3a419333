"""Requests that are small to send and large to read, or that no producer would write."""

from __future__ import annotations

import gzip
import math
import struct
import time
import zlib
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.data.state_house import request
from tests.faults.hop import Hop, refused
from tests.faults.http2 import Http2
from tests.faults.peers import Peer
from tests.faults.senders import EXPORT, Sender
from tests.integration.real_servers import eventually
from tests.unit.processor.otlp_requests import attribute, inference, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
NUMBERS = count(1)
CODE = grpc.StatusCode
PROTOBUF = {"content-type": "application/x-protobuf"}


class House(NamedTuple):
    """The processor, and its next hop."""

    hop: Hop
    peer: Peer


@pytest.fixture(scope="module", name="one")
def _one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One processor for all tests of this file, which must not need a restart."""
    with ExitStack() as stack:
        peer = stack.enter_context(Peer(largest=128 * MIB).serving())
        hop = Hop(tmp_path_factory.mktemp("hop"), peer.endpoint, also="max_message: 64MiB")
        yield House(stack.enter_context(hop.running()), peer)


@pytest.fixture(name="house")
def _house(one: House) -> Iterator[House]:
    """The processor, which in the end takes a good request."""
    one.peer.taken.clear()
    yield one
    assert answered(one.hop, request([10_000_000 + next(NUMBERS)], "last")) is CODE.OK
    assert one.hop.is_alive()


def answered(hop: Hop, one: bytes) -> grpc.StatusCode:
    """Return what *one* is answered over gRPC."""
    options = (("grpc.max_send_message_length", -1),)
    with grpc.insecure_channel(hop.grpc, options) as channel:
        try:
            channel.unary_unary(EXPORT)(one, timeout=60)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return CODE.OK


def zeros(size: int) -> bytes:
    """Return *size* zeros, compressed."""
    packing = zlib.compressobj(9, wbits=31)
    return b"".join(packing.compress(bytes(MIB)) for _ in range(size // MIB)) + packing.flush()


@pytest.mark.long
@pytest.mark.parametrize("door", ["grpc", "http"])
def test_a_gibibyte_in_a_mebibyte_is_refused_in_little_memory(house: House, door: str) -> None:
    """Three of them: refused for good, counted as unreadable, and resident memory never grows by more than 64 MiB."""
    bomb = zeros(1 << 30)
    assert len(bomb) < 1.1 * MIB
    hop = house.hop
    before, seen = hop.resident_bytes(), hop.series()[refused("unreadable")]
    for _ in range(3):
        assert (over_grpc if door == "grpc" else over_http)(hop, bomb)
        assert hop.resident_bytes() - before < 64 * MIB
    assert hop.series()[refused("unreadable")] == seen + 3
    assert not house.peer.taken


def over_grpc(hop: Hop, bomb: bytes) -> bool:
    """Return whether *bomb* is answered RESOURCE_EXHAUSTED over gRPC."""
    connection = Http2(hop.grpc)
    try:
        connection.call(1, {"grpc-encoding": "gzip"})
        connection.message(1, bomb, is_compressed=True)
        is_answered = connection.until_over(1)
    finally:
        connection.close()
    block = b"".join(frame.payload for frame in connection.frames if frame.stream == 1)
    return is_answered and str(CODE.RESOURCE_EXHAUSTED.value[0]).encode() in block


def over_http(hop: Hop, bomb: bytes) -> bool:
    """Return whether *bomb* is answered 413 over HTTP."""
    headers = {**PROTOBUF, "content-encoding": "gzip"}
    url = f"http://{hop.http}/v1/traces"
    answer = httpx.post(url, content=bomb, headers=headers, trust_env=False, timeout=60)
    return answer.status_code == 413


def field(number: int, content: bytes) -> bytes:
    """Return a field with *content*, as protobuf writes it."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Return *value* as protobuf writes it."""
    parts = []
    while value >= 128:
        parts.append(value % 128 + 128)
        value //= 128
    return bytes((*parts, value))


def nested(depth: int) -> bytes:
    """Return a value that is a list in a list in a list, *depth* times."""
    value = field(1, b"end")
    for _ in range(depth):
        value = field(5, field(1, value))
    return value


def span_with(more: bytes) -> bytes:
    """Return a span that is an inference of its own, with the fields *more* behind."""
    number = next(NUMBERS)
    span = inference(number, end_ns=time.time_ns(), model="odd", prediction_label="x")
    return span.SerializeToString() + more


def request_with(*spans: bytes) -> bytes:
    """Return a request with *spans*."""
    return field(1, field(2, b"".join(field(2, span) for span in spans)))


def keyed(key: bytes, value: bytes) -> bytes:
    """Return an attribute of a span."""
    return field(9, field(1, key) + field(2, value))


def double(value: float) -> bytes:
    """Return a number as a value."""
    return b"\x21" + struct.pack("<d", value)


ODD_SPANS = {
    "nested 10": keyed(b"x", nested(10)),
    "nested 64": keyed(b"x", nested(64)),
    "nested 200": keyed(b"x", nested(200)),
    "nested 10 000": keyed(b"x", nested(10_000)),
    "features nested 10 000": keyed(b"ml.input.features", nested(10_000)),
    "JSON nested 100 000": keyed(b"ml.input.features", field(1, b"[" * 100_000)),
    "a group": b"\x83\x06\x08\x01\x84\x06",
    "duplicate fields": field(5, b"one name") + field(5, b"another name"),
    "NaN": keyed(b"ml.prediction.confidence", double(math.nan)),
    "infinity": keyed(b"ml.prediction.confidence", double(math.inf)),
    "-infinity": keyed(b"ml.prediction.entropy", double(-math.inf)),
    "-0": keyed(b"ml.prediction.margin", double(-0.0)),
    "denormal": keyed(b"ml.prediction.confidence", double(5e-324)),
    "not UTF-8": keyed(b"x\xff\xfe", field(1, b"\xc3\x28\xff")),
    "an empty key": keyed(b"", field(1, b"x")),
    "a key twice": keyed(b"ml.model.version", field(1, b"1")) * 2,
    "a key of another type": keyed(b"ml.model.version", double(1.5)),
    "a key without a value": field(9, field(1, b"ml.prediction.label")),
    "a varint of ten bytes": keyed(b"ml.batch.size", b"\x18" + b"\xff" * 9 + b"\x01"),
    "features that are none": keyed(b"ml.input.features", field(1, b'{"a": 1e999, "b": -0, "a"')),
    "a feature of every type": keyed(
        b"ml.input.features", field(1, b'{"a": [], "b": {}, "c": null, "d": "\\ud800"}')
    ),
}


@pytest.mark.parametrize("oddity", ODD_SPANS)
def test_an_odd_span_goes_on_byte_for_byte(house: House, oddity: str) -> None:
    """Between two good ones: taken, delivered with every byte that it had, and the good ones are counted whatever is made of it."""
    odd = span_with(ODD_SPANS[oddity])
    good = [span_with(b"") for _ in range(2)]
    before = house.hop.total("ml_prediction_samples_total", 'ml_model_name="odd"')
    assert answered(house.hop, request_with(good[0], odd, good[1])) is CODE.OK
    (taken,) = house.peer.taken
    assert odd in taken
    found = eventually(
        lambda: house.hop.total("ml_prediction_samples_total", 'ml_model_name="odd"') - before,
        lambda n: n >= 2,
        60,
    )
    assert found in {2, 3}


LIES = {
    "a length beyond the end": b"\x0a\x7f\x01",
    "a length of 2^63": b"\x0a" + b"\xff" * 8 + b"\x7f",
    "a varint that never ends": b"\x0a" + b"\xff" * 20,
    "field number 0": b"\x02\x00",
    "a wire type that there is not": b"\x0f\x00",
    "a group that never ends": b"\x0b" * 1000,
    "the end of a group that never began": b"\x0c",
    "cut off in a length": b"\x0a",
    "cut off in a fixed64": b"\x09\x01\x02",
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_no_request_is_refused_for_good_and_counted(house: House, lie: str) -> None:
    """INVALID_ARGUMENT; it goes nowhere."""
    before = house.hop.series()[refused("malformed")]
    good = request_with(span_with(b""))
    assert answered(house.hop, good + LIES[lie]) is CODE.INVALID_ARGUMENT
    assert not house.peer.taken
    assert house.hop.series()[refused("malformed")] == before + 1


@pytest.mark.long
def test_a_million_attributes_are_passed_on_and_not_read(house: House) -> None:
    """On one span: counted as oversized, delivered as it came, within 60 seconds and 512 MiB."""
    before = house.hop.resident_bytes()
    odd = span_with(keyed(b"k", field(1, b"v")) * 1_000_000)
    assert answered(house.hop, request_with(odd)) is CODE.OK
    assert house.peer.taken == [request_with(odd)]
    key = 'ml_processor_undecoded_total{ml_processor_cause="oversized"}'
    assert house.hop.series()[key] >= 1
    assert house.hop.resident_bytes() - before < 512 * MIB


@pytest.mark.long
def test_a_million_tiny_spans_are_one_request(house: House) -> None:
    """Delivered whole or refused as a whole; never half."""
    one = request_with(*[b""] * 1_000_000)
    code = answered(house.hop, one)
    assert house.peer.taken == ([one] if code is CODE.OK else [])
    assert code in {CODE.OK, CODE.INVALID_ARGUMENT, CODE.RESOURCE_EXHAUSTED}


@pytest.mark.long
def test_the_largest_request_is_taken_and_a_byte_more_is_not(house: House) -> None:
    """64 MiB, which is what OTLP recommends, over both doors."""
    span = span_with(b"")
    size = 64 * MIB
    largest = request_with(span + field(100, bytes(size - len(request_with(span)) - 17)))
    padding = size - len(largest)
    assert 0 <= padding < 30
    assert answered(house.hop, largest) is CODE.OK
    assert house.peer.taken == [largest]
    more = largest + field(100, bytes(30))
    assert answered(house.hop, more) is CODE.RESOURCE_EXHAUSTED
    url = f"http://{house.hop.http}/v1/traces"
    for content, encoding in ((more, "identity"), (gzip.compress(more, 1), "gzip")):
        headers = {**PROTOBUF, "content-encoding": encoding}
        answer = httpx.post(url, content=content, headers=headers, trust_env=False, timeout=60)
        assert answer.status_code == 413
    assert house.peer.taken == [largest]


def test_a_key_that_changes_its_type_is_counted_where_it_can_be_read(house: House) -> None:
    """A feature that is a number, a text, a list and nothing, in turn: every span is delivered and is an inference."""
    values: list[object] = [1.5, "text", [1, 2], None, True, {"a": 1}]
    spans = [
        inference(
            next(NUMBERS),
            end_ns=time.time_ns(),
            model="fickle",
            features={"amount": value},
            prediction_label="x",
        )
        for value in values
    ]
    spans[0].attributes.append(attribute("ml.batch.size", "one"))
    sent = request_of(spans).SerializeToString()
    assert answered(house.hop, sent) is CODE.OK
    assert house.hop.samples(len(values), "fickle") == len(values)
    (taken,) = house.peer.taken
    assert ExportTraceServiceRequest.FromString(taken) == ExportTraceServiceRequest.FromString(sent)


def test_while_bombs_come_others_are_served(house: House) -> None:
    """Between two refusals a good sender is never refused."""
    sender = Sender(house.hop.grpc)
    for lie in LIES.values():
        answered(house.hop, lie)
        assert sender.once(request([20_000_000 + next(NUMBERS)], "among bombs")) is None
    sender.close()
    assert house.hop.samples(len(LIES), "among bombs") == len(LIES)
