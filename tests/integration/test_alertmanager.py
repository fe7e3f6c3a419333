"""From a rule of ours in a real Prometheus, through a real Alertmanager with our example, to whoever is told."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.page import ProcessorFacts
from otel_ml_processor.emit.pages import pages
from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.self_metrics import SelfMetrics
from tests.integration.real_servers import answers, eventually, find_tool, free_port, running
from tests.unit.processor.emit import sample_readings as samples

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real_servers

CONFIG = Path(__file__).parents[2] / "collector-config"
ALERTMANAGER = CONFIG / "alertmanager.yaml"
BOUND_S = 60.0
HUNG = "hung-model"
OF_HUNG = f'service_name="shop",deployment_environment_name="production",ml_model_name="{HUNG}",ml_model_version="3"'
# A model that hangs, which pages, and drifts, which would be a ticket.
PAGE = f"""\
ml_inference_oldest_age_seconds{{{OF_HUNG}}} 120
ml_drift_status{{{OF_HUNG},ml_window_name="1h",ml_drift_target="feature",ml_feature_name="amount",ml_drift_state="drifting"}} 1
"""


class Told:
    """What each receiver has been told; it also serves the page of the model that hangs."""

    def __init__(self) -> None:
        """Listen on a port of this machine."""
        self.by_receiver: dict[str, list[dict[str, Any]]] = {}
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                told.by_receiver.setdefault(self.path.strip("/"), []).append(body)
                self.send_response(200)
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(PAGE.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,)).start()

    def of(self, receiver: str, model: str) -> list[dict[str, Any]]:
        """Return the notifications that *receiver* got about *model*."""
        sent = self.by_receiver.get(receiver, [])
        return [one for one in sent if one["groupLabels"].get("ml_model_name") == model]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class Alerting:
    """The running servers, and what they told."""

    def __init__(self, told: Told, alertmanager: str) -> None:
        """Hold them."""
        self.told = told
        self.url = alertmanager

    def alerts(self, model: str) -> dict[str, dict[str, Any]]:
        """Return what Alertmanager holds about *model*, by name of the alert."""
        found = httpx.get(f"{self.url}/api/v2/alerts", trust_env=False, timeout=60).json()
        of_model = [one for one in found if one["labels"].get("ml_model_name") == model]
        return {one["labels"]["alertname"]: one for one in of_model}

    def received(self) -> float:
        """Return how many alerts Prometheus has sent so far."""
        page = httpx.get(f"{self.url}/metrics", trust_env=False, timeout=60).text
        counts = re.findall(r"^alertmanager_alerts_received_total\{.*\} (\S+)$", page, re.MULTILINE)
        return sum(map(float, counts))


@pytest.fixture(scope="module", name="alerting")
def _alerting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerting]:
    """Start everything; all that is changed in our files are addresses, and seconds instead of minutes."""
    folder = tmp_path_factory.mktemp("alertmanager")
    book = MetricBook(windows=["1h"], scores=["psi"], self_metrics=SelfMetrics())
    book.register(samples.STREAM, samples.profile(), {"1h": 0.002})
    found = samples.drifting_reading()
    book.update(found, samples.change_of(found, samples.TEMP, samples.DEWP))
    facts = ProcessorFacts(mode="tee", receive_endpoint="127.0.0.1:14317", version="0")
    server = HttpServer("127.0.0.1:0", pages(book, facts, lambda: True))
    alertmanager, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        told = Told()
        stack.callback(told.close)
        start = partial(_start, stack, folder)
        start("alertmanager", alertmanager, _alertmanager(folder, told.endpoint, alertmanager))
        targets = [server.endpoint, told.endpoint]
        start("prometheus", prometheus, _prometheus(folder, targets, alertmanager, prometheus))
        yield Alerting(told, f"http://{alertmanager}")


def _start(stack: ExitStack, folder: Path, name: str, at: str, command: list[str]) -> None:
    ready = partial(answers, f"http://{at}/-/ready")
    stack.enter_context(running(command, ready=ready, log=folder / f"{name}.log"))


def _alertmanager(folder: Path, receiver: str, at: str) -> list[str]:
    text = ALERTMANAGER.read_text().replace("127.0.0.1:9095", receiver)
    text = text.replace("group_wait: 10s", "group_wait: 1s").replace(
        "group_wait: 30s", "group_wait: 10s"
    )
    file = folder / "alertmanager.yaml"
    file.write_text(text)
    return [
        find_tool("alertmanager"),
        f"--config.file={file}",
        f"--web.listen-address={at}",
        "--cluster.listen-address=",
        f"--storage.path={folder / 'alertmanager'}",
    ]


def _prometheus(folder: Path, targets: list[str], alertmanager: str, at: str) -> list[str]:
    alerts = folder / "alerts.yaml"
    alerts.write_text(
        re.sub(r"for: \d+[mh]\b", "for: 0s", (CONFIG / "prometheus" / "alerts.yaml").read_text())
    )
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(CONFIG / "prometheus" / "rules.yaml"), str(alerts)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "otel-ml", "static_configs": [{"targets": targets}]}],
    }
    file = folder / "prometheus.yaml"
    file.write_text(json.dumps(config))
    return [
        find_tool("prometheus"),
        f"--config.file={file}",
        f"--web.listen-address={at}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        "--rules.alert.resend-delay=1s",
    ]


def test_two_features_that_drift_are_one_ticket_and_one_call_of_the_webhook(
    alerting: Alerting,
) -> None:
    """Whoever is told reads what moved, how sure, since when, what to look at and where to go on."""
    model = samples.STREAM.model
    for receiver in ("tickets", "webhook"):
        told = eventually(partial(alerting.told.of, receiver, model), bool, BOUND_S)
        (drift,) = [
            one for one in told[0]["alerts"] if one["labels"]["alertname"] == "MlFeatureDrift"
        ]
        said = drift["annotations"]
        assert said["what_moved"] == "temp (PSI 0.412), dewp (PSI 0.287)"
        assert "smallest p-value 3.2e-09" in said["how_sure"]
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", said["since"])
        assert said["look_at"]
        assert said["runbook_url"].endswith("#mlfeaturedrift")
    assert alerting.told.of("pages", model) == []


def test_a_page_comes_alone_and_holds_back_the_ticket(alerting: Alerting) -> None:
    """A model that hangs and drifts wakes somebody once; the drift is there for whoever looks, and no ticket of it is written."""
    (page,) = eventually(lambda: alerting.told.of("pages", HUNG), bool, BOUND_S)[:1]
    assert {one["labels"]["alertname"] for one in page["alerts"]} == {"MlInferenceHang"}

    held = eventually(
        lambda: alerting.alerts(HUNG), lambda found: "MlFeatureDrift" in found, BOUND_S
    )
    eventually(lambda: alerting.told.of("tickets", samples.STREAM.model), bool, BOUND_S)
    assert held["MlFeatureDrift"]["status"]["state"] == "suppressed"
    assert alerting.told.of("tickets", HUNG) == []


def test_the_same_news_is_told_once(alerting: Alerting) -> None:
    """Prometheus repeats itself every second; people hear it once."""
    model = samples.STREAM.model
    eventually(lambda: alerting.told.of("tickets", model), bool, BOUND_S)
    before = alerting.received()
    again = eventually(alerting.received, lambda count: count >= before + 10, BOUND_S)

    assert again >= before + 10
    assert len(alerting.told.of("tickets", model)) == 1


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=MlFeatureDrift severity=ticket", "webhook,tickets"),
        ("alertname=MlSlowDrift severity=ticket", "webhook,tickets"),
        ("alertname=MlConfidenceBurnFast severity=page", "pages"),
        ("alertname=MlReferenceStale severity=ticket", "tickets"),
        ("alertname=OfSomebodyElse", "tickets"),
    ],
)
def test_each_alert_goes_to_its_receivers(labels: str, receivers: str) -> None:
    """As Alertmanager's own tool reads the file."""
    command = [find_tool("amtool"), "config", "routes", "test", f"--config.file={ALERTMANAGER}"]
    done = subprocess.run(
        [*command, *labels.split()], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == receivers


def test_every_alert_that_the_example_names_exists() -> None:
    """A route to an alert that is gone would be quiet for ever."""
    rules = yaml.safe_load((CONFIG / "prometheus" / "alerts.yaml").read_text())
    known = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    named = set(re.findall(r"\bMl[A-Z]\w+", ALERTMANAGER.read_text()))
    assert named
    assert named <= known
