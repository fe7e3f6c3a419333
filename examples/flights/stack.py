"""Which parts the demo starts, with which files, addresses and environment."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import SystemRandom
from typing import TYPE_CHECKING

from processes import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MODEL_NAME",
    "MODEL_VERSION",
    "PROMETHEUS_PAGES",
    "SERVER_NAMES",
    "SERVICE_NAME",
    "Addresses",
    "Files",
    "found_servers",
    "free_addresses",
    "parts_alone",
    "parts_with_servers",
]

MODEL_NAME = "late-arrival"
MODEL_VERSION = "1"
SERVICE_NAME = "late-arrivals"
SERVER_NAMES = ("otelcol", "jaeger", "prometheus", "alertmanager")

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent.parent
_CONFIG = _ROOT / "collector-config"
_PROGRAMS = Path(sys.executable).parent
PROMETHEUS_PAGES = _ROOT / ".tools" / "prometheus"
"""Started there, Prometheus has pages, too, if they are built (`tools/prometheus_ui.sh`)."""


_NOT_GIVEN_AWAY = range(15_000, 32_000)
"""Ports below those that systems give to whoever connects."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens, as `host:port` of this machine."""

    service: str
    collector: str
    collector_http: str
    collector_health: str
    processor: str
    processor_return: str
    processor_page: str
    jaeger: str
    jaeger_query: str
    jaeger_query_grpc: str
    jaeger_health: str
    prometheus: str
    alertmanager: str


@dataclass(frozen=True, slots=True)
class Files:
    """What training has made, and a folder for what the servers write."""

    model: Path
    profile: Path
    scratch: Path


def free_addresses() -> Addresses:
    """Return addresses whose ports are free, all different; no connection is given one of them before its server has started."""
    shuffled = SystemRandom().sample(_NOT_GIVEN_AWAY, len(_NOT_GIVEN_AWAY))
    free = filter(_is_free, shuffled)
    return Addresses(*(f"127.0.0.1:{next(free)}" for _ in Addresses.__dataclass_fields__))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def found_servers() -> dict[str, str]:
    """Return the path of each of the real servers that is built (`make tools`) or on the PATH."""
    places = f"{_ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    found = {name: shutil.which(name, path=places) for name in SERVER_NAMES}
    return {name: path for name, path in found.items() if path is not None}


def parts_with_servers(
    at: Addresses, files: Files, window_rows: int, servers: Mapping[str, str]
) -> list[Part]:
    """Return the whole stack: the collector with the processor in line, what stores and tells behind it, the service before it."""
    where = {
        "COLLECTOR_GRPC_ENDPOINT": at.collector,
        "COLLECTOR_HTTP_ENDPOINT": at.collector_http,
        "COLLECTOR_HEALTH_ENDPOINT": at.collector_health,
        "OTEL_ML_RETURN_ENDPOINT": at.processor_return,
        "OTEL_ML_ENDPOINT": at.processor,
        "JAEGER_ENDPOINT": at.jaeger,
        "JAEGER_QUERY_ENDPOINT": at.jaeger_query,
        "JAEGER_QUERY_GRPC_ENDPOINT": at.jaeger_query_grpc,
        "JAEGER_HEALTH_ENDPOINT": at.jaeger_health,
        "JAEGER_UI_CONFIG": str(_CONFIG / "jaeger-ui.json"),
        "PROMETHEUS_ENDPOINT": f"http://{at.prometheus}/api/v1/otlp",
    }
    environment = _environment(where)
    jaeger = (servers["jaeger"], "--config", str(_CONFIG / "jaeger.yaml"))
    collector = (servers["otelcol"], "--config", str(_CONFIG / "collector.yaml"))
    return [
        Part("jaeger", jaeger, environment, f"http://{at.jaeger_health}/status"),
        _prometheus(at, files, servers["prometheus"]),
        _alertmanager(at, files, servers["alertmanager"]),
        Part("collector", collector, environment, f"http://{at.collector_health}/"),
        _processor(
            _CONFIG / "processor.yaml",
            at,
            files,
            {**where, "OTEL_ML_EMIT_INTERVAL": "2s"},
            window_rows,
        ),
        _service(at, files, at.collector, metrics="otlp"),
    ]


