"""Whoever exports OTLP, however it is compressed and encrypted: each span arrives once and is counted once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
import trustme
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from tests.faults.hop import Hop, addresses
from tests.faults.peers import Peer
from tests.integration.real_servers import answers, eventually, find_tool, running
from tests.unit.processor.receive.test_tls import write_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE_S = 60
"""Of an exporter: what is not acknowledged in time is sent again, and is known as a duplicate."""
SPANS = 20
MODELS = (f"model-{number}" for number in count())
ROOT = Path(__file__).parents[2]
JAVASCRIPT = ROOT / ".tools" / "javascript"
PACKAGES = {
    "@opentelemetry/sdk-trace-base": "^2.0.0",
    "@opentelemetry/resources": "^2.0.0",
    "@opentelemetry/exporter-trace-otlp-grpc": ">=0.200.0 <1",
    "@opentelemetry/exporter-trace-otlp-http": ">=0.200.0 <1",
    "@opentelemetry/exporter-trace-otlp-proto": ">=0.200.0 <1",
    "@grpc/grpc-js": "^1.12.0",
}
SERVER = "cert_file: server.pem, key_file: server.key"
SECURITY = {
    "plain": "",
    "TLS": f"tls: {{{SERVER}}}",
    "client certificates": f"tls: {{{SERVER}, client_ca_file: ca.pem}}",
}

HOUSES = ["plain", *(pytest.param(name, marks=pytest.mark.long) for name in list(SECURITY)[1:])]


class House(NamedTuple):
    """The processor, its next hop, and how it wants to be spoken to."""

    hop: Hop
    peer: Peer
    security: str

    @property
    def folder(self) -> Path:
        """Where the certificates are."""
        return self.hop.folder

    @property
    def scheme(self) -> str:
        """How its URLs begin."""
        return "http" if self.security == "plain" else "https"

    @property
    def files(self) -> dict[str, str]:
        """Certificates by `ca`, `cert` and `key`: those that a client needs here."""
        names = {"plain": [], "TLS": ["ca"], "client certificates": ["ca", "cert", "key"]}
        paths = {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"}
        return {name: str(self.folder / paths[name]) for name in names[self.security]}


class Asked(NamedTuple):
    """What a client is to send: `SPANS` inferences of *model* over *protocol*, compressed as said."""

    house: House
    protocol: str
    compression: str
    model: str
    folder: Path

    @property
    def address(self) -> str:
        """Where to."""
        return self.house.hop.grpc if self.protocol == "grpc" else self.house.hop.http


@pytest.fixture(scope="module", name="house", params=HOUSES)
def _house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A processor with both doors, one for each kind of security."""
    folder = tmp_path_factory.mktemp("hop")
    authority = trustme.CA()
    write_identity(folder, authority)
    write_identity(folder, authority, "client")
    with ExitStack() as stack:
        peer = stack.enter_context(Peer().serving())
        tls = SECURITY[request.param]
        hop = Hop(folder, peer.endpoint, receive=tls, http=tls)
        yield House(stack.enter_context(hop.running()), peer, request.param)


@pytest.fixture(autouse=True)
def _authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no client prefer the authorities of this machine to the one that it is told."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def python(asked: Asked) -> None:
    """Send with the SDK of Python."""
    send_with_python(python_exporter(asked), asked.model)


def send_with_python(exporter: SpanExporter, model: str) -> None:
    """Send `SPANS` inferences by *exporter*."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")
    for number in range(SPANS):
        attributes: Mapping[str, Any] = {
            "ml.operation.name": "predict",
            "ml.model.name": model,
            "ml.prediction.label": "ok",
            "ml.prediction.confidence": 0.9,
            "ml.batch.size": 1,
            "number": number,
        }
        tracer.start_span("predict", attributes=attributes).end()
    provider.shutdown()


def python_exporter(asked: Asked) -> SpanExporter:
    """Return the exporter of Python's SDK."""
    files, is_gzip = asked.house.files, asked.compression == "gzip"
    if asked.protocol == "http":
        return HttpExporter(
            f"{asked.house.scheme}://{asked.address}/v1/traces",
            certificate_file=files.get("ca"),
            client_certificate_file=files.get("cert"),
            client_key_file=files.get("key"),
            compression=Compression.Gzip if is_gzip else Compression.NoCompression,
            timeout=PATIENCE_S,
        )
    pem = {name: Path(path).read_bytes() for name, path in files.items()}
    tls = grpc.ssl_channel_credentials(pem.get("ca"), pem.get("key"), pem.get("cert"))
    return GrpcExporter(
        endpoint=asked.address,
        insecure=not files,
        credentials=tls if files else None,
        compression=grpc.Compression.Gzip if is_gzip else grpc.Compression.NoCompression,
        timeout=PATIENCE_S,
    )


