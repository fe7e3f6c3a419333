"""OTLP as it lies in files, whichever of its forms."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.internal.encoder import _VarintBytes
from google.protobuf.json_format import MessageToDict, MessageToJson

from otel_ml_processor.commands.otlp_files import OtlpFileError, read_requests
from tests.data.telemetry import logs, metrics, traces

REQUESTS = [traces(), metrics(), logs()]


def as_otlp_json(request: Any) -> dict[str, Any]:
    """Return *request* as OTLP writes JSON: ids in hexadecimal, where protobuf has base64."""
    document: dict[str, Any] = MessageToDict(request)
    for group in document.get("resourceSpans", []):
        for scoped in group["scopeSpans"]:
            for span in scoped["spans"]:
                span.update(traceId="0af7651916cd43dd8448eb211c80319c", spanId="0101010101010101")
    return document


def prefixed(data: bytes) -> bytes:
    """Return *data* as the collector's file exporter writes it."""
    return len(data).to_bytes(4, "big") + data


def delimited(data: bytes) -> bytes:
    """Return *data* as protobuf's own tools write it."""
    return bytes(_VarintBytes(len(data))) + data


def read(path: Path, content: bytes | str) -> list[tuple[Any, str]]:
    """Return what is read from a file of *content*, with the places."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(request, place) for request, place, _ in read_requests(path)]


def names(request: Any) -> set[str]:
    """Return the names of spans, metrics and events in *request*."""
    text = MessageToJson(request)
    return set(re.findall(r'"(?:name|eventName)": "([^"]+)"', text))


EXPECTED = [{"predict fraud"}, {"ml.drift.score"}, {"ml.drift.detected"}]


def test_lines_of_json_are_requests(tmp_path: Path) -> None:
    """What the collector's file exporter writes: all three kinds, empty lines between, no line break at the end."""
    content = "\n\n".join(json.dumps(as_otlp_json(request)) for request in REQUESTS)

    found = read(tmp_path / "a.jsonl", content)

    assert [names(request) for request, _ in found] == EXPECTED
    assert [place for _, place in found] == ["1", "3", "5"]


def test_ids_are_read_in_hexadecimal_and_in_base64(tmp_path: Path) -> None:
    """OTLP writes the first, protobuf's own JSON the second: both are 16 and 8 bytes."""
    request = traces()
    content = json.dumps(as_otlp_json(request)) + "\n" + MessageToJson(request, indent=None)

    found = [request for request, _ in read(tmp_path / "a.jsonl", content)]

    ids = [(s.trace_id, s.span_id) for r in found for s in r.resource_spans[0].scope_spans[0].spans]
    own = request.resource_spans[0].scope_spans[0].spans[0]
    assert ids == [
        (bytes.fromhex("0af7651916cd43dd8448eb211c80319c"), bytes([1] * 8)),
        (own.trace_id, own.span_id),
    ]


def test_documents_that_are_written_over_several_lines_are_requests(tmp_path: Path) -> None:
    """One, or one behind the other, with a byte order mark."""
    content = "\ufeff" + "\n".join(json.dumps(as_otlp_json(r), indent=2) for r in REQUESTS)

    found = read(tmp_path / "a.json", content)

    assert [names(request) for request, _ in found] == EXPECTED
    assert found[0][1] == "1"


def test_fields_of_later_versions_are_passed_over(tmp_path: Path) -> None:
    """A sender may be newer than we are."""
    document = as_otlp_json(traces())
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["fromTheFuture"] = {"a": [1]}

    ((request, _),) = read(tmp_path / "a.json", json.dumps(document))

    assert names(request) == {"predict fraud"}


@pytest.mark.parametrize("request_of", [traces, metrics, logs])
def test_a_single_protobuf_request_is_known_by_what_it_holds(
    tmp_path: Path, request_of: Any
) -> None:
    """The three kinds have the same outer form."""
    request = request_of()

    ((found, place),) = read(tmp_path / "a.binpb", request.SerializeToString())

    assert (found, place) == (request, "request 1")


@pytest.mark.parametrize("framed", [prefixed, delimited])
def test_protobuf_requests_with_lengths_are_requests(tmp_path: Path, framed: Any) -> None:
    """Of mixed kinds, with either form of length."""
    content = b"".join(framed(request.SerializeToString()) for request in REQUESTS)

    found = read(tmp_path / "a.bin", content)

    assert [request for request, _ in found] == REQUESTS
    assert found[2][1] == "request 3"


