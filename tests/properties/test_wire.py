"""Requests of every legal shape, built by an encoder of the tests' own: what the scan finds, and what a splice leaves alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.decode.decoder import Decoded
from otel_ml_processor.decode.inference_spans import NO_SPANS
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.decode.wire import (
    MalformedRequest,
    encode_attributes,
    is_whole,
    scan,
    splice,
)
from tests.data.export_requests import any_value, attributes, export_request, inference_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn, SearchStrategy

RESOURCE_SPANS, RESOURCE, SCOPE_SPANS, SCOPE, SPANS = 1, 1, 2, 1, 2
TEXTS = st.text(alphabet="aé\u6f22\0", max_size=3)


@dataclass(frozen=True)
class Message:
    """A message as a tree: in order, raw bytes, or the number of a field and the message in it."""

    parts: tuple[bytes | tuple[int, Message], ...]
    padding: int = field(default=0, compare=False)
    """So many bytes longer than needed is its length written."""


def varint(value: int, padding: int = 0) -> bytes:
    """Return *value* as protobuf writes numbers, with *padding* bytes more than needed."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    groups += [0] * padding
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def encode(message: Message) -> bytes:
    """Return the bytes of *message*."""
    pieces = []
    for part in message.parts:
        if isinstance(part, bytes):
            pieces.append(part)
        else:
            body = encode(part[1])
            pieces += (
                bytes([part[0] << 3 | 2]),
                varint(len(body), part[1].padding),
                body,
            )
    return b"".join(pieces)


@st.composite
def unknown_fields(draw: DrawFn) -> bytes:
    """Draw a field that no version of OTLP has: a number, four or eight bytes, or a text, its tag written long or short."""
    number = draw(st.integers(100, 2**29 - 1))
    value = draw(
        st.sampled_from(
            [
                (0, varint(draw(st.integers(0, 2**64 - 1)))),
                (1, draw(st.binary(min_size=8, max_size=8))),
                (2, varint(3, padding=draw(st.integers(0, 2))) + b"abc"),
                (5, draw(st.binary(min_size=4, max_size=4))),
            ]
        )
    )
    return varint(number << 3 | value[0]) + value[1]


