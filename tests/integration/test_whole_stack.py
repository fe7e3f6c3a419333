"""`make stack`: everything at once, and nothing left of it afterwards."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from tests.integration.flights import FOLDER
from tests.integration.real_servers import eventually, find_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real_servers

SCRIPT = Path(__file__).parents[2] / "examples" / "flights" / "whole_stack.py"
NAMES = ("otelcol", "jaeger", "prometheus", "alertmanager")
BOUND_S = 240.0


@pytest.fixture(scope="module", name="stack")
def _stack() -> Iterator[subprocess.Popen[str]]:
    """Start it as `make stack` does, on a model that has been trained before."""
    for name in NAMES:
        find_tool(name)
    import prepare

    prepare.prepare(FOLDER, print)
    command = [sys.executable, str(SCRIPT), "--per-second", "20"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process
        if process.poll() is None:
            process.terminate()  # it stops its parts


def addresses(stack: subprocess.Popen[str]) -> dict[str, str]:
    """Return what it prints, by name, when all is up."""
    assert stack.stdout is not None
    said = ""
    for line in stack.stdout:
        said += line
        if line.startswith("Ctrl-C"):
            break
    found = dict(re.findall(r"^(\w+) +http://(127\.0\.0\.1:\d+)/", said, re.MULTILINE))
    assert found.keys() == {"service", "processor", "Jaeger", "Prometheus", "Alertmanager"}, said
    return found


def series(prometheus: str, query: str) -> list[object]:
    """Return what Prometheus has."""
    answer = httpx.get(
        f"http://{prometheus}/api/v1/query", params={"query": query}, trust_env=False, timeout=60
    )
    found: list[object] = answer.json()["data"]["result"]
    return found


def test_one_command_starts_everything_and_ctrl_c_ends_it(stack: subprocess.Popen[str]) -> None:
    """Traffic arrives in Jaeger and in Prometheus, the Monitor tab has numbers, Alertmanager is known; then nothing is left running."""
    at = addresses(stack)
    children = psutil.Process(stack.pid).children(recursive=True)
    assert len(children) >= len(NAMES) + 2

    jaeger, prometheus = at["Jaeger"], at["Prometheus"]

    def services() -> list[str]:
        found = httpx.get(f"http://{jaeger}/api/services", trust_env=False, timeout=60).json()[
            "data"
        ]
        return found or []

    def of_alertmanager() -> list[object]:
        url = f"http://{prometheus}/api/v1/alertmanagers"
        found: list[object] = httpx.get(url, trust_env=False, timeout=60).json()["data"][
            "activeAlertmanagers"
        ]
        return found

    assert "late-arrivals" in eventually(services, lambda found: "late-arrivals" in found, BOUND_S)
    for query in (
        "ml_prediction_samples_total",
        "traces_span_metrics_calls_total",
        "ml:predictions:rate5m",
    ):
        assert eventually(partial(series, prometheus, query), bool, BOUND_S), query
    (known,) = eventually(of_alertmanager, bool, BOUND_S)
    assert at["Alertmanager"] in str(known)

    stack.send_signal(signal.SIGINT)
    assert stack.wait(BOUND_S) == 0
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
