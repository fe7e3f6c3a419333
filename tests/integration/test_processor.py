"""The processor as a process: what its operator sees of it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import httpx
import numpy as np
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from otel_ml_processor.profile import Source
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.windows.reference import build_profile
from tests.integration.real_servers import OTEL_ML, eventually, free_port, processor_running
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class _Everything(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """Answers every method of every service with success."""

    def __init__(self, keep: Callable[[str, bytes], bytes]) -> None:
        self._keep = keep

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return a handler that hands method and request on."""
        return grpc.unary_unary_rpc_method_handler(
            lambda request, _context: self._keep(details.method, request)
        )


class Receiver:
    """A real OTLP/gRPC server that keeps what it is sent: the collector's side of our own telemetry."""

    def __init__(self) -> None:
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.logs: list[ExportLogsServiceRequest] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((_Everything(self._keep),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def _keep(self, method: str, request: bytes) -> bytes:
        if "MetricsService" in method:
            self.metrics.append(ExportMetricsServiceRequest.FromString(request))
        if "LogsService" in method:
            self.logs.append(ExportLogsServiceRequest.FromString(request))
        return b""

    @contextmanager
    def serving(self) -> Iterator[Receiver]:
        """Serve until the block is left."""
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(0).wait()

    def last(self, name: str) -> list[float]:
        """Return the values of metric *name* in the last push that had it."""
        for request in reversed(self.metrics):
            metrics = [
                metric
                for resource in request.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
                if metric.name == name
            ]
            if metrics:
                data = metrics[0].gauge if metrics[0].HasField("gauge") else metrics[0].sum
                return [p.as_double or float(p.as_int) for p in data.data_points]
        return []


def configured(folder: Path, text: str) -> Path:
    """Return a configuration file with *text*."""
    path = folder / "processor.yaml"
    path.write_text(text)
    return path


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `otel-ml processor` until it ends by itself."""
    command = [str(OTEL_ML), "processor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_help_is_enough_to_start() -> None:
    """It says what it does, what happens without a file, and gives an example."""
    done = run("--help")
    assert done.returncode == 0
    assert "127.0.0.1:14317" in done.stdout
    assert "example: otel-ml processor --config" in done.stdout


MISTAKES = {
    "mode: inlin": "$.mode: expected one of inline, tee, got 'inlin'",
    "recieve: {}": "$: unknown key 'recieve'; known: bootstrap, confidence, drift, emit, feedback, forward,",
    "profiles: [absent.json]": "absent.json: cannot read the profile: No such file or directory",
    "http: {endpoint: nowhere}": "$.http.endpoint: expected host:port",
    "receive: {endpoint: '10.1.2.3:4317'}": "$.receive.endpoint: expected an address of this machine",
    "emit: {endpoint: '127.0.0.1:14317'}": "$.emit.endpoint: expected another address",
    "mode: [": ":1: expected YAML: ",
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path, text: str, said: str) -> None:
    """File, place, what was expected and found; no traceback, nothing started."""
    config = configured(tmp_path, text)
    done = run("--config", config)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("otel-ml processor: ")
    assert str(tmp_path) in line
    assert said in line


def test_an_address_of_the_command_line_that_is_none_is_told_as_such(tmp_path: Path) -> None:
    """Also where the mistake is found only when the doors are opened: nobody looks for it in the file."""
    config = configured(tmp_path, "receive: {endpoint: '127.0.0.1:0'}")
    done = run("--config", config, "--set", "receive.endpoint=here")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    place = "--set receive.endpoint: $.receive.endpoint"
    assert line.startswith(f"otel-ml processor: {place}: expected host:port such as ")


@pytest.mark.parametrize("room", ["receive", "http"])
def test_a_used_port_starts_nothing(tmp_path: Path, room: str) -> None:
    """One line names the address; the other port, which was free, is not left open."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"receive": free_port(), "http": free_port()}
        ports[room] = taken.getsockname()[1]
        text = "".join(f"{r}: {{endpoint: '127.0.0.1:{p}'}}\n" for r, p in ports.items())
        done = run("--config", configured(tmp_path, text))
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert f"$.{room}.endpoint: cannot listen on 127.0.0.1:{ports[room]}" in line
    assert "in use" in line


def test_a_missing_extra_is_named() -> None:
    """Who installed only the SDK reads what to install."""
    blocked = "import sys; sys.modules['msgspec'] = None; from otel_ml.__main__ import main; sys.exit(main(['processor']))"
    done = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 2
    assert "pip install 'otel-ml[processor]'" in done.stderr
    assert "Traceback" not in done.stderr


def shop_profile(path: Path) -> None:
    """Write the profile of a model with one normal input."""
    random = np.random.default_rng(3)
    profile = build_profile(
        {"amount": random.normal(size=5000)},
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=5000),
    )
    write_profile(profile, path)


def shop_request(n: int, shift: float) -> bytes:
    """Return *n* inferences whose input has moved by *shift*."""
    random = np.random.default_rng(4)
    now = time.time_ns()
    spans = [
        inference(i, end_ns=now, features={"amount": float(random.normal(shift))}) for i in range(n)
    ]
    return request_of(spans).SerializeToString()


def test_sigterm_drains_assesses_what_is_open_and_pushes_it(tmp_path: Path) -> None:
    """The last 300 rows are in no full window; they are assessed, pushed and told before the end, and the exit code is 0."""
    shop_profile(tmp_path / "fraud.json")
    port, page = free_port(), free_port()
    with Receiver().serving() as receiver:
        config = configured(
            tmp_path,
            f"""
            receive: {{endpoint: "127.0.0.1:{port}"}}
            http: {{endpoint: "127.0.0.1:{page}"}}
            emit: {{endpoint: "127.0.0.1:{receiver.port}", interval: 60s}}
            windows: [{{name: rows, rows: 1000}}]
            profiles: [fraud.json]
            """,
        )
        with processor_running(config, f"127.0.0.1:{page}", tmp_path / "log") as process:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                channel.unary_unary(EXPORT)(shop_request(300, shift=2.0), timeout=60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        assert receiver.last("ml.drift.window.samples") == [300]
        (event,) = receiver.logs
    record = event.resource_logs[0].scope_logs[0].log_records[0]
    assert record.event_name == "ml.drift.detected"
    attributes = {a.key: a.value for a in record.attributes}
    assert attributes["ml.feature.name"].string_value == "amount"
    assert attributes["ml.drift.kind"].string_value == "skew"
    assert "1 input differs from the reference" in attributes["ml.drift.description"].string_value


def test_bad_requests_get_the_status_that_otlp_gives_them_and_are_counted(tmp_path: Path) -> None:
    """Malformed, oversized and nonsense: the sender learns what to do, the processor serves on, `/metrics` has the count."""
    port, page = free_port(), free_port()
    config = configured(
        tmp_path,
        f"""
        receive: {{endpoint: "127.0.0.1:{port}", max_message: 64KiB}}
        http: {{endpoint: "127.0.0.1:{page}"}}
        emit: {{endpoint: "127.0.0.1:{free_port()}"}}
        """,
    )
    with (
        processor_running(config, f"127.0.0.1:{page}", tmp_path / "log"),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        export = channel.unary_unary(EXPORT)
        good = shop_request(3, 0.0)
        assert status_of(export, good[:-2]) is grpc.StatusCode.INVALID_ARGUMENT
        assert status_of(export, b"\xff" * 40) is grpc.StatusCode.INVALID_ARGUMENT
        assert status_of(export, shop_request(1000, 0.0)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        nonsense = inference(
            1, end_ns=0, prediction_confidence="very", input_features="[1, 2", batch_size="x"
        )
        assert status_of(export, request_of([nonsense]).SerializeToString()) is None
        assert status_of(export, b"") is None
        assert status_of(export, good) is None

        def metrics_page() -> str:
            return httpx.get(f"http://127.0.0.1:{page}/metrics", timeout=60).text

        # What is too large gRPC may have answered before it was counted.
        unreadable = 'ml_processor_refused_total{ml_processor_cause="unreadable"} 1.0'
        metrics = eventually(metrics_page, lambda text: unreadable in text, 60)
    assert 'ml_processor_refused_total{ml_processor_cause="malformed"} 2.0' in metrics
    assert unreadable in metrics
    assert 'ml_processor_undecoded_total{ml_processor_cause="wrong_type"} 1.0' in metrics
    assert "otelcol_receiver_accepted_spans_total" in metrics
    accepted = [
        line for line in metrics.splitlines() if line.startswith("otelcol_receiver_accepted_spans")
    ]
    assert accepted[0].endswith(" 4.0")


def status_of(export: grpc.UnaryUnaryMultiCallable, request: bytes) -> grpc.StatusCode | None:
    """Return the status that *request* is refused with; None if it is taken."""
    try:
        export(request, timeout=60)
    except grpc.RpcError as error:
        return error.code()
    return None
