"""Where spans lie in a request, what is refused, and that nothing else changes when something is appended."""

from __future__ import annotations

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.decode.wire import (
    MAX_FIELDS,
    MAX_SPANS,
    MalformedRequest,
    encode_attributes,
    length_delimited,
    scan,
    splice,
)
from tests.data.export_requests import any_value, export_request, inference_span


def test_an_empty_request_has_no_spans() -> None:
    """No bytes are a valid request of nothing, as OTLP says."""
    assert scan(b"") == []


def test_every_span_is_found_under_its_resource() -> None:
    """Two resources, three spans: each place holds exactly the bytes of its span, each group those of its resource."""
    first = export_request([inference_span(span_id=1), inference_span(span_id=2)])
    second = export_request([inference_span(span_id=3)], {"service.name": "other"})

    groups = scan(first + second)

    request = ExportTraceServiceRequest.FromString(first + second)
    assert [group.resource for group in groups] == [
        group.resource.SerializeToString() for group in request.resource_spans
    ]
    assert [
        [(first + second)[place.start : place.end] for place in group.spans] for group in groups
    ] == [
        [span.SerializeToString() for span in group.scope_spans[0].spans]
        for group in request.resource_spans
    ]


def test_a_resource_behind_its_spans_is_found() -> None:
    """The order of fields says nothing: a resource written last belongs to the spans before it, and its parts are joined."""
    scope_spans = length_delimited(2, length_delimited(2, b""))
    resource = length_delimited(1, b"\x50\x01"), length_delimited(1, b"\x58\x02")

    group = scan(length_delimited(1, resource[0] + scope_spans + resource[1]))[0]

    assert group.resource == b"\x50\x01\x58\x02"
    assert len(group.spans) == 1


def test_a_known_number_of_another_type_is_an_unknown_field() -> None:
    """A parser skips field 1 as a number where it expects a message; so does the scan."""
    assert scan(b"\x08\x07" + b"\x0d\0\0\0\0" + b"\x09\0\0\0\0\0\0\0\0") == []


@pytest.mark.parametrize(
    ("request_bytes", "path", "offset"),
    [
        pytest.param(b"\x0a\x05abc", "request", 1, id="a length beyond the request"),
        pytest.param(b"\x0a\x02\x12\x05", "resource_spans[0]", 3, id="a length beyond its parent"),
        pytest.param(
            b"\x0a\x00\x0a\x06\x12\x04\x12\x01x\x12",
            "resource_spans[1].scope_spans[0]",
            10,
            id="a tag without a length",
        ),
        pytest.param(b"\x80" * 11, "request", 0, id="a tag longer than ten bytes"),
        pytest.param(b"\x0a" + b"\xff" * 10, "request", 1, id="a length longer than ten bytes"),
        pytest.param(b"\x0a" + b"\xff" * 9 + b"\x01", "request", 1, id="a length of 2**64 - 1"),
        pytest.param(b"\x78\xff", "request", 1, id="a number that is cut"),
        pytest.param(b"\x09\0\0", "request", 1, id="eight bytes that are cut"),
        pytest.param(b"\x0d\0\0", "request", 1, id="four bytes that are cut"),
        pytest.param(b"\x02\x00", "request", 0, id="field number 0"),
        pytest.param(b"\x82\x80\x80\x80\x20\x00", "request", 0, id="field number 2**30"),
        pytest.param(b"\x0b\x0c", "request", 0, id="a group"),
        pytest.param(b"\x0c", "request", 0, id="the end of a group"),
        pytest.param(b"\x0e", "request", 0, id="wire type 6"),
        pytest.param(b"\x0f", "request", 0, id="wire type 7"),
    ],
)
def test_broken_framing_is_refused_with_its_place(
    request_bytes: bytes, path: str, offset: int
) -> None:
    """What is no request is answered with INVALID_ARGUMENT that names the message and the byte where it breaks."""
    with pytest.raises(MalformedRequest) as refused:
        scan(request_bytes)

    assert (refused.value.path, refused.value.offset) == (path, offset)
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.retry_after_s is None
    assert path in refused.value.message
    assert f"at byte {offset}" in refused.value.message


def test_the_number_of_spans_is_limited() -> None:
    """As many spans as the limit says are read, one more is refused."""
    allowed = length_delimited(1, length_delimited(2, b"\x12\x00" * MAX_SPANS))

    assert len(scan(allowed)[0].spans) == MAX_SPANS
    with pytest.raises(MalformedRequest, match=f"more than {MAX_SPANS} spans"):
        scan(allowed + length_delimited(1, length_delimited(2, b"\x12\x00")))


def test_the_number_of_fields_is_limited() -> None:
    """Millions of empty messages, or of unknown numbers, cannot keep the scan busy."""
    assert len(scan(b"\x0a\x00" * MAX_FIELDS)) == MAX_FIELDS
    for field in (b"\x0a\x00", b"\x78\x00"):
        with pytest.raises(MalformedRequest, match=f"more than {MAX_FIELDS} fields"):
            scan(field * (MAX_FIELDS + 1))


def test_splicing_nothing_changes_nothing() -> None:
    """Without an addition the bytes that come out are those that came in."""
    request = export_request([inference_span()])

    assert splice(request, []) == request


@pytest.mark.parametrize("size", [1, 40, 126, 127, 128, 16_383, 16_384])
def test_a_length_that_needs_another_byte_is_corrected_all_the_way_up(size: int) -> None:
    """Whatever the addition does to the lengths around it, a parser reads the span as it was, plus the addition."""
    name = Span(name="x" * size).SerializeToString()
    request = export_request([inference_span(span_id=1), inference_span(span_id=2)])
    second = scan(request)[0].spans[1]

    spliced = splice(request, [(second, name)])

    expected = ExportTraceServiceRequest.FromString(request)
    expected.resource_spans[0].scope_spans[0].spans[1].name = "x" * size
    assert ExportTraceServiceRequest.FromString(spliced) == expected


def test_attributes_are_encoded_as_a_span_holds_them() -> None:
    """Each Python type becomes the attribute type of its name; a sequence of texts becomes an array."""
    values = {"s": "é", "b": True, "i": -3, "d": 0.5, "l": ["x", "y"]}

    encoded = encode_attributes(values.items())

    span = Span.FromString(encoded)
    assert {a.key: a.value for a in span.attributes} == {
        key: any_value(value) for key, value in values.items()
    }
