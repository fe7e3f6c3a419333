"""`otel-ml doctor` before the real collector: what a person sees who is about to send there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.real_servers import find_tool, free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real_servers

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "find-out-why-nothing-arrives.md"
CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
exporters: {{debug: {{verbosity: detailed}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}
"""


@contextmanager
def collector(folder: Path) -> Iterator[tuple[int, int, Path]]:
    """Run the collector; give its ports for gRPC and HTTP, and its log."""
    ports = {"grpc": free_port(), "http": free_port()}
    config, log = folder / "collector.yaml", folder / "collector.log"
    config.write_text(CONFIG.format(**ports))
    command: list[str | Path] = [find_tool("otelcol"), "--config", config]
    with running(command, ready=lambda: all(map(listens, ports.values())), log=log):
        yield ports["grpc"], ports["http"], log


def doctor(**environment: str) -> tuple[int, str]:
    """Run the command and return its exit code and its text."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OTEL_") and not name.lower().endswith("_proxy")
    }
    done = subprocess.run(
        [sys.executable, "-m", "otel_ml", "doctor"],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def shown(name: str) -> str:
    """Return the block of the page that is marked *name*."""
    found = re.search(rf"<!-- doctor: {name} -->\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


def in_general(text: str, port: int, usual: int) -> str:
    """Return *text* without what differs from run to run and from place to place."""
    text = text.replace(f"127.0.0.1:{port}", f"localhost:{usual}")
    text = re.sub(r"in \d+ ms, trace [0-9a-f]{32}", "in N ms, trace ID", text)
    text = re.sub(r"  (default|OTEL_EXPORTER_OTLP_ENDPOINT)$", "", text, flags=re.MULTILINE)
    return re.sub(r"(ml_sklearn +)[\d.]+", r"\1N", text)


def section(text: str, title: str) -> str:
    """Return the section of *text* under *title*."""
    return text.split(f"{title}\n", 1)[1].split("\n\n", 1)[0]


def test_a_span_is_acknowledged_by_the_collector_as_the_page_shows(tmp_path: Path) -> None:
    """By both protocols; what is shown on the page is what is printed, and the span is in the log."""
    with collector(tmp_path) as (grpc_port, http_port, log):
        endpoint = f"http://127.0.0.1:{grpc_port}"
        status, text = doctor(
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT="span_only",
        )
        by_http, _ = doctor(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{http_port}",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        )
    assert (status, by_http) == (0, 0)
    said, page = in_general(text, grpc_port, 4317), in_general(shown("fine"), 0, 4317)
    for title in ("Captured", "Sent to", "Test span"):
        assert section(said, title) == section(page, title)
    assert re.search(r"ml_sklearn +N +observed +supported: scikit-learn >= 1.3", said)
    assert text.endswith("Nothing is off.\n")
    assert page.endswith("Nothing is off.\n")
    (trace_id,) = re.findall(r"trace ([0-9a-f]{32})", text)
    assert trace_id in log.read_text()


def test_what_is_off_is_told_as_the_page_shows(tmp_path: Path) -> None:
    """OTLP by gRPC spoken to the collector's port for HTTP, and a variable that nobody reads."""
    with collector(tmp_path) as (_, http_port, _):
        status, text = doctor(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{http_port}",
            OTEL_INSTRUMENTATION_ML_FEATURES_DENYLIST="ssn",
        )
    assert status == 1
    assert in_general(text, http_port, 4318).endswith(shown("off"))


def test_http_spoken_to_the_collectors_port_for_grpc_is_told(tmp_path: Path) -> None:
    """The other way round: Go's server says little, and is understood."""
    with collector(tmp_path) as (grpc_port, _, _):
        status, text = doctor(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{grpc_port}",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
        )
    assert status == 1
    assert "speaks gRPC, and the protocol here is http/protobuf" in text
