"""
OTLP as it lies in files: JSON, one document or one per line, and protobuf, single or one behind the other.

Which of these a file is, is told by its bytes. JSON has no control characters but those that break lines, protobuf is full of them.
Protobuf requests that lie one behind the other have their length before them: four bytes, the highest first, as the collector's file
exporter writes it, or a varint, as protobuf's own tools do.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_ml_processor.errors import OtelMlError
from otel_ml_processor.receive.otlp_json import spell_ids, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from io import BufferedReader
    from pathlib import Path

__all__ = ["OtlpFileError", "Placed", "Request", "from_json", "read_requests"]

Request: TypeAlias = (
    ExportTraceServiceRequest | ExportMetricsServiceRequest | ExportLogsServiceRequest
)

_KINDS: Final[dict[str, type[Request]]] = {
    "resourceSpans": ExportTraceServiceRequest,
    "resourceMetrics": ExportMetricsServiceRequest,
    "resourceLogs": ExportLogsServiceRequest,
}
_SNIFFED_BYTES: Final = 4096
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b"
_BINARY: Final = re.compile(rb"[^\t\n\r\x20-\xff]")
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_PREFIX_BYTES: Final = 4
_LONG_NUMBER: Final = "a number with thousands of digits"
_MAX_VARINT_BYTES: Final = 5


class OtlpFileError(OtelMlError):
    """A file that holds no OTLP, or not all the way; the message names file, place, expectation and finding."""


class Placed(NamedTuple):
    """A request, where in its file it stands, and up to which byte the file has been read."""

    request: Request
    place: str
    read_bytes: int


def read_requests(path: Path) -> Iterator[Placed]:
    """
    Yield the requests in the file at *path*, in its order.

    Lines of JSON are read one by one, everything else is held in memory at once.

    Raises:
        OtlpFileError: If the file cannot be read, is empty, or holds anything else; requests before that place have been yielded.
    """
    try:
        with path.open("rb") as stream:
            yield from _requests(stream)
    except OSError as error:
        raise OtlpFileError(f"{path}: cannot be read: {error.strerror}") from None
    except _MalformedError as error:
        raise OtlpFileError(f"{path}:{error}") from None


def from_json(document: object) -> Request:
    """
    Return the request that a JSON document says; fields that are not known are passed over, and ids of the document are spelled anew.

    Raises:
        ValueError: If it is no request of traces, metrics or logs; the message says what was expected and found.
    """
    if not isinstance(document, dict):
        raise ValueError(  # noqa: TRY004 - what a sender wrote, no mistake of the caller
            f"expected an object with {_known()}, found {_shown(document)}"
        )
    kinds = [kind for name, kind in _KINDS.items() if name in document]
    if len(kinds) != 1:
        found = ", ".join(map(_shown, sorted(document)[:3])) or "nothing"
        raise ValueError(f"expected one of {_known()}, found {found}")
    try:
        spell_ids(document, also_base64=True)
        return ParseDict(document, kinds[0](), ignore_unknown_fields=True)
    except (ParseError, ValueError, RecursionError) as error:
        raise ValueError(
            f"expected an OTLP request, found one that is broken: {told(error)}"
        ) from None


class _MalformedError(ValueError):
    """What is wrong, with the place within the file in front."""


def _requests(stream: BufferedReader) -> Iterator[Placed]:
    head = stream.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]
    if not head.strip():
        raise _MalformedError(" expected OTLP, the file is empty")
    if head.startswith(_GZIP):
        raise _MalformedError(" expected OTLP as JSON or protobuf, found gzip; unpack it first")
    text = head.removeprefix(_BYTE_ORDER_MARK)
    if _BINARY.search(text) is None and text.lstrip()[:1] in b"{[":
        yield from _json_requests(stream)
    elif _BINARY.search(text) is None and text.isascii():
        raise _MalformedError(
            f"1: expected OTLP as JSON or protobuf, found the text {_shown(text)}"
        )
    else:
        yield from _protobuf_requests(stream.read())


def _json_requests(stream: BufferedReader) -> Iterator[Placed]:
    """Yield a request per line; where the first line is no document, one per document of the whole text."""
    read_bytes = 0
    for number, line in enumerate(stream, start=1):
        read_bytes += len(line)
        text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
        if not text.strip():
            continue
        try:
            document = _loaded(text)
        except json.JSONDecodeError as error:
            if number > 1:
                raise _not_json(number, error.msg, error.colno) from None
            yield from _json_documents(text + stream.read())
            return
        yield Placed(_parsed(document, str(number)), str(number), read_bytes)


def _json_documents(data: bytes) -> Iterator[Placed]:
    text = _decoded(data)
    decoder, at = json.JSONDecoder(), _next_character(text, 0)
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        try:
            document, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise _not_json(error.lineno, error.msg, error.colno) from None
        except ValueError:
            raise _not_json(line, _LONG_NUMBER, 1) from None
        except RecursionError:
            raise _MalformedError(
                f"{line}: expected an OTLP request, found JSON nested too deeply"
            ) from None
        yield Placed(_parsed(document, str(line)), str(line), end)
        at = _next_character(text, end)


def _loaded(text: bytes) -> object:
    try:
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError(f"invalid UTF-8 ({error.reason})", "", error.start) from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise json.JSONDecodeError(_LONG_NUMBER, "", 0) from None
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _MalformedError(
            f"{line}: expected JSON, found invalid UTF-8 ({error.reason})"
        ) from None


def _next_character(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _not_json(line: int, reason: str, column: int) -> _MalformedError:
    return _MalformedError(f"{line}: expected JSON, found a mistake in column {column}: {reason}")


def _parsed(document: object, place: str) -> Request:
    try:
        return from_json(document)
    except ValueError as error:
        raise _MalformedError(f"{place}: {error}") from None


def _protobuf_requests(data: bytes) -> Iterator[Placed]:
    single = _request(data)
    if single is not None:
        yield Placed(single, "request 1", len(data))
        return
    for length_at in (_prefixed, _varint):
        for number, (start, end) in enumerate(_frames(data, length_at), start=1):
            request = _request(data[start:end]) if end <= len(data) else None
            if request is None:
                break
            yield Placed(request, f"request {number}", end)
        else:
            return
        if number > 1:
            found = "other bytes" if end <= len(data) else "the end of the file, or other bytes,"
            raise _MalformedError(
                f"request {number}: expected an OTLP request, found {found} at {start}"
            )
    raise _MalformedError(
        f" expected OTLP as JSON or protobuf of traces, metrics or logs, found {len(data):,} other bytes"
    )


def _frames(
    data: bytes, length_at: Callable[[bytes, int], tuple[int, int] | None]
) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the messages in *data*, as their lengths have it; the last may end beyond it."""
    at = 0
    while at < len(data):
        length, start = length_at(data, at) or (1, len(data))
        at = start + length
        yield start, at