def test_metrics_whose_names_are_as_long_as_a_trace_id_are_metrics(tmp_path: Path) -> None:
    """Read as a span, such a name would be the id of its trace."""
    request = metrics()
    (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
    metric.name = "ml.sixteen.chars"

    ((found, _),) = read(tmp_path / "a.bin", request.SerializeToString())

    assert found == request


@pytest.mark.parametrize("size", [10, 123, 60, 34])
def test_any_length_of_resource_is_protobuf(tmp_path: Path, size: int) -> None:
    """Lengths of 10 and 123 look like a line break and a brace."""
    request = traces()
    resource = request.resource_spans[0].resource
    resource.ClearField("attributes")
    key = resource.attributes.add(key="k")
    key.value.string_value = "v" * (size - 9)

    ((found, _),) = read(tmp_path / "a.bin", request.SerializeToString())

    assert found == request


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", " expected OTLP, the file is empty"),
        (b" \n ", " expected OTLP, the file is empty"),
        (b"hello", "1: expected OTLP as JSON or protobuf, found the text 'hello'"),
        (b"\x00" * 100, " expected OTLP as JSON or protobuf of traces, metrics or logs, found 100"),
        (
            gzip.compress(b"{}", mtime=0),
            " expected OTLP as JSON or protobuf, found gzip; unpack it first",
        ),
        (b"\x89PNG\r\n\x1a\n", " expected OTLP as JSON or protobuf of traces, metrics or logs"),
        (b"{}", "1: expected one of resourceSpans, resourceMetrics, resourceLogs, found nothing"),
        (b'{"a": 1}', "1: expected one of resourceSpans, resourceMetrics, resourceLogs, found 'a'"),
        (
            b"[]",
            "1: expected an object with resourceSpans, resourceMetrics, resourceLogs, found an",
        ),
        (
            b'{"resourceSpans": 7}',
            "1: expected an OTLP request, found one that is broken: resourceSpans: expected",
        ),
        (
            b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "b7ad6b71692033zz"}]}]}]}',
            "1: expected an OTLP request, found one that is broken: spanId: expected an id in hexadecimal",
        ),
        (b'{"resourceSpans": []}\n{"resourceSp', "2: expected JSON, found a mistake in column"),
        (b'{\n"resourceSpans": [],,\n}', "2: expected JSON, found a mistake in column"),
        (b'{"resourceSpans": []}\n{"a": "\xff"}', "2: expected JSON, found a mistake"),
        (b'{\n"a": "\xff"}', "2: expected JSON, found invalid UTF-8"),
        (b'{"a":' * 100_000, "1: expected an OTLP request, found JSON nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "1: expected JSON, found a mistake in column 1: a number"),
        (
            b'{"resourceSpans": []}\n{"a": ' + b"1" * 5000 + b"}",
            "2: expected JSON, found a mistake in column 1: a number with thousands of digits",
        ),
    ],
)
def test_anything_else_is_an_error_that_names_the_place(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """One line with file, place, expectation and finding."""
    path = tmp_path / "a"

    with pytest.raises(OtlpFileError) as raised:
        read(path, content)

    assert str(raised.value).startswith(f"{path}:{message}")
    assert "\n" not in str(raised.value)


def test_a_value_that_is_no_number_is_told(tmp_path: Path) -> None:
    """The reason says which field."""
    document = as_otlp_json(metrics())
    document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"][0][
        "asDouble"
    ] = "many"

    with pytest.raises(OtlpFileError, match=r"gauge\.dataPoints.*\.asDouble: expected"):
        read(tmp_path / "a", json.dumps(document))


@pytest.mark.parametrize("framed", [prefixed, delimited])
def test_a_cut_dump_is_an_error(tmp_path: Path, framed: Any) -> None:
    """A disk that was full must not look like a short file; what stands before the cut has been read, and the place is told."""
    *whole, last = [framed(request.SerializeToString()) for request in REQUESTS]
    path, told = tmp_path / "a", []
    path.write_bytes(b"".join(whole) + last[:-5])

    with pytest.raises(OtlpFileError) as raised:
        told.extend(each.request for each in read_requests(path))

    assert told == REQUESTS[:-1]
    place = f"{path}:request {len(REQUESTS)}: expected an OTLP request, found the end of the file"
    assert str(raised.value).startswith(place)


def test_other_bytes_between_requests_are_an_error_that_names_the_request(tmp_path: Path) -> None:
    """What stands before it has been read."""
    content = prefixed(traces().SerializeToString()) + prefixed(b"\x00\x01\x02")

    with pytest.raises(OtlpFileError, match="request 2: expected an OTLP request"):
        read(tmp_path / "a", content)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Nor can a folder be read."""
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(OtlpFileError, match="cannot be read"):
            list(read_requests(path))


def test_reading_tells_how_far_it_is(tmp_path: Path) -> None:
    """The last request ends where the file does."""
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(as_otlp_json(request)) + "\n" for request in REQUESTS))

    read_bytes = [placed.read_bytes for placed in read_requests(path)]

    assert read_bytes == sorted(read_bytes)
    assert read_bytes[-1] == path.stat().st_size
