"""What becomes of spans while somebody in the path is away; real collector, real Jaeger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest

from otel_ml_processor.profile_file import write_profile
from tests.integration.flights import requests_with
from tests.integration.real_servers import eventually, find_tool
from tests.unit.processor.otlp_requests import inference
from tests.unit.processor.test_pipeline import profile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_servers

SPANS = 1000
SERVICE = "shop"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def send(address: str, n: int) -> None:
    """Send *n* inferences to the collector, 50 at a time; it acknowledges them, so they are its to keep."""
    now = time.time_ns()
    spans = [
        inference(i, end_ns=now, features={"amount": 0.1}, prediction_label="ok") for i in range(n)
    ]
    with grpc.insecure_channel(address) as channel:
        export = channel.unary_unary(EXPORT)
        for request in requests_with(spans, 50, SERVICE):
            export(request, timeout=60)


def in_jaeger(query: str) -> list[str]:
    """Return the ids of all spans that Jaeger holds, once for each time it holds them."""
    asked = {"service": SERVICE, "limit": 5000, "lookback": "1h"}
    traces = httpx.get(f"http://{query}/api/traces", params=asked, timeout=60).json()["data"] or []
    return sorted(span["spanID"] for trace in traces for span in trace["spans"])


def counted(page: str, metric: str) -> float:
    """Return the sum of a counter on the processor's scrape page."""
    lines = httpx.get(f"http://{page}/metrics", timeout=60).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(metric))


def test_spans_wait_while_the_next_hop_is_away_and_arrive_once(tmp_path: Path) -> None:
    """
    Jaeger is down when the spans come.

    The processor acknowledges none of them and counts none, the collector keeps them; when Jaeger comes, each arrives once and is
    counted once.
    """
    servers = {
        name: find_tool(name) for name in ("otelcol", "jaeger", "prometheus", "alertmanager")
    }
    import processes
    import stack

    from tests.integration.flights import FOLDER  # the example's folder is on the path from here on

    assert FOLDER.name == ".demo"
    write_profile(profile(), tmp_path / "profile.json")
    files = stack.Files(tmp_path / "none", tmp_path / "profile.json", tmp_path)
    at = stack.free_addresses()
    parts = {part.name: part for part in stack.parts_with_servers(at, files, 500, servers)}
    with processes.Processes(tmp_path / "logs") as started:
        started.start(parts["collector"], parts["processor"])
        send(at.collector, SPANS)
        failed = "otelcol_exporter_send_failed_spans_total"
        eventually(lambda: counted(at.processor_page, failed), bool, 60)
        assert counted(at.processor_page, failed) > 0
        assert counted(at.processor_page, "otelcol_receiver_accepted_spans_total") == 0
        assert counted(at.processor_page, "ml_prediction_samples_total") == 0
        started.start(parts["jaeger"])
        expected = sorted(f"{i + 1:016x}" for i in range(SPANS))
        assert (
            eventually(lambda: in_jaeger(at.jaeger_query), lambda ids: ids == expected, 60)
            == expected
        )
        accepted = "otelcol_receiver_accepted_spans_total"
        assert (
            eventually(lambda: counted(at.processor_page, accepted), lambda n: n == SPANS, 60)
            == SPANS
        )
        samples = "ml_prediction_samples_total"
        assert (
            eventually(lambda: counted(at.processor_page, samples), lambda n: n == SPANS, 60)
            == SPANS
        )