def telemetrygen(asked: Asked) -> None:
    """Send with the load generator of the collector's project, which uses the SDK of Go."""
    files = asked.house.files
    said = {"operation.name": "predict", "model.name": asked.model, "prediction.label": "ok"}
    arguments = [
        *("--otlp-endpoint", asked.address, "--traces", str(SPANS // 2), "--rate", "0"),
        *(f'--telemetry-attributes=ml.{key}="{value}"' for key, value in said.items()),
        *(["--otlp-http"] if asked.protocol == "http" else []),
        *(["--ca-cert", files["ca"]] if files else ["--otlp-insecure"]),
    ]
    if "cert" in files:
        arguments += ["--mtls", "--client-cert", files["cert"], "--client-key", files["key"]]
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_COMPRESSION": asked.compression}
    run([find_tool("telemetrygen"), "traces", *arguments], environment)


COLLECTOR = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{listen}"}}}}}}}}
exporters:
  otlp_{protocol}:
    endpoint: "{endpoint}"
    compression: {compression}
    tls: {tls}
extensions: {{health_check: {{endpoint: "{health}"}}}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_{protocol}]}}}}
"""


def collector(asked: Asked) -> None:
    """Send through a real collector."""
    files, (listen, health) = asked.house.files, addresses(2)
    tls: dict[str, str | bool] = {f"{name}_file": path for name, path in files.items()}
    scheme = f"{asked.house.scheme}://" if asked.protocol == "http" else ""
    config = asked.folder / "collector.yaml"
    config.write_text(
        COLLECTOR.format(
            listen=listen,
            health=health,
            protocol=asked.protocol,
            endpoint=f"{scheme}{asked.address}",
            compression=asked.compression,
            tls=json.dumps(tls or {"insecure": True}),
        )
    )
    with running(
        [find_tool("otelcol"), "--config", config],
        ready=lambda: answers(f"http://{health}/"),
        log=asked.folder / "collector.log",
    ):
        send_with_python(
            GrpcExporter(endpoint=listen, insecure=True, timeout=PATIENCE_S), asked.model
        )
        enough = asked.house.hop.samples(SPANS, asked.model)
        assert enough == SPANS


def javascript(asked: Asked) -> list[str]:
    """Send with the SDK of JavaScript; return the ids of the spans."""
    what = {
        "protocol": asked.protocol,
        "url": f"{asked.house.scheme}://{asked.address}",
        "compression": asked.compression,
        "model": asked.model,
        "spans": SPANS,
        **asked.house.files,
    }
    program = Path(__file__).with_name("javascript_client.mjs")
    environment = {**os.environ, "NODE_MODULES": str(node_modules())}
    return run(["node", str(program), json.dumps(what)], environment).split()


def run(command: list[str], environment: dict[str, str]) -> str:
    """Run *command* until it ends well, and return what it writes."""
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def node_modules() -> Path:
    """Return the folder with the packages of JavaScript, which are installed where they are not there yet."""
    if not (JAVASCRIPT / "node_modules").is_dir():
        if shutil.which("npm") is None:
            lacking("there is no npm")
        JAVASCRIPT.mkdir(parents=True, exist_ok=True)
        manifest = {"private": True, "dependencies": PACKAGES}
        (JAVASCRIPT / "package.json").write_text(json.dumps(manifest))
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            command, cwd=JAVASCRIPT, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            lacking(f"npm cannot install the packages: {done.stderr[-500:]}")
    return JAVASCRIPT / "node_modules"


def lacking(reason: str) -> None:
    """Skip this test, or, where everything must be there, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


CLIENTS: dict[str, tuple[Callable[[Asked], list[str] | None], str]] = {
    "Python gRPC": (python, "grpc"),
    "Python HTTP": (python, "http"),
    "telemetrygen gRPC": (telemetrygen, "grpc"),
    "telemetrygen HTTP": (telemetrygen, "http"),
    "collector gRPC": (collector, "grpc"),
    "collector HTTP": (collector, "http"),
    "JavaScript gRPC": (javascript, "grpc"),
    "JavaScript HTTP": (javascript, "proto"),
    "JavaScript JSON": (javascript, "json"),
}


@pytest.mark.real_servers
@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_any_client_sends_arrives_once_and_is_counted_once(
    house: House, client: str, compression: str, tmp_path: Path
) -> None:
    """Twenty inferences: the next hop has each once, with the ids that the client gave them; twenty are counted."""
    send, protocol = CLIENTS[client]
    model = next(MODELS)
    house.peer.taken.clear()
    ids = send(Asked(house, protocol, compression, model, tmp_path))
    arrived = eventually(house.peer.span_ids, lambda found: len(found) >= SPANS, 60)
    assert len(arrived) == len(set(arrived)) == SPANS
    if ids is not None:
        assert [span.hex() for span in arrived] == sorted(ids)
    assert house.hop.samples(SPANS, model) == SPANS
    assert house.hop.total("ml_processor_duplicates_total") == 0


def test_who_has_no_certificate_is_let_in_nowhere(house: House) -> None:
    """Where client certificates are asked for, a client without one gets nothing through either door; elsewhere it does."""
    is_asked = house.security == "client certificates"
    house.peer.taken.clear()
    files = {name: path for name, path in house.files.items() if name == "ca"}
    channel = grpc.insecure_channel(house.hop.grpc)
    if files:
        authority = Path(files["ca"]).read_bytes()
        channel = grpc.secure_channel(house.hop.grpc, grpc.ssl_channel_credentials(authority))
    with channel:
        send_once = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        )
        try:
            send_once(b"\n\0", timeout=60)
            was_let_in = True
        except grpc.RpcError:
            was_let_in = False
    assert was_let_in is not is_asked
    assert len(house.peer.taken) == was_let_in