def values() -> SearchStrategy[object]:
    """Draw what an attribute may hold: nothing, scalars, NaN and infinities, bytes, nested lists and maps, empty ones too."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats()
        | TEXTS
        | st.binary(max_size=5)
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=4,
    )


@st.composite
def spans(draw: DrawFn) -> Message:
    """Draw a span with trace state, links, events and attributes, and an unknown field in any of them."""
    span = Span(
        trace_id=draw(st.binary(min_size=16, max_size=16)),
        span_id=draw(st.binary(min_size=8, max_size=8)),
        trace_state=draw(st.sampled_from(["", "vendor=1,other=x", "a=b, ot=rv:1;th:c"])),
        name=draw(TEXTS),
        end_time_unix_nano=draw(st.integers(0, 2**64 - 1)),
        attributes=attributes(draw(st.dictionaries(TEXTS, values(), max_size=3))),
        dropped_attributes_count=draw(st.integers(0, 3)),
    )
    link = Span.Link(trace_state="a=b", attributes=attributes({"k": draw(values())}))
    event = Span.Event(name="e", attributes=attributes({"k": draw(values())}))
    extra = draw(st.lists(unknown_fields(), max_size=2))
    inside = Message((event.SerializeToString(), *extra))
    return Message(
        (
            *extra,
            span.SerializeToString(),
            (11, inside),
            (13, Message((link.SerializeToString(),))),
        ),
        padding=draw(st.integers(0, 2)),
    )


def shuffled(draw: DrawFn, parts: list[bytes | tuple[int, Message]]) -> Message:
    """Draw a message of *parts* in any order, among unknown fields, its length written long or short."""
    extra = draw(st.lists(unknown_fields(), max_size=2))
    return Message(tuple(draw(st.permutations([*parts, *extra]))), padding=draw(st.integers(0, 2)))


@st.composite
def requests(draw: DrawFn) -> Message:
    """Draw a request: resources (none, one, in parts), scopes and spans, some of them empty."""
    groups: list[bytes | tuple[int, Message]] = []
    for _ in range(draw(st.integers(0, 2))):
        parts: list[bytes | tuple[int, Message]] = [
            (RESOURCE, Message((varint(2 << 3) + varint(n),)))
            for n in range(draw(st.integers(0, 2)))
        ]
        for _ in range(draw(st.integers(0, 2))):
            inside: list[bytes | tuple[int, Message]] = [
                (SPANS, span) for span in draw(st.lists(spans(), max_size=3))
            ]
            scope = Message((b"\x0a\x01s",))
            parts.append((SCOPE_SPANS, shuffled(draw, [(SCOPE, scope), *inside])))
        groups.append((RESOURCE_SPANS, shuffled(draw, parts)))
    return shuffled(draw, groups)


def bodies(request: Message) -> list[bytes]:
    """Return the bytes of every span of *request*, in order."""
    found = []
    for outer in request.parts:
        if not isinstance(outer, bytes):
            for middle in outer[1].parts:
                if not isinstance(middle, bytes) and middle[0] == SCOPE_SPANS:
                    found += [
                        encode(inner[1])
                        for inner in middle[1].parts
                        if not isinstance(inner, bytes) and inner[0] == SPANS
                    ]
    return found


def appended(message: Message, additions: Iterator[bytes], path: tuple[int, ...]) -> Message:
    """Return *message* with the next addition behind each message at *path*; a length that changes is written short."""
    if not path:
        addition = next(additions)
        return Message((*message.parts, addition), 0) if addition else message
    parts = tuple(
        (part[0], appended(part[1], additions, path[1:]))
        if not isinstance(part, bytes) and part[0] == path[0]
        else part
        for part in message.parts
    )
    return message if parts == message.parts else Message(parts)


@settings(deadline=None)  # a promise, not a time
@given(requests())
def test_the_scan_finds_the_spans_that_a_parser_finds(tree: Message) -> None:
    """As many spans, the same bytes, the same resources, whatever lies between them."""
    request = encode(tree)

    groups = scan(request)

    parsed = ExportTraceServiceRequest.FromString(request)
    found = [request[place.start : place.end] for group in groups for place in group.spans]
    assert found == bodies(tree)
    assert [len(group.spans) for group in groups] == [
        sum(len(scoped.spans) for scoped in group.scope_spans) for group in parsed.resource_spans
    ]
    assert [
        type(group.resource).FromString(found.resource)
        for group, found in zip(parsed.resource_spans, groups, strict=True)
    ] == [group.resource for group in parsed.resource_spans]


@settings(deadline=None)  # a promise, not a time
@given(requests(), st.data())
def test_a_splice_changes_nothing_but_what_it_adds(tree: Message, data: st.DataObject) -> None:
    """Byte for byte what one gets by writing the request anew with the additions in place: take them out and it is as received."""
    request = encode(tree)
    places = [place for group in scan(request) for place in group.spans]
    sizes = st.sampled_from(
        [b"", b"\x78\x01", b"\x72\x7f" + bytes(127), b"\x72\x80\x02" + bytes(256)]
    )
    additions = [data.draw(sizes) for _ in places]

    spliced = splice(request, [pair for pair in zip(places, additions, strict=True) if pair[1]])

    assert spliced == encode(appended(tree, iter(additions), (RESOURCE_SPANS, SCOPE_SPANS, SPANS)))


@settings(deadline=None)  # a promise, not a time
@given(requests(), st.data())
def test_a_spliced_attribute_is_one_more_attribute(tree: Message, data: st.DataObject) -> None:
    """A parser reads what it read before, and one attribute more on each chosen span."""
    request = encode(tree)
    places = [place for group in scan(request) for place in group.spans]
    chosen = [data.draw(st.booleans()) for _ in places]
    addition = encode_attributes([("ml.verdict.flags", ("ood", "missing:age"))])

    spliced = splice(
        request, [(place, addition) for place, is_it in zip(places, chosen, strict=True) if is_it]
    )

    expected = ExportTraceServiceRequest.FromString(request)
    all_spans = [s for r in expected.resource_spans for c in r.scope_spans for s in c.spans]
    for span, is_it in zip(all_spans, chosen, strict=True):
        if is_it:
            span.attributes.add(key="ml.verdict.flags", value=any_value(["ood", "missing:age"]))
    assert ExportTraceServiceRequest.FromString(spliced).SerializeToString(
        deterministic=True
    ) == expected.SerializeToString(deterministic=True)


@st.composite
def damaged(draw: DrawFn) -> bytes:
    """Draw a valid request of inferences with some bytes cut off, overwritten or inserted."""
    features = draw(values())
    damage = bytearray(
        export_request(
            [
                inference_span({"ml.input.features": features, "ml.prediction.confidence": 0.5}),
                inference_span({"ml.input.rows": '[{"a": 1}, {"a": null}]'}),
            ]
        )
    )
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(damage)))
        damage[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(damage)


@settings(deadline=None)  # a promise, not a time
@given(requests().map(encode) | damaged() | st.binary(max_size=40), requests().map(encode))
def test_of_two_requests_behind_one_another_each_keeps_its_spans(
    first: bytes, second: bytes
) -> None:
    """Where the first of them is whole; another would take bytes of the second for its own."""
    if not is_whole(first):
        return
    try:
        found = starts(first)
    except MalformedRequest:
        return
    assert starts(first + second) == found + [len(first) + start for start in starts(second)]


def starts(request: bytes) -> list[int]:
    """Return where the spans of *request* begin."""
    return [place.start for group in scan(request) for place in group.spans]


def test_a_request_that_could_take_from_the_next_is_not_whole() -> None:
    """Cut off, or with a field that OTLP does not know; nor is one with nothing in it, or with too much to look at."""
    request = export_request([inference_span({})])
    assert is_whole(request)
    assert is_whole(request + request)
    assert not is_whole(request[:-1])
    assert not is_whole(request + b"\x10\x01")
    assert not is_whole(b"\x12\x00" + request)
    assert not is_whole(b"\x0a" + b"\xff" * 11)
    assert not is_whole(b"\x0a\x80")
    assert not is_whole(b"")
    assert not is_whole(b"\x0a\x00" * 65)


@given(st.binary(max_size=200) | damaged())
def test_arbitrary_bytes_are_decoded_or_refused(request: bytes) -> None:
    """Never another error than the refusal that names the place; what is decoded lies within the request."""
    refused, decoded = decoded_or_refused(request)

    assert refused is None or 0 <= refused.offset <= len(request)
    assert len(decoded.spans) <= decoded.n_spans
    for span in decoded.spans:
        assert 0 < span.place.start <= span.place.end <= len(request)
    for rows in decoded.columns:
        assert {len(rows)} == {len(column) for column in rows.features.values()}


def decoded_or_refused(request: bytes) -> tuple[MalformedRequest | None, Decoded]:
    """Return what the decoder says of *request*: a refusal, or columns."""
    try:
        return None, PlainDecoder(lambda _: ("a", "b")).decode(request)
    except MalformedRequest as refused:
        return refused, Decoded(NO_SPANS, (), 0, {})
