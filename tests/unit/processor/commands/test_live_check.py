"""`otel-ml conventions live-check`: real OTLP over gRPC and HTTP on this machine."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from otel_ml_conventions.schema import SCHEMA_URL
from otel_ml_processor.commands import live_check
from otel_ml_processor.commands.live_check import LiveCheck
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.forward.otlp_client import LOGS, METRICS, TRACES
from tests.data.telemetry import IDENTITY, logs, metrics, traces

ANY_PORT = "127.0.0.1:0"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@pytest.fixture(name="check")
def _check() -> Iterator[LiveCheck]:
    check = LiveCheck(ANY_PORT, ANY_PORT)
    check.start()
    yield check
    check.stop()


def seen(check: LiveCheck) -> dict[str, int]:
    """Return which signals were seen how often."""
    return {item.signal: item.times for item in check.tally.coverage() if item.times}


ONE_OF_EACH = {"span ml.inference": 1, "metric ml.drift.score": 1, "event ml.drift.detected": 1}


def call(check: LiveCheck, method: str, body: bytes) -> bytes:
    """Send *body* by gRPC."""
    with grpc.insecure_channel(check.grpc_endpoint) as channel:
        answer: bytes = channel.unary_unary(method)(
            body, timeout=60, wait_for_ready=True, compression=grpc.Compression.Gzip
        )
    return answer


def post(check: LiveCheck, path: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
    """Send *body* by HTTP; return status, content type and answer."""
    connection = http.client.HTTPConnection(check.http_endpoint, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", path, body, named)
    answer = connection.getresponse()
    result = answer.status, answer.headers.get("content-type", ""), answer.read()
    connection.close()
    return result


def test_all_kinds_are_judged_over_grpc(check: LiveCheck) -> None:
    """Compressed, as a collector sends them."""
    for method, request in ((TRACES, traces()), (METRICS, metrics()), (LOGS, logs())):
        assert call(check, method, request.SerializeToString()) == b""

    assert seen(check) == ONE_OF_EACH
    assert check.tally.found() == []


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON, f"{JSON}; charset=utf-8"])
def test_all_kinds_are_judged_over_http(
    check: LiveCheck, content_type: str, is_compressed: bool
) -> None:
    """Protobuf and JSON, plain and compressed, answered in kind."""
    for path, request in (("traces", traces()), ("metrics", metrics()), ("logs", logs())):
        text = MessageToJson(request).encode()
        body = request.SerializeToString() if content_type == PROTOBUF else text
        headers = {"content_type": content_type}
        if is_compressed:
            body, headers = gzip.compress(body, mtime=0), headers | {"content_encoding": "gzip"}
        status, answered_type, answer = post(check, f"/v1/{path}", body, **headers)
        assert (status, answered_type) == (200, content_type.partition(";")[0])
        assert answer == (b"" if content_type == PROTOBUF else b"{}")

    assert seen(check) == ONE_OF_EACH
    assert check.tally.found() == []


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_what_the_sdk_exports_is_judged(check: LiveCheck, way: str) -> None:
    """The exporters of OpenTelemetry itself, with a span that has a mistake."""
    exporter: SpanExporter = (
        GrpcExporter(f"http://{check.grpc_endpoint}", insecure=True)
        if way == "grpc"
        else HttpExporter(f"http://{check.http_endpoint}/v1/traces")
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("mine", schema_url=SCHEMA_URL)

    tracer.start_span("predict fraud", attributes={**IDENTITY, "ml.batchsize": 1}).end()
    provider.shutdown()

    (found,) = check.tally.found()
    assert (found.finding.attribute, found.times) == ("ml.batchsize", 1)
    assert found.first in {"request 1 over gRPC", "request 1 over HTTP"}


def test_other_bytes_are_refused_over_grpc(check: LiveCheck) -> None:
    """With the status that tells a sender not to try again."""
    with pytest.raises(grpc.RpcError) as raised:
        call(check, TRACES, b"\xff\xff")

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "expected an ExportTraceServiceRequest, found 2 other bytes" in raised.value.details()


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"\xff\xff", {"content_type": PROTOBUF}, 400, "expected an ExportTraceServiceRequest"),
        (b"{", {"content_type": JSON}, 400, "expected an ExportTraceServiceRequest"),
        (b"[" * 100_000, {"content_type": JSON}, 400, "expected an ExportTraceServiceRequest"),
        (b"\xff", {"content_type": JSON}, 400, "expected an ExportTraceServiceRequest"),
        (b'{"resourceLogs": []}', {"content_type": JSON}, 400, "found an ExportLogsServiceRequest"),
        (b"x", {"content_type": "text/plain"}, 415, "expected content-type"),
        (b"x", {}, 415, "expected content-type"),
        (b"x", {"content_type": JSON, "content_encoding": "br"}, 415, "content-encoding gzip"),
        (b"no zip", {"content_type": JSON, "content_encoding": "gzip"}, 400, "expected gzip"),
        (
            gzip.compress(b"{}", mtime=0)[:-9],
            {"content_type": JSON, "content_encoding": "gzip"},
            400,
            "expected one whole gzip stream",
        ),
    ],
)
def test_other_bytes_are_refused_over_http(
    check: LiveCheck, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    """The answer is a status that says what was expected, and the next request is taken."""
    found, content_type, answer = post(check, "/v1/traces", body, **headers)

    said = (
        Status.FromString(answer).message
        if content_type == PROTOBUF
        else json.loads(answer)["message"]
    )
    assert (found, reason in said) == (status, True), said
    good = traces().SerializeToString()
    assert post(check, "/v1/traces", good, content_type=PROTOBUF)[0] == 200
    assert seen(check) == {"span ml.inference": 1}


def test_a_request_that_grows_too_large_is_refused(
    check: LiveCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small body that decompresses to a large one as well."""
    monkeypatch.setattr(live_check, "MAX_REQUEST", 1000)

    for body in (b"x" * 1001, gzip.compress(b"\x00" * 1_000_000, mtime=0)):
        encoding = "gzip" if body[:2] == b"\x1f\x8b" else "identity"
        headers = {"content_type": PROTOBUF, "content_encoding": encoding}
        assert post(check, "/v1/traces", body, **headers)[0] == 413


