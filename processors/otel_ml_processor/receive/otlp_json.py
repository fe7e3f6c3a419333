"""OTLP as JSON: like protobuf's own JSON, but with ids in hexadecimal."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

import grpc
import msgspec
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError

from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from otel_ml_processor.signals import Signal

__all__ = ["json_of", "protobuf_of", "spell_ids", "told"]

_IDS: Final = frozenset(
    {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
)

_FIELD: Final = re.compile(r"Failed to parse (\w+) field: ")
_FIELDS: Final = re.compile(rf"(?:{_FIELD.pattern})*")
"""How protobuf begins to say what is wrong: the fields on the way there, from the outermost."""

_PLACE: Final = re.compile(r" at Export\w+Request\.([\w.\[\]]*\w\]?)\.*$")
"""How it ends, of some mistakes: with each one's number within its list as well."""

_LENGTHS: Final = frozenset({32, 16})
"""Characters of an id in hexadecimal; in base64 it has 24 or 12."""


def protobuf_of(text: bytes, signal: Signal) -> bytes:
    """
    Return the request that *text* says, in protobuf; fields that are not known are left out, as OTLP wants it.

    Raises:
        Refusal: INVALID_ARGUMENT, saying where, if it is no JSON or no request of *signal*.
    """
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
        spell_ids(document)
        request = ParseDict(document, signal.request(), ignore_unknown_fields=True)
    except (msgspec.MsgspecError, ParseError, ValueError, RecursionError) as error:
        message = f"expected an {signal.request.__name__} as JSON: {told(error)}"
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, message, RefusalCause.MALFORMED) from None
    content: bytes = request.SerializeToString()
    return content


def told(error: Exception) -> str:
    """Return what *error* says of JSON that is no request: of protobuf's own words the place alone, for they quote the value, which may be that of a feature."""
    text = " ".join(str(error).split())
    if not isinstance(error, ParseError):
        return text or "nesting that is too deep"
    if place := _PLACE.search(text):
        path = place[1]
    else:
        path = ".".join(_FIELD.findall(_FIELDS.match(text)[0]))  # type: ignore[index]  # it matches nothing, too
    return f"{path or 'request'}: expected what OTLP has there, found another type, or a number beyond its range"


def json_of(message: Message) -> bytes:
    """Return *message* as JSON in one line."""
    return MessageToJson(message, indent=None).encode()


def spell_ids(document: object, *, also_base64: bool = False) -> None:
    """
    Write every id within *document* in base64, as protobuf's JSON has bytes; attributes have no such keys, theirs are values.

    Where ids may be *also base64* already, as protobuf's own JSON has them, those of another length than OTLP's stay as they are.

    Raises:
        ValueError: If one is not hexadecimal.
    """
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                is_id = key in _IDS and isinstance(value, str)
                if is_id and (len(value) in _LENGTHS or not also_base64):
                    node[key] = _base64_of(key, value)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _base64_of(key: str, value: str) -> str:
    try:
        return b64encode(bytes.fromhex(value)).decode()
    except ValueError:
        raise ValueError(
            f"{key}: expected an id in hexadecimal digits, two for each byte, found {value[:40]!r}"
        ) from None
