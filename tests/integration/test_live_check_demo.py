"""The running demo, judged by the conventions as any user can judge a stack of theirs: `otel-ml conventions live-check` beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.flights import FOLDER
from tests.integration.live_check import live_check
from tests.integration.real_servers import eventually, find_tool

pytestmark = pytest.mark.real_servers

ROOT = Path(__file__).parents[2]
WINDOW = 200
FLIGHTS = 450
# Everything that the collector hands on goes to the check as well; its own pipelines stay what they are.
BESIDE = """\
exporters:
  otlp/check:
    endpoint: {check}
    tls: {{insecure: true}}
    compression: none
service:
  pipelines:
{pipelines}
"""


@pytest.fixture(scope="module", name="report")
def _report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What live-check prints after the service has answered two windows of flights."""
    folder = tmp_path_factory.mktemp("live-check")
    with live_check() as check:
        run_demo(folder, check.endpoint)
    return f"{check.printed}\nstatus {check.status}"


def run_demo(folder: Path, check: str) -> None:
    """Start the demo's parts, send flights to the service, and end when everything has been delivered."""
    servers = {
        name: find_tool(name) for name in ("otelcol", "jaeger", "prometheus", "alertmanager")
    }
    import departures
    import plan
    import play
    import prepare
    import processes
    import stack

    prepare.prepare(FOLDER, print)
    files = stack.Files(FOLDER / "model.joblib", FOLDER / "profile.json", folder)
    at = stack.free_addresses()
    overlay = folder / "beside.yaml"
    overlay.write_text(beside(check))
    parts = [
        replace(part, command=(*part.command, "--config", str(overlay)))
        if part.name == "collector"
        else part
        for part in stack.parts_with_servers(at, files, WINDOW, servers)
    ]
    flights = plan.rest_of_the_year(departures.departures())
    flights = flights.iloc[:: len(flights) // FLIGHTS][:FLIGHTS]
    with processes.Processes(folder / "logs") as started:
        started.start(*parts)
        with httpx.Client(base_url=f"http://{at.service}", timeout=60) as client:
            for body in play.requests_for(flights):
                client.post("/predict", json=body).raise_for_status()
        page = f"http://{at.processor_page}/metrics"
        assert eventually(lambda: counted(page), lambda found: found == FLIGHTS, 60) == FLIGHTS
        # The service's metrics go out every five seconds, and it does not wait for them when it is ended.
        assert eventually(lambda: measured(at.prometheus), bool, 60)
    # The parts have been ended in the order of the data, and each has delivered what it still had.


def measured(prometheus: str) -> list[object]:
    """Return what Prometheus has of the calls that the service measured."""
    asked = {"query": "ml_inference_duration_seconds_count"}
    answer = httpx.get(f"http://{prometheus}/api/v1/query", params=asked, timeout=60)
    found: list[object] = answer.raise_for_status().json()["data"]["result"]
    return found


def counted(page: str) -> int:
    """Return how many predictions the processor has counted."""
    lines = httpx.get(page, timeout=60).text.splitlines()
    return sum(
        int(float(line.split()[-1]))
        for line in lines
        if line.startswith("ml_prediction_samples_total{")
    )


def beside(check: str) -> str:
    """Return the overlay: each pipeline of the demo's collector, with one exporter more."""
    pipelines = yaml.safe_load((ROOT / "collector-config" / "collector.yaml").read_text())[
        "service"
    ]["pipelines"]
    lines = [
        f"    {name}: {{exporters: [{', '.join([*pipeline['exporters'], 'otlp/check'])}]}}"
        for name, pipeline in pipelines.items()
    ]
    return BESIDE.format(check=check, pipelines="\n".join(lines))


def times(report: str, signal_name: str) -> int:
    """Return how often the report says that *signal_name* was seen."""
    found = re.search(rf"^  {re.escape(signal_name)}: (\d+) x", report, re.MULTILINE)
    return int(found[1]) if found else 0


def test_the_running_demo_keeps_to_the_conventions(report: str) -> None:
    """Service, processor and all between them: nothing is forbidden or unknown, and the status says so."""
    assert "0 violations, 0 pieces of advice" in report
    assert report.endswith("status 0")


def test_every_prediction_is_seen_twice(report: str) -> None:
    """As it came from the service, and as it came back from the processor with its verdict."""
    assert times(report, "span ml.inference") == 2 * FLIGHTS


@pytest.mark.parametrize(
    "signal_name",
    [
        "metric ml.inference.duration",
        "metric ml.prediction.confidence",
        "metric ml.drift.score",
        "metric ml.drift.status",
        "metric ml.confidence.mean",
        "metric ml.feature.missing",
        "metric ml.reference.age",
        "metric ml.processor.refused",
        "event ml.drift.detected",
    ],
)
def test_the_main_signals_are_covered(report: str, signal_name: str) -> None:
    """A report without violations says little of signals that never came: these did."""
    assert times(report, signal_name) >= 1
