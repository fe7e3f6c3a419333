"""The ids of inference spans as numbers: what tells one from another."""

from __future__ import annotations

import struct

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.decode.wire import length_delimited
from tests.data.export_requests import TRACE_ID, export_request, inference_span

DECODERS = {"plain": PlainDecoder(lambda _: ()), "fast": FastDecoder(lambda _: ())}
TRACE = list(struct.unpack("<QQ", TRACE_ID))


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_ids_are_read_as_little_endian_words(decoder: PlainDecoder | FastDecoder) -> None:
    """Those of inferences, in their order; of other spans there are none."""
    other = Span(trace_id=TRACE_ID, span_id=b"12345678", name="GET /")
    spans = [inference_span(span_id=1), other, inference_span(span_id=2)]
    expected = [[*TRACE, number << 56] for number in (1, 2)]
    assert decoder.decode(export_request(spans)).spans.ids.tolist() == expected


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
@pytest.mark.parametrize("is_odd", [False, True], ids=["plain span", "span for the plain decoder"])
@pytest.mark.parametrize(
    ("trace_id", "span_id", "expected"),
    [
        (b"", b"", [0, 0, 0]),
        (b"", b"12345678", [0, 0, int.from_bytes(b"12345678", "little")]),
        (TRACE_ID, b"1234567", [*TRACE, 0]),
        (TRACE_ID[:15], b"123456789", [0, 0, 0]),
        (TRACE_ID + b"\0", b"", [0, 0, 0]),
        (bytes(16), bytes(8), [0, 0, 0]),
    ],
)
def test_an_id_of_another_length_is_none(
    decoder: PlainDecoder | FastDecoder,
    trace_id: bytes,
    span_id: bytes,
    expected: list[int],
    *,
    is_odd: bool,
) -> None:
    """The inference is read all the same; nobody can tell whether it came before."""
    span = inference_span({"ml.prediction.labels": ["a"]} if is_odd else {})
    span.trace_id, span.span_id = trace_id, span_id
    decoded = decoder.decode(export_request([span]))
    assert decoded.spans.ids.tolist() == [expected]
    assert len(decoded.columns) == 1


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
@pytest.mark.parametrize(
    ("again", "word"), [(b"12345678", int.from_bytes(b"12345678", "little")), (b"12", 0)]
)
def test_of_an_id_that_is_written_twice_the_last_holds(
    decoder: PlainDecoder | FastDecoder, again: bytes, word: int
) -> None:
    """As protobuf says, also where the last is no id."""
    span = inference_span(span_id=1).SerializeToString() + Span(span_id=again).SerializeToString()
    scope = length_delimited(2, span)
    request = length_delimited(1, length_delimited(2, scope))
    assert decoder.decode(request).spans.ids.tolist() == [[*TRACE, word]]
