"""The images that are built here and docker-compose.yml, with a real engine: `make images`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.integration.real_servers import answers, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "docker-compose.yml", Path(__file__).with_name("injected.yaml"))
SERVICES = {
    name: one
    for file in FILES
    for name, one in yaml.safe_load(file.read_text())["services"].items()
}
ENDING = {"train": "", "instrumentation": "", "shop": "late\n"}
"""Services that do one thing and end, with what they say."""
READY = {
    8000: "/healthz",
    9090: "/-/ready",
    9093: "/-/ready",
    16686: "/api/services",
    19464: "/readyz",
}
"""Where a part answers, by its port in the containers."""
BOUND_S = 120.0
FLIGHTS = 500


class Compose:
    """The two files as one project of its own, on ports of this machine that were free."""

    def __init__(self) -> None:
        """Start nothing yet."""
        moved = re.findall(r"\$\{(\w+_PORT):-", FILES[0].read_text())
        self._environment = {
            **os.environ,
            **dict.fromkeys(moved, "0"),
            "COMPOSE_PROJECT_NAME": "otel-ml-images",
            "COMPOSE_FILE": os.pathsep.join(map(str, FILES)),
            "OTEL_ML_WINDOW_ROWS": "200",
        }

    def __call__(self, *arguments: str) -> str:
        """Return what `docker compose` prints; the test fails, with its complaint, where it does not succeed."""
        done = self.tried(*arguments)
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}\n{done.stderr[-8000:]}"
        return done.stdout

    def tried(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Return how `docker compose` ended."""
        command = ["docker", "compose", "--progress", "plain", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=ROOT, env=self._environment
        )

    def url(self, port: int) -> str:
        """Return where *port* of the containers is reached from here; it moves when the collector starts anew."""
        return f"http://{self('port', 'collector', str(port)).strip()}"

    def answers(self, port: int, path: str) -> bool:
        """Return whether a part answers with success."""
        return answers(self.url(port) + path)

    def get(self, port: int, path: str, **asked: str | int) -> Any:
        """Return what a part answers."""
        answer = httpx.get(f"{self.url(port)}{path}", params=asked, timeout=60, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def inspected(self, name: str) -> dict[str, Any]:
        """Return what the engine says of a container, ended ones too."""
        (identifier,) = self("ps", "--all", "--quiet", name).split()
        done = subprocess.run(
            ["docker", "inspect", identifier], capture_output=True, text=True, check=True
        )
        (found,) = json.loads(done.stdout)
        container: dict[str, Any] = found
        return container

    def health(self, name: str) -> str:
        """Return `healthy` or what it is instead."""
        state = self.inspected(name)["State"]
        return str(state.get("Health", state)["Status"])


@pytest.fixture(scope="module", name="has_grafana")
def _has_grafana(engine: None) -> bool:
    """Whether the one image that is not built here, nor stands on Python or Alpine, can be had."""
    return Compose().tried("pull", "grafana").returncode == 0


@pytest.fixture(scope="module", name="engine")
def _engine() -> None:
    """Skip where nothing runs containers."""
    if shutil.which("docker") is None:
        pytest.skip("no docker on the PATH")
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        pytest.skip(f"docker has no engine: {asked.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="module", name="long_running")
def _long_running(has_grafana: bool) -> list[str]:
    """The parts that stay."""
    without = {"player", *ENDING} if has_grafana else {"player", "grafana", *ENDING}
    return sorted(set(SERVICES) - without)


@pytest.fixture(scope="module", name="compose")
def _compose(long_running: list[str]) -> Iterator[Compose]:
    """Build every image, start all of it, and leave nothing but the images."""
    compose = Compose()
    try:
        compose("up", "--build", "--detach", *ENDING, *long_running)
        yield compose
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout", "30")


def played(compose: Compose, count: int) -> str:
    """Return the last line of the player, when it has sent *count* flights."""
    told = compose(
        "run", "--rm", "player",
        "python", "play.py", "--url", "http://127.0.0.1:8000", "--count", str(count),
    )  # fmt: skip
    return told.strip().splitlines()[-1]


def counted(compose: Compose) -> float:
    """Return how many predictions the processor has counted since it started."""
    page = compose.get(19464, "/metrics")
    return sum(
        map(float, re.findall(r"^ml_prediction_samples_total\{.*\} (\S+)", page, re.MULTILINE))
    )


def spans(compose: Compose, service: str, since_s: float) -> list[str]:
    """Return the names of the inferences that Jaeger has of *service*, of no earlier than *since_s*."""
    between = {"start": int(since_s * 1e6), "end": int((time.time() + 60) * 1e6), "limit": 20_000}
    traces = compose.get(16686, "/api/traces", service=service, **between)["data"]
    return [
        span["operationName"]
        for trace in traces
        for span in trace["spans"]
        if span["operationName"].startswith("predict ")
    ]


def test_every_part_is_well(compose: Compose, long_running: list[str]) -> None:
    """Each server's own health check passes, within its limits and without a second start."""
    for name in long_running:
        found = eventually(partial(compose.health, name), "healthy".__eq__, BOUND_S)
        assert (name, found) == (name, "healthy")
        assert compose.inspected(name)["RestartCount"] == 0


@pytest.mark.parametrize("name", sorted(ENDING))
def test_what_does_one_thing_has_done_it(compose: Compose, name: str) -> None:
    """Training and injection end well; the service without telemetry says what it says without it."""
    eventually(lambda: compose.inspected(name)["State"]["Status"], "exited".__eq__, BOUND_S)
    assert compose.inspected(name)["State"]["ExitCode"] == 0, compose("logs", name)
    assert compose("logs", "--no-log-prefix", name).endswith(ENDING[name])


def test_nobody_is_root(compose: Compose, long_running: list[str]) -> None:
    """Each image names another user, by number or as `nobody`, as far as we can say so: a cluster refuses names."""
    users = {name: compose.inspected(name)["Config"]["User"] for name in long_running}
    assert {name for name, user in users.items() if user in {"", "0", "root"}} == set()
    assert users["processor"] == users["service"] == "10001"


def test_the_processor_writes_nowhere_but_into_tmp(compose: Compose) -> None:
    """Its root is read-only, and it works."""
    refused = compose.tried("exec", "processor", "touch", "/written")
    assert "Read-only file system" in refused.stdout + refused.stderr
    assert compose("exec", "processor", "touch", "/tmp/written") == ""


def test_the_processor_compiles_nothing_when_it_starts(compose: Compose) -> None:
    """What the image brought compiled is what is used, in decoding and in counting: no file of it is new or changed."""
    played(compose, FLIGHTS)
    kept = compose("exec", "processor", "find", "/opt/compiled", "-name", "*.nbc").split()
    assert len(kept) >= 2
    assert (
        compose.tried("exec", "processor", "diff", "-r", "/opt/compiled", "/tmp/compiled").stdout
        == ""
    )


def test_every_flight_is_counted_once_and_stored_once(compose: Compose) -> None:
    """From the player through service, collector, processor and collector again into Jaeger; drift comes to Prometheus both ways."""
    before, since_s = counted(compose), time.time()
    assert played(compose, FLIGHTS).endswith(f"{FLIGHTS} of {FLIGHTS} flights answered")
    wanted = before + FLIGHTS
    assert eventually(partial(counted, compose), lambda found: found == wanted, BOUND_S) == wanted
    stored = eventually(
        lambda: spans(compose, "late-arrivals", since_s),
        lambda found: len(found) >= FLIGHTS,
        BOUND_S,
    )
    assert stored == ["predict late-arrival"] * FLIGHTS

    def jobs() -> set[str]:
        asked = compose.get(9090, "/api/v1/query", query="count by (job) (ml_drift_score)")
        return {one["metric"]["job"] for one in asked["data"]["result"]}

    both = {"otel-ml", "otel-ml-processor"}
    assert eventually(jobs, both.__eq__, BOUND_S) == both


def test_prometheus_knows_whom_to_tell(compose: Compose) -> None:
    """Alertmanager is there, and Prometheus has found it."""

    def known() -> list[dict[str, str]]:
        found: list[dict[str, str]] = compose.get(9090, "/api/v1/alertmanagers")["data"][
            "activeAlertmanagers"
        ]
        return found

    assert eventually(known, bool, BOUND_S) == [{"url": "http://127.0.0.1:9093/api/v2/alerts"}]
    routing = yaml.safe_load(compose.get(9093, "/api/v2/status")["config"]["original"])["route"]
    assert routing["receiver"] == "tickets"


def test_an_injected_service_is_observed(compose: Compose) -> None:
    """What the operator's image brings, ours in it, makes spans of the calls of a service that knows nothing of it."""
    found = eventually(lambda: spans(compose, "shop", time.time() - 3600), bool, BOUND_S)
    assert set(found) == {"predict LogisticRegression"}


def test_everything_comes_back_with_the_collector(compose: Compose) -> None:
    """Its network is everybody's: when it starts anew the others do, too, and traces arrive again."""
    compose("restart", "collector")
    for port, path in READY.items():
        assert eventually(partial(compose.answers, port, path), bool, BOUND_S), port
    since_s = time.time()
    assert played(compose, 20).endswith("20 of 20 flights answered")
    stored = eventually(
        lambda: spans(compose, "late-arrivals", since_s), lambda found: len(found) >= 20, BOUND_S
    )
    assert len(stored) == 20


def test_the_processor_ends_when_it_is_asked(compose: Compose) -> None:
    """It gets the signal, though a shell started it, delivers what it has, and ends with 0."""
    compose("stop", "--timeout", "60", "processor")
    assert compose.inspected("processor")["State"]["ExitCode"] == 0
    assert "stopped" in compose("logs", "--tail", "1", "processor")
    compose("start", "processor")
    assert eventually(partial(compose.answers, 19464, "/readyz"), bool, BOUND_S)


def test_grafana_has_the_dashboards_and_reaches_both_sources(
    compose: Compose, has_grafana: bool
) -> None:
    """What is provisioned is there without a login: three dashboards, and an answer of Prometheus and of Jaeger through Grafana."""
    if not has_grafana:
        pytest.skip(
            f"no {SERVICES['grafana']['image']}: it is neither here nor in a registry that is reached"
        )
    found = compose.get(3000, "/api/search", type="dash-db")
    assert {one["uid"] for one in found} == {"otel-ml-fleet", "otel-ml-model", "otel-ml-processor"}
    through = "/api/datasources/proxy/uid"
    up = compose.get(3000, f"{through}/otel-ml-prometheus/api/v1/query", query="up")
    assert up["status"] == "success"
    assert "data" in compose.get(3000, f"{through}/otel-ml-jaeger/api/services")
