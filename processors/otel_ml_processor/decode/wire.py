"""
Where the spans lie within the bytes of an export request, and how attributes are added to them without touching anything else.

An `ExportTraceServiceRequest` is `resource_spans` (1) of a `resource` (1) and `scope_spans` (2), which hold `spans` (2). Only this framing
is read here; what a span holds stays as it came, known or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "MAX_FIELDS",
    "MAX_SPANS",
    "AttributeValue",
    "Framing",
    "MalformedRequest",
    "Place",
    "ResourceSpans",
    "encode_attributes",
    "is_whole",
    "length_delimited",
    "scan",
    "splice",
]

AttributeValue: TypeAlias = "str | float | Sequence[str]"
"""What an attribute of ours may hold; a boolean and an integer stay what they are."""

MAX_SPANS: Final = 65_536
"""Per request; one with more is refused."""
MAX_FIELDS: Final = 8 * MAX_SPANS
"""Per request, spans and all that is around them: what bounds the time of a scan of a million empty messages."""

_MAX_FIELDS_LOOKED_AT: Final = 64
_RESOURCE_SPANS: Final = 1
_RESOURCE_SPANS_TAG: Final = 0x0A
_RESOURCE: Final = 1
_SCOPE_SPANS: Final = 2
_SPANS: Final = 2

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES: Final = 10
_CONTINUES: Final = 0x80
_MAX_FIELD_NUMBER: Final = (1 << 29) - 1


class MalformedRequest(Refusal):
    """Bytes that are no export request of that *kind*: *found* at byte *offset*, within the message at *path*."""

    def __init__(
        self, path: str, offset: int, found: str, kind: str = "ExportTraceServiceRequest"
    ) -> None:
        message = f"{path}: expected an {kind}, found {found} at byte {offset}"
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, message, RefusalCause.MALFORMED)
        self.path = path
        self.offset = offset


class Place(NamedTuple):
    """
    Where an embedded message lies in its request.

    Its length is written in `[length_at, start)`, its body in `[start, end)`; *parent* is the message around it, None where that is
    the request itself.
    """

    length_at: int
    start: int
    end: int
    parent: Place | None


class ResourceSpans(NamedTuple):
    """The places of all spans of one resource, in order, and the bytes of that resource (empty where there is none)."""

    resource: bytes
    spans: list[Place]


def scan(request: bytes) -> list[ResourceSpans]:
    """
    Return where every span of *request* lies; an empty request has none.

    Unknown fields are skipped on every level. A resource that is written in several parts is given joined, which is how a parser
    reads it. The time is bounded by `MAX_FIELDS`, whatever the bytes say.

    Raises:
        MalformedRequest: If a length goes beyond the message around it, a number is longer than 10 bytes, a field has number 0 or a
            wire type that OTLP does not use, or there are more than `MAX_SPANS` spans or `MAX_FIELDS` fields.
    """
    framing = Framing(request)
    found: list[ResourceSpans] = []
    n_spans = 0
    for number, place in framing.messages(0, len(request), None, "request"):
        if number == _RESOURCE_SPANS:
            path = f"resource_spans[{len(found)}]"
            found.append(_resource_spans(framing, place, path))
            n_spans += len(found[-1].spans)
            if n_spans > MAX_SPANS:
                raise MalformedRequest(path, place.start, f"more than {MAX_SPANS} spans")
    return found


def is_whole(request: bytes) -> bool:
    """
    Return whether *request* is one `resource_spans` behind the other up to its end, so that the bytes of another request may stand behind it.

    False also where it has other fields, or too many to look.
    """
    framing, at, end = Framing(request), 0, len(request)
    for _ in range(_MAX_FIELDS_LOOKED_AT):
        if at >= end or request[at] != _RESOURCE_SPANS_TAG:
            return False
        try:
            length, body = framing.varint(at + 1, end, "request")
        except MalformedRequest:
            return False
        at = body + length
        if at == end:
            return True
    return False


def _resource_spans(framing: Framing, place: Place, path: str) -> ResourceSpans:
    resources: list[bytes] = []
    spans: list[Place] = []
    n_scopes = 0
    for number, child in framing.messages(place.start, place.end, place, path):
        if number == _RESOURCE:
            resources.append(framing.request[child.start : child.end])
        elif number == _SCOPE_SPANS:
            inside = framing.messages(
                child.start, child.end, child, f"{path}.scope_spans[{n_scopes}]"
            )
            spans.extend(span for field, span in inside if field == _SPANS)
            n_scopes += 1
    return ResourceSpans(b"".join(resources), spans)


class Framing:
    """Reads the tags and lengths of one *request* of that *kind*, and stops at the budget of fields."""

    __slots__ = ("_fields_left", "_kind", "request")

    def __init__(self, request: bytes, kind: str = "ExportTraceServiceRequest") -> None:
        self.request = request
        self._kind = kind
        self._fields_left = MAX_FIELDS

    def messages(
        self, start: int, end: int, parent: Place | None, path: str
    ) -> Iterator[tuple[int, Place]]:
        """Yield field number and place of everything with a length in `[start, end)`, which is the body of *parent*."""
        at = start
        while at < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise self._malformed(path, at, f"more than {MAX_FIELDS} fields")
            tag, after_tag = self.varint(at, end, path)
            number, wire_type = tag >> 3, tag & 7
            if not 0 < number <= _MAX_FIELD_NUMBER:
                raise self._malformed(path, at, f"field number {number}")
            if wire_type == _LENGTH_DELIMITED:
                length, body = self.varint(after_tag, end, path)
                at = body + length
                self._check_end(at, end, after_tag, path)
                yield number, Place(after_tag, body, at, parent)
            elif wire_type == _VARINT:
                _, at = self.varint(after_tag, end, path)
            elif wire_type in _FIXED_SIZES:
                at = after_tag + _FIXED_SIZES[wire_type]
                self._check_end(at, end, after_tag, path)
            else:
                raise self._malformed(path, at, f"wire type {wire_type}")

    def varint(self, at: int, end: int, path: str) -> tuple[int, int]:
        """
        Return the number at *at* and the offset behind it.

        Raises:
            MalformedRequest: If it is longer than 10 bytes, or cut off at *end*.
        """
        request = self.request
        if at < end and request[at] < _CONTINUES:  # Most tags and many lengths are one byte.
            return request[at], at + 1
        value = shift = 0
        for position in range(at, min(end, at + _MAX_VARINT_BYTES)):
            byte = request[position]
            value |= (byte & 0x7F) << shift
            if byte < _CONTINUES:
                return value, position + 1
            shift += 7
        found = "a number longer than 10 bytes" if end - at >= _MAX_VARINT_BYTES else "a cut number"
        raise self._malformed(path, at, found)

    def _check_end(self, reached: int, end: int, offset: int, path: str) -> None:
        if reached > end:
            raise self._malformed(path, offset, f"a field that ends {reached - end} bytes too far")

    def _malformed(self, path: str, offset: int, found: str) -> MalformedRequest:
        return MalformedRequest(path, offset, found, self._kind)


def splice(request: bytes, additions: Iterable[tuple[Place, bytes]]) -> bytes:
    """
    Return *request* with bytes appended to the messages at some places, and with the lengths around them corrected.

    All places come from one scan of this request and have the same depth. Every other byte stays: unknown fields, their order, and
    numbers that are written longer than needed.
    """
    edits: list[tuple[int, int, bytes]] = []
    level: dict[Place, int] = {}
    for place, addition in additions:
        edits.append((place.end, place.end, addition))
        level[place] = level.get(place, 0) + len(addition)
    while level:
        level = _grow(level, edits)
    return _edited(request, edits)


def _grow(level: dict[Place, int], edits: list[tuple[int, int, bytes]]) -> dict[Place, int]:
    """Write the new length of each message that grew by so many bytes; return by how much those around them grow."""
    above: dict[Place, int] = {}
    for place, growth in level.items():
        length = _varint_bytes(place.end - place.start + growth)
        edits.append((place.length_at, place.start, length))
        if place.parent is not None:
            grown = growth + len(length) - (place.start - place.length_at)
            above[place.parent] = above.get(place.parent, 0) + grown
    return above


def _edited(request: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Return *request* with `[start, end)` replaced, for each edit; none overlap."""
    pieces: list[bytes] = []
    at = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        pieces += (request[at:start], replacement)
        at = end
    pieces.append(request[at:])
    return b"".join(pieces)


def encode_attributes(attributes: Iterable[tuple[str, AttributeValue]]) -> bytes:
    """Return *attributes* as they stand in a span's bytes (field 9); a sequence of texts becomes an array."""
    encoded = [KeyValue(key=key, value=_any_value(value)) for key, value in attributes]
    return Span(attributes=encoded).SerializeToString()


def _any_value(value: AttributeValue) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))


def length_delimited(number: int, body: bytes) -> bytes:
    """Return field *number* (1 to 15) with *body*: how a message is embedded in another."""
    return bytes((number << 3 | _LENGTH_DELIMITED,)) + _varint_bytes(len(body)) + body


def _varint_bytes(value: int) -> bytes:
    written = bytearray()
    while value >= _CONTINUES:
        written.append(value & 0x7F | _CONTINUES)
        value >>= 7
    written.append(value)
    return bytes(written)