def parts_alone(at: Addresses, files: Files, window_rows: int) -> list[Part]:
    """Return the processor and the service that sends straight to it."""
    where = {"OTEL_ML_ENDPOINT": at.processor, "OTEL_ML_RETURN_ENDPOINT": at.processor_return}
    return [
        _processor(_HERE / "processor-alone.yaml", at, files, where, window_rows),
        _service(at, files, at.processor, metrics="none"),
    ]


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """
    Return the caller's environment with *ours*.

    Left out are settings of OpenTelemetry that the caller made for other programs, and any proxy: everything here is on this machine.
    """
    theirs = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return {**theirs, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **ours}


def _prometheus(at: Addresses, files: Files, program: str) -> Part:
    # Prometheus takes no environment variables, so the addresses are put into a copy of the file, whose rules stay where they are.
    config = files.scratch / "prometheus.yaml"
    text = (_CONFIG / "prometheus.yaml").read_text()
    text = text.replace("127.0.0.1:19464", at.processor_page)
    text = text.replace("127.0.0.1:9093", at.alertmanager)
    config.write_text(text.replace("  - prometheus/", f"  - {_CONFIG}/prometheus/"))
    command = (
        program,
        f"--config.file={config}",
        "--web.enable-otlp-receiver",
        "--enable-feature=exemplar-storage",
        f"--web.listen-address={at.prometheus}",
        f"--storage.tsdb.path={files.scratch / 'prometheus'}",
    )
    ready = f"http://{at.prometheus}/-/ready"
    folder = PROMETHEUS_PAGES if PROMETHEUS_PAGES.is_dir() else None
    return Part("prometheus", command, _environment({}), ready, folder)


def _alertmanager(at: Addresses, files: Files, program: str) -> Part:
    command = (
        program,
        f"--config.file={_CONFIG / 'alertmanager.yaml'}",
        f"--web.listen-address={at.alertmanager}",
        "--cluster.listen-address=",
        f"--storage.path={files.scratch / 'alertmanager'}",
    )
    return Part("alertmanager", command, _environment({}), f"http://{at.alertmanager}/-/ready")


def _processor(
    config: Path, at: Addresses, files: Files, where: Mapping[str, str], rows: int
) -> Part:
    ours = {
        **where,
        "OTEL_ML_HTTP_ENDPOINT": at.processor_page,
        "OTEL_ML_WINDOW_ROWS": str(rows),
        "OTEL_ML_PROFILE": str(files.profile),
    }
    command = (str(_PROGRAMS / "otel-ml"), "processor", "--config", str(config))
    return Part("processor", command, _environment(ours), f"http://{at.processor_page}/readyz")


def _service(at: Addresses, files: Files, collector: str, metrics: str) -> Part:
    """Return the service, started as anybody would start it, with `opentelemetry-instrument` before the command."""
    ours = {
        "MODEL_FILE": str(files.model),
        "OTEL_SERVICE_NAME": SERVICE_NAME,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=demo",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": metrics,
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        "OTEL_BSP_SCHEDULE_DELAY": "500",  # ms; the default of 5 s would make the table jumpy
        "OTEL_BSP_MAX_QUEUE_SIZE": "8192",  # the default of 2048 drops spans under load
        "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS": "healthz",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        # Which model this is, and that its inputs may be seen: without the latter there is no feature drift.
        "OTEL_ML_MODEL_NAME": MODEL_NAME,
        "OTEL_ML_MODEL_VERSION": MODEL_VERSION,
        "OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT": "span_only",
        "OMP_NUM_THREADS": "1",  # one flight at a time gives a second thread nothing to do but spin
    }
    host, port = at.service.split(":")
    command = (
        str(_PROGRAMS / "opentelemetry-instrument"),
        str(_PROGRAMS / "uvicorn"),
        "service:app",
        *("--app-dir", str(_HERE)),
        *("--host", host, "--port", port),
        "--no-access-log",
    )
    return Part("service", command, _environment(ours), f"http://{at.service}/healthz")