def _prefixed(data: bytes, at: int) -> tuple[int, int] | None:
    start = at + _PREFIX_BYTES
    return (int.from_bytes(data[at:start], "big"), start) if start <= len(data) else None


def _varint(data: bytes, at: int) -> tuple[int, int] | None:
    value = 0
    for shift, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that the number goes on
            return value, at + shift + 1
    return None


def _request(data: bytes) -> Request | None:
    """Return what kind of request *data* is: all three have the same outer form, so what is inside has to tell."""
    for kind, is_one in _TESTS:
        try:
            request = kind.FromString(data)
        except DecodeError:
            continue
        if is_one(request):
            return request
    return None


def _is_traces(request: Any) -> bool:
    spans = [s for r in request.resource_spans for c in r.scope_spans for s in c.spans]
    return bool(spans) and all(
        len(span.trace_id) == _TRACE_ID_BYTES and len(span.span_id) == _SPAN_ID_BYTES
        for span in spans
    )


def _is_metrics(request: Any) -> bool:
    metrics = [m for r in request.resource_metrics for c in r.scope_metrics for m in c.metrics]
    return bool(metrics) and all(metric.name and metric.WhichOneof("data") for metric in metrics)


def _is_logs(request: Any) -> bool:
    records = [x for r in request.resource_logs for c in r.scope_logs for x in c.log_records]
    # A span or a metric read as a log record has its first field, a text, where a log record has a number.
    return bool(records) and all(
        record.time_unix_nano or record.observed_time_unix_nano for record in records
    )


_TESTS: Final[tuple[tuple[type[Request], Callable[[Any], bool]], ...]] = (
    (ExportTraceServiceRequest, _is_traces),
    (ExportMetricsServiceRequest, _is_metrics),
    (ExportLogsServiceRequest, _is_logs),
)


def _known() -> str:
    return ", ".join(_KINDS)


def _shown(value: object) -> str:
    names: Iterable[tuple[type, str]] = ((list, "an array"), (str, "a text"), (bool, "a boolean"))
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return ascii(value[:40])
    return next((name for kind, name in names if isinstance(value, kind)), "a number or null")
