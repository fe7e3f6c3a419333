"""How many spans each that came stands for, as a consistent sampler writes it into the trace state."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.fast_trace_state import threshold_at
from otel_ml_processor.decode.fast_words import padded
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.decode.trace_state import NO_THRESHOLD, threshold_of
from otel_ml_processor.receive.otlp_json import protobuf_of
from otel_ml_processor.signals import Signal
from tests.data.export_requests import export_request, inference_span

DECODERS = pytest.mark.parametrize("decoder", [PlainDecoder, FastDecoder])
HALF = 1 << 55
SAID = {
    "ot=th:8": HALF,
    "ot=th:c": 3 << 54,
    "ot=th:0": 0,
    "ot=th:ffffffffffffff": (1 << 56) - 1,
    "ot=th:00000000000001": 1,
    "ot=rv:6e6d1a75832a2f;th:fd70a4": 0xFD70A4 << 32,
    "vendor=1,ot=th:8,other=th:4": HALF,
    " \tvendor=a=b , ot=th:8 \t": HALF,
    ",,ot=x:y;th:8;z": HALF,
    "ot=th:8,ot=th:c": HALF,
    "ot=th:8;th:c": HALF,
}
UNSAID = (
    "",
    "ot=",
    "ot",
    "ot=th:",
    "ot=th",
    "ot=rv:8",
    "ot=th:g",
    "ot=th:C",
    "ot=th:0x8",
    "ot=th:-8",
    "ot=th:8 ;rv:1",
    "ot= th:8",
    "ot=th:8_0",
    "ot=th:000000000000001",
    "ot=th:" + "f" * 5000,
    "ot=th:٨",
    "OT=th:8",
    "to=th:8",
    "oth=th:8",
    "vendor=ot=th:8",
    "vendor=th:8",
    "th:8",
    "ot=th:g;th:8",
    "ot=rv:1,ot=th:8",
    "a" * 100_000,
    "," * 100_000,
)


def sampled(trace_state: str, span_id: int = 1) -> Span:
    """Return the span of a call whose trace carries *trace_state*."""
    span = inference_span(span_id=span_id)
    span.trace_state = trace_state
    return span


@DECODERS
@pytest.mark.parametrize(("trace_state", "threshold"), SAID.items())
def test_a_threshold_is_read_wherever_it_stands(
    decoder: type[PlainDecoder | FastDecoder], trace_state: str, threshold: int
) -> None:
    """Up to fourteen hexadecimal digits of 56 bits, in the member of OpenTelemetry, among other vendors and other fields; the first of several."""
    (rows,) = decoder(lambda _: None).decode(export_request([sampled(trace_state)])).columns
    assert rows.thresholds is not None
    assert rows.thresholds.tolist() == [threshold]


@DECODERS
@pytest.mark.parametrize("trace_state", UNSAID, ids=range(len(UNSAID)))
def test_what_is_no_threshold_is_passed_over(
    decoder: type[PlainDecoder | FastDecoder], trace_state: str
) -> None:
    """Malformed, too long, of another vendor, in capitals, or not there: the row counts, and nothing is wrong with the span."""
    decoded = decoder(lambda _: None).decode(export_request([sampled(trace_state)]))
    (rows,) = decoded.columns
    assert (len(rows), rows.thresholds, decoded.undecoded) == (1, None, {})


@DECODERS
def test_every_row_has_the_threshold_of_its_own_span(
    decoder: type[PlainDecoder | FastDecoder],
) -> None:
    """Also of a batch, which only the plain decoder reads, and beside spans that say none; in whatever rows are taken of them."""
    batch = inference_span({"ml.prediction.labels": ["a", "b"]}, span_id=3)
    batch.trace_state = "ot=th:c"
    spans = [sampled("ot=th:8"), sampled("", 2), batch, sampled("ot=th:0", 4)]
    (rows,) = decoder(lambda _: None).decode(export_request(spans)).columns
    assert rows.thresholds is not None
    assert rows.thresholds.tolist() == [HALF, -1, 3 << 54, 3 << 54, 0]
    last = rows[3:].thresholds
    assert last is not None
    assert last.tolist() == [3 << 54, 0]


@DECODERS
def test_of_two_trace_states_in_one_span_the_last_holds(
    decoder: type[PlainDecoder | FastDecoder],
) -> None:
    """As for every field that is written twice."""
    twice = sampled("ot=th:8").SerializeToString() + Span(trace_state="a=b").SerializeToString()
    request = ExportTraceServiceRequest.FromString(export_request([sampled("")]))
    request.resource_spans[0].scope_spans[0].ClearField("spans")
    scope = request.resource_spans[0].scope_spans[0].SerializeToString()
    assert len(twice) < 1 << 14
    size = bytes((len(twice) & 0x7F | 0x80, len(twice) >> 7))
    scope += b"\x12" + size + twice
    around = request.resource_spans[0].resource.SerializeToString()
    body = b"\x0a" + bytes((len(around),)) + around
    body += b"\x12" + bytes((len(scope) & 0x7F | 0x80, len(scope) >> 7)) + scope
    whole = b"\x0a" + bytes((len(body) & 0x7F | 0x80, len(body) >> 7)) + body
    (rows,) = decoder(lambda _: None).decode(whole).columns
    assert rows.thresholds is None


@DECODERS
def test_a_threshold_comes_through_json(decoder: type[PlainDecoder | FastDecoder]) -> None:
    """OTLP over HTTP in JSON calls it `traceState`."""
    message = ExportTraceServiceRequest.FromString(export_request([sampled("ot=th:8")]))
    text = MessageToJson(message)
    (span,) = json.loads(text)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["traceState"] == "ot=th:8"
    # Ids are hexadecimal in OTLP, and base64 in protobuf's own JSON.
    hexadecimal = text.replace(span["traceId"], "0" * 31 + "1").replace(
        span["spanId"], "0" * 15 + "1"
    )
    request = protobuf_of(hexadecimal.encode(), Signal.TRACES)
    (rows,) = decoder(lambda _: None).decode(request).columns
    assert rows.thresholds is not None
    assert rows.thresholds.tolist() == [HALF]


@settings(deadline=None)  # the first call compiles
@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(
            ["ot", "=", "th", ":", ",", ";", " ", "\t", "8", "c0", "f" * 14, "g", "rv"]
        ),
        max_size=14,
    ).map("".join)
)
@example("x,ot=th:8")
def test_compiled_code_reads_the_same(trace_state: str) -> None:
    """Of whatever text, and nothing beyond its end."""
    written = trace_state.encode()
    data = padded(b"th:c" + written + b"ot=th:8")
    assert threshold_at(data, 4, 4 + len(written)) == threshold_of(trace_state)
    assert NO_THRESHOLD <= threshold_of(trace_state) < 1 << 56