def test_other_paths_and_methods_are_refused(check: LiveCheck) -> None:
    """Nothing else is served."""
    assert post(check, "/v1/profiles", b"")[0] == 404
    connection = http.client.HTTPConnection(check.http_endpoint, timeout=60)
    connection.request("GET", "/v1/traces")
    assert connection.getresponse().status == 405
    connection.close()


def test_an_answer_in_full_is_what_a_sender_parses(check: LiveCheck) -> None:
    """No partial success: everything was taken."""
    body = traces().SerializeToString()

    _, _, answer = post(check, "/v1/traces", body, content_type=PROTOBUF)

    assert not ExportTraceServiceResponse.FromString(answer).HasField("partial_success")


@pytest.mark.parametrize("option", ["--grpc", "--http"])
def test_an_address_in_use_is_told_by_the_option(option: str) -> None:
    """Most often a collector is listening there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = f"127.0.0.1:{taken.getsockname()[1]}"
        endpoints = (used, ANY_PORT) if option == "--grpc" else (ANY_PORT, used)

        with pytest.raises(ConfigError, match=f"^{option}: cannot listen on {used}"):
            LiveCheck(*endpoints)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_the_report(number: signal.Signals) -> None:
    """Ports of 0 are told on stderr, the report is on stdout, and violations are the exit code 1."""
    command = [sys.executable, "-m", "otel_ml", "conventions", "live-check"]
    process = subprocess.Popen(
        [*command, "--grpc", ANY_PORT, "--http", ANY_PORT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        endpoint = re.search(r"OTLP/gRPC (\S+) and", told)
        assert endpoint, told
        with grpc.insecure_channel(endpoint[1]) as channel:
            bad = traces(batch_size="many").SerializeToString()
            channel.unary_unary(TRACES)(bad, timeout=60, wait_for_ready=True)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()

    assert (process.returncode, err) == (1, "")
    assert out.startswith("violation: span ml.inference, ml.batch.size: wrong_type")
    assert "1 violation, 0 pieces of advice" in out


def test_it_ends_by_itself_after_the_given_time() -> None:
    """For pipelines: without violations the exit code is 0."""
    command = [sys.executable, "-m", "otel_ml", "conventions", "live-check", "--seconds", "0.2"]

    done = subprocess.run(
        [*command, "--grpc", ANY_PORT, "--http", ANY_PORT],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0
    assert "ends after 0.2 s" in done.stderr
    assert "nothing of the registry was seen" in done.stdout
