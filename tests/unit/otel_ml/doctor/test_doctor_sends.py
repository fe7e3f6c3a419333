"""The test span: sent for real, and where it is not acknowledged, the reason in plain words."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import grpc
import pytest

from otel_ml.doctor import reaching
from otel_ml.doctor.report import Report, examine

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
HTTP = "http/protobuf"


def report(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Report:
    """Return what the doctor finds under *environment*."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return examine(sends=True)


def said(report: Report) -> str:
    """Return the one thing that is off, with what to do."""
    (finding,) = report.findings
    (sent,) = report.sent
    assert sent.seconds is None
    assert sent.finding == finding
    return f"{finding.said} -> {finding.remedy}"


def test_a_span_arrives_by_grpc(
    grpc_port: int, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the trace that is told, the time that it took and the headers that are asked for; it is no inference."""
    begin = perf_counter()
    found = report(
        monkeypatch,
        **{ENDPOINT: f"http://127.0.0.1:{grpc_port}", "OTEL_EXPORTER_OTLP_HEADERS": "who=me"},
    )
    took = perf_counter() - begin
    assert found.findings == []
    (sent,) = found.sent
    (span,) = receiver.spans
    assert sent.trace_id == span.trace_id.hex()
    assert sent.seconds is not None
    assert 0 < sent.seconds < took
    assert span.name == "otel-ml doctor"
    assert not [attribute for attribute in span.attributes if attribute.key.startswith("ml.")]
    assert receiver.headers["who"] == "me"


def test_a_span_arrives_by_http(
    http_port: int, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the path that the specification gives to traces."""
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{http_port}", PROTOCOL: HTTP})
    assert found.findings == []
    assert answers.paths == ["/v1/traces"]


@pytest.mark.parametrize("protocol", ["grpc", HTTP])
def test_nothing_listens(protocol: str, dead_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told at once, with the variable that says where to send."""
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{dead_port}", PROTOCOL: protocol})
    assert said(found) == (
        f"nothing listens at 127.0.0.1:{dead_port} -> start a collector there, or say in {ENDPOINT} "
        "where one is"
    )


def test_grpc_is_spoken_to_a_port_for_http(http_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commonest mistake, told with both ways out."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5")
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{http_port}"})
    assert said(found) == (
        f"http://127.0.0.1:{http_port} speaks HTTP, and the protocol here is grpc -> "
        f"set {PROTOCOL}={HTTP}, or name the port for gRPC, usually 4317"
    )


def test_http_is_spoken_to_a_port_for_grpc(grpc_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way round."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5")
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{grpc_port}", PROTOCOL: HTTP})
    assert said(found) == (
        f"http://127.0.0.1:{grpc_port}/v1/traces speaks gRPC, and the protocol here is {HTTP} -> "
        f"set {PROTOCOL}=grpc, or name the port for HTTP, usually 4318"
    )


@pytest.mark.parametrize("scheme", ["https://", ""])
def test_tls_is_spoken_to_a_port_without(
    scheme: str, grpc_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no scheme is given, which for gRPC means TLS."""
    found = report(monkeypatch, **{ENDPOINT: f"{scheme}127.0.0.1:{grpc_port}"})
    assert said(found).startswith(f"127.0.0.1:{grpc_port} speaks no TLS -> begin the endpoint with")


def test_an_endpoint_without_a_scheme_may_be_called_insecure(
    grpc_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the specification has it for gRPC."""
    found = report(
        monkeypatch,
        **{ENDPOINT: f"127.0.0.1:{grpc_port}", "OTEL_EXPORTER_OTLP_INSECURE": "true"},
    )
    assert found.findings == []


def test_a_certificate_is_not_trusted(tls_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of the TLS library, and the variable that names an authority."""
    found = report(monkeypatch, **{ENDPOINT: f"https://localhost:{tls_port}"})
    assert f"localhost:{tls_port} shows a certificate that is not trusted" in said(found)
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE" in said(found)


def test_a_span_arrives_by_tls(
    tls_port: int,
    authority: Any,
    receiver: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once its authority is named."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    found = report(
        monkeypatch,
        **{
            ENDPOINT: f"https://localhost:{tls_port}",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(file),
        },
    )
    assert found.findings == []
    assert len(receiver.spans) == 1


def test_the_file_of_an_authority_is_not_there(
    tls_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that names it is told."""
    found = report(
        monkeypatch,
        **{
            ENDPOINT: f"https://localhost:{tls_port}",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "no-such-file.pem",
        },
    )
    assert "No such file" in said(found)
    assert "mend OTEL_EXPORTER_OTLP_CERTIFICATE" in said(found)


def test_plain_words_are_spoken_to_a_port_with_tls(
    tls_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """http:// where https:// is meant."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5")
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{tls_port}"})
    assert said(found) == (
        f"http://127.0.0.1:{tls_port} wants TLS -> begin the endpoint with https://"
    )


@pytest.mark.parametrize(
    "refusal", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED]
)
def test_a_caller_is_not_let_in_by_grpc(
    refusal: grpc.StatusCode, grpc_port: int, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable for credentials is told."""
    receiver.refusal = refusal
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{grpc_port}"})
    assert "does not let this caller in -> say who you are in OTEL_EXPORTER_OTLP_HEADERS" in (
        said(found)
    )


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "does not let this caller in"),
        (403, "does not let this caller in"),
        (404, "takes no traces in OTLP"),
        (400, "did not acknowledge the span: "),
    ],
)
def test_a_refusal_by_http_is_put_in_words(
    status: int, told: str, http_port: int, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its status."""
    answers.statuses["/v1/traces"] = status
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{http_port}", PROTOCOL: HTTP})
    assert told in said(found)


def test_the_endpoint_of_one_signal_is_taken_as_it_is(
    http_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves the path out there is told so."""
    found = report(
        monkeypatch,
        **{
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{http_port}",
            PROTOCOL: HTTP,
        },
    )
    assert "end the endpoint with /v1/traces" in said(found)


@pytest.mark.parametrize(
    ("endpoint", "protocol", "told"),
    [
        ("127.0.0.1:4318", HTTP, "it begins with neither http:// nor https://"),
        ("http://127.0.0.1:many", "grpc", "'http://127.0.0.1:many' cannot be used: Port could"),
        ("http://127.0.0.1:99999", "grpc", "cannot be used: Port out of range"),
        ("ftp://127.0.0.1", HTTP, "it is not http://HOST:PORT or https://HOST:PORT"),
        ("http://", "grpc", "it is not http://HOST:PORT or https://HOST:PORT"),
        ("http://no-such-host.invalid:1", "grpc", "there is no host 'no-such-host.invalid'"),
        ("http://two..dots:1", "grpc", "there is no host 'two..dots'"),
        (f"http://{'a' * 64}.example:1", "grpc", "there is no host 'aaa"),
        ("http://127.0.0.1:1", "http/json", "protocol 'http/json' is not known to the SDK"),
    ],
)
def test_an_endpoint_that_is_none(
    endpoint: str, protocol: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told without trying it."""
    found = report(monkeypatch, **{ENDPOINT: endpoint, PROTOCOL: protocol})
    assert told in said(found)


def test_a_variable_that_the_exporter_cannot_read(
    grpc_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's SDK would fail on it too."""
    found = report(
        monkeypatch,
        **{ENDPOINT: f"http://127.0.0.1:{grpc_port}", "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
    )
    assert "the exporter cannot be made: could not convert string to float: 'soon'" in said(found)


def test_an_exporter_that_raises_is_told(grpc_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of somebody else's, which should have returned a failure."""
    exporter = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter.OTLPSpanExporter.export"
    monkeypatch.setattr(exporter, lambda self, spans: 1 / 0)
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{grpc_port}"})
    assert "did not acknowledge the span: ZeroDivisionError: division by zero" in said(found)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_who_sends_callers_elsewhere_has_acknowledged_nothing(
    status: int, http_port: int, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that wants TLS, say; the exporter takes its answer for a success."""
    answers.statuses["/v1/traces"] = status
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{http_port}", PROTOCOL: HTTP})
    assert said(found) == (
        f"http://127.0.0.1:{http_port}/v1/traces sends callers elsewhere, where spans do not follow "
        f"-> begin the endpoint with https://, or say in {ENDPOINT} where it is that takes traces"
    )


@contextlib.contextmanager
def dripping(first: bytes) -> Iterator[int]:
    """Yield a port whose every caller gets *first*, and then a byte ten times a second, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip(caller: socket.socket) -> None:
            with contextlib.suppress(OSError), caller:
                caller.sendall(first)
                while server.fileno() >= 0:
                    caller.sendall(b"x")
                    sleep(0.1)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    threading.Thread(target=drip, args=(caller,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.timeout(600)  # without a deadline it would never end
@pytest.mark.parametrize(
    ("first", "told"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "in time"),
        (b"HTTP/1.1 200 OK\r\nServer: ", "in time"),
        (b"", "in time"),
    ],
    ids=["body", "headers", "words"],
)
def test_who_answers_without_end_is_not_waited_for(
    first: bytes, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer of which a byte comes now and then keeps an exporter for hours; the doctor has a deadline."""
    monkeypatch.setattr(reaching, "_PATIENCE_SECONDS", 2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with dripping(first) as port:
        found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{port}", PROTOCOL: HTTP})
    assert f"did not acknowledge the span {told}" in said(found)


@pytest.mark.parametrize("timeout", ["inf", "1e30"])
def test_a_timeout_that_never_ends(
    timeout: str, grpc_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is longer than a thread can be waited for; the doctor says something all the same."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", timeout)
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{grpc_port}"})
    assert len(found.sent) == 1


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "TEXT/HTML"])
def test_a_web_page_is_no_acknowledgement(
    content_type: str, http_port: int, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web server, or the login of a proxy: the exporter takes its 200 for a success."""
    answers.content_type = content_type
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{http_port}", PROTOCOL: HTTP})
    assert said(found) == (
        f"http://127.0.0.1:{http_port}/v1/traces answers with a web page, as a web server or the login "
        f"of a proxy does, and takes no spans -> say in {ENDPOINT} where a collector takes traces, or in "
        "NO_PROXY that no proxy is to be asked"
    )


@pytest.mark.parametrize(
    "content_type", ["application/x-protobuf", "application/json", "text/plain", ""]
)
def test_other_kinds_of_answers_acknowledge(
    content_type: str, http_port: int, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receivers say `ok` in many ways."""
    answers.content_type = content_type
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{http_port}", PROTOCOL: HTTP})
    assert found.findings == []


def test_a_try_without_an_answer_hides_no_reason(
    grpc_port: int, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said before there was no time left is what to look for."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10")
    receiver.refusal, receiver.answers_left = grpc.StatusCode.UNAVAILABLE, 1
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{grpc_port}"})
    assert "UNAVAILABLE" in said(found)
    assert "retrying" not in said(found)
    assert "in time" not in said(found)


def test_a_service_that_is_unavailable_is_not_late(
    http_port: int, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exporter's last word is that it has no time for another try."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10")
    answers.statuses["/v1/traces"] = 503
    found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{http_port}", PROTOCOL: HTTP})
    assert "did not acknowledge the span: " in said(found)
    assert "Service Unavailable" in said(found)
    assert "retrying" not in said(found)


def test_a_reason_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several tries, each logged with its reason and a stack of words, the end is enough."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def slam() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listening.accept()[0].close()

        threading.Thread(target=slam, daemon=True).start()
        port = listening.getsockname()[1]
        found = report(monkeypatch, **{ENDPOINT: f"http://127.0.0.1:{port}", PROTOCOL: "grpc"})
        listening.shutdown(socket.SHUT_RDWR)

    assert "retrying" not in said(found)
    assert "UNAVAILABLE" in said(found)
