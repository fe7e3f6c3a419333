"""An unchanged service of two workers, through the real collector into the real Jaeger: each request one trace."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from tests.integration.real_servers import (
    answers,
    eventually,
    find_tool,
    free_port,
    listens,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real_servers

ROOT = Path(__file__).parents[2]
REQUESTS = 40
CLIENTS = 4
COLLECTOR = """
    receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:PORT"}}}}
    exporters: {otlp: {endpoint: "127.0.0.1:NEXT", tls: {insecure: true}}}
    service:
      pipelines: {traces: {receivers: [otlp], exporters: [otlp]}}
      telemetry: {metrics: {level: none}}
"""
# No request is answered before both workers have one: neither can take them all.
SERVICE = """
    import os, time
    from pathlib import Path
    from flask import Flask, request
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0], [1.0]], ["on time", "late"])
    app = Flask(__name__)
    workers = Path(__file__).with_name("workers")

    @app.get("/predict")
    def predict():
        (workers / str(os.getpid())).touch()
        while len(list(workers.iterdir())) < 2:
            time.sleep(0.01)
        return str(model.predict([[float(request.args["x"])]])[0])
"""


class Store(NamedTuple):
    """Where the collector takes spans, and where Jaeger is asked for them."""

    collector: int
    query: str

    def traces(self, service: str) -> list[list[dict[str, Any]]]:
        """Return the spans of each trace of *service*."""
        asked = {"service": service, "limit": 1000}
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.get(f"{self.query}/api/traces", params=asked, timeout=60)
        return [trace["spans"] for trace in answer.raise_for_status().json()["data"] or []]


@pytest.fixture(scope="module", name="store")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Give a collector that passes everything on to a Jaeger."""
    folder = tmp_path_factory.mktemp("servers")
    otelcol, jaeger = find_tool("otelcol"), find_tool("jaeger")
    names = ("ENDPOINT", "QUERY_ENDPOINT", "QUERY_GRPC_ENDPOINT", "HEALTH_ENDPOINT")
    ports = {f"JAEGER_{name}": free_port() for name in names}
    health = f"http://127.0.0.1:{ports['JAEGER_HEALTH_ENDPOINT']}/status"
    config, port = folder / "collector.yaml", free_port()
    text = COLLECTOR.replace("PORT", str(port)).replace("NEXT", str(ports["JAEGER_ENDPOINT"]))
    config.write_text(textwrap.dedent(text))
    with pytest.MonkeyPatch.context() as environment:
        for name, number in ports.items():
            environment.setenv(name, f"127.0.0.1:{number}")
        environment.setenv("JAEGER_UI_CONFIG", str(ROOT / "collector-config" / "jaeger-ui.json"))
        storing = (jaeger, "--config", ROOT / "collector-config" / "jaeger.yaml")
        passing_on = (otelcol, "--config", config)
        with (
            running(storing, ready=lambda: answers(health), log=folder / "jaeger.log"),
            running(passing_on, ready=lambda: listens(port), log=folder / "collector.log"),
        ):
            yield Store(port, f"http://127.0.0.1:{ports['JAEGER_QUERY_ENDPOINT']}")


def serve_and_ask(store: Store, folder: Path, service: str, *options: str) -> list[str]:
    """Run the service as *service* under gunicorn with *options*; return its answers to all requests."""
    (folder / "service.py").write_text(textwrap.dedent(SERVICE))
    (folder / "workers").mkdir()
    port, programs = free_port(), Path(sys.executable).parent
    # A worker that is slow to start on a busy machine would be taken for hung, and begun again.
    patience = ("--timeout", "300", "--graceful-timeout", "50")
    gunicorn = (
        *(programs / "gunicorn", "-w", "2", *patience),
        *("--bind", f"127.0.0.1:{port}", *options),
    )
    command = (programs / "opentelemetry-instrument", *gunicorn, "--chdir", folder, "service:app")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "OTEL_SERVICE_NAME": service,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{store.collector}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
            "NO_PROXY": "127.0.0.1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }.items():
            environment.setenv(name, value)
        with running(command, ready=lambda: listens(port), log=folder / "server.log"):
            address = f"http://127.0.0.1:{port}/predict?x=1"
            return ask(address)


def ask(address: str) -> list[str]:
    """Return the answers to all requests, some of which are under way at once."""
    with httpx.Client(trust_env=False, timeout=120) as client, ThreadPoolExecutor(CLIENTS) as pool:
        return [answer.text for answer in pool.map(client.get, [address] * REQUESTS)]


def told(span: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a span, as Jaeger gives them."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["own", "preload"])
def test_each_request_is_one_trace(store: Store, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A server span and below it one inference, nothing else; from both workers, numbered without a gap."""
    service = f"late-arrivals{''.join(options)}"
    assert serve_and_ask(store, tmp_path, service, *options) == ["late"] * REQUESTS
    assert len(list((tmp_path / "workers").iterdir())) == 2

    traces = eventually(
        lambda: store.traces(service), lambda found: sum(map(len, found)) >= 2 * REQUESTS, 60
    )

    assert Counter(len(trace) for trace in traces) == {2: REQUESTS}
    streams: dict[str, list[int]] = {}
    for trace in traces:
        server, inference = sorted(trace, key=lambda span: len(span["references"]))
        assert told(server)["span.kind"] == "server"
        assert inference["operationName"] == "predict LogisticRegression"
        assert [reference["spanID"] for reference in inference["references"]] == [server["spanID"]]
        call = told(inference)
        streams.setdefault(call["ml.call.stream"], []).append(int(call["ml.call.sequence"]))
    assert len(streams) == 2
    for numbers in streams.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
