"""Labels are log records: they reach the processor by way of the whole collector, and of a collector of somebody else with what we add to it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from conventions.scenarios.receiver import Receiver
from tests.integration.feedback_traffic import (
    SECOND_NS,
    START_NS,
    Running,
    label_of,
    prediction,
    processor,
)
from tests.integration.real_servers import answers, eventually, find_tool, free_port, running
from tests.unit.processor.otlp_requests import attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

pytestmark = pytest.mark.real_servers

CONFIG = Path(__file__).parents[2] / "collector-config"
ROWS = 200
EXISTING = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}}}}}}}
processors: {{batch: {{timeout: 50ms}}}}
exporters: {{otlp/store: {{endpoint: "{store}", tls: {{insecure: true}}}}}}
extensions: {{health_check: {{endpoint: "127.0.0.1:{health}"}}}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [otlp/store]}}
"""
"""What a team has, with traces alone."""
LOGS = "    logs: {{receivers: [otlp], processors: [batch], exporters: [otlp/store]}}\n"
"""With it, also logs."""
MODES: Final = {"": "tee", "-sidecar": "tee", "-inline": "inline", "-failover": "inline"}


def spans_and_labels() -> tuple[list[Span], list[LogRecord]]:
    """Return predictions, and a label for each: every other one named in an attribute, as by producers that know no field for it."""
    times = [START_NS + i * SECOND_NS for i in range(ROWS)]
    spans = [prediction(i, times[i], prediction_label="ok") for i in range(ROWS)]
    labels = [label_of(i, times[i], label="ok") for i in range(ROWS)]
    for label in labels:
        label.body.string_value = "feedback"  # a collector adds an empty one
    for label in labels[::2]:
        label.event_name = ""
        label.attributes.append(attribute("event.name", "ml.feedback"))
    return spans, labels


def joined(house: Running) -> float:
    """Return how many labels have found their prediction."""
    house.tick()
    return sum(house.scraped("ml_feedback_joined_total").values())


def test_feedback_finds_its_prediction_by_way_of_the_whole_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service sends all that it has to its collector, and every label counts; what the processor was given goes on from there."""
    jaeger = Receiver()
    ports = {name: free_port() for name in ("grpc", "http", "health", "into", "back")}
    for variable, address in {
        "COLLECTOR_GRPC_ENDPOINT": f"127.0.0.1:{ports['grpc']}",
        "COLLECTOR_HTTP_ENDPOINT": f"127.0.0.1:{ports['http']}",
        "COLLECTOR_HEALTH_ENDPOINT": f"127.0.0.1:{ports['health']}",
        "OTEL_ML_ENDPOINT": f"127.0.0.1:{ports['into']}",
        "OTEL_ML_RETURN_ENDPOINT": f"127.0.0.1:{ports['back']}",
        "JAEGER_ENDPOINT": jaeger.endpoint,
    }.items():
        monkeypatch.setenv(variable, address)
    options = [
        "mode=inline",
        f"receive.endpoint={os.environ['OTEL_ML_ENDPOINT']}",
        f"forward.endpoint={os.environ['OTEL_ML_RETURN_ENDPOINT']}",
        "windows=[{name: rows, rows: 200}]",
    ]
    spans, labels = spans_and_labels()
    log = tmp_path / "collector.log"
    with processor(tmp_path, *options) as house:
        command = [find_tool("otelcol"), "--config", CONFIG / "collector.yaml"]
        ready = f"http://127.0.0.1:{ports['health']}/"
        with running(command, ready=lambda: answers(ready), log=log):
            service = house.through(ports["grpc"])
            service.traces(spans)
            service.logs(labels)
            assert eventually(partial(joined, house), lambda n: n == ROWS, 30) == ROWS
            went_on = f'"log records": {ROWS}'
            assert went_on in eventually(log.read_text, lambda text: went_on in text, 30)
    jaeger.close()


class Theirs:
    """A collector of somebody else, whose store keeps what it gets, and the processor that gets what our addition hands over."""

    def __init__(self, folder: Path, stack: ExitStack, mode: str, *, has_logs: bool) -> None:
        self.folder = folder
        self.store = Receiver()
        stack.callback(self.store.close)
        self.ports = {name: free_port() for name in ("grpc", "health", "into", "back")}
        self.into, self.back = (f"127.0.0.1:{self.ports[name]}" for name in ("into", "back"))
        self.existing = folder / "existing.yaml"
        text = EXISTING + (LOGS if has_logs else "")
        self.existing.write_text(text.format(store=self.store.endpoint, **self.ports))
        forward = [f"mode={mode}", f"forward.endpoint={self.back}"] if mode == "inline" else []
        own = [f"receive.endpoint={self.into}", "windows=[{name: rows, rows: 200}]", *forward]
        self.house = stack.enter_context(processor(folder, *own))

    @contextmanager
    def collecting(self, overlay: Path) -> Iterator[Running]:
        """Run the collector with *overlay* until the block ends; give who sends to it."""
        said = {
            "OTEL_ML_ENDPOINT": self.into,
            "OTEL_ML_RETURN_ENDPOINT": self.back,
            "OTEL_ML_TRACES_EXPORTER": "otlp/store",
            "OTEL_ML_LOGS_EXPORTER": "otlp/store",
        }
        variables = ("env", *(f"{key}={value}" for key, value in said.items()))
        files = ("--config", self.existing, "--config", overlay)
        ready = partial(answers, f"http://127.0.0.1:{self.ports['health']}/")
        log = self.folder / "collector.log"
        command = [*variables, find_tool("otelcol"), *files]
        with running(command, ready=ready, log=log):
            yield self.house.through(self.ports["grpc"])

    def stored(self, items: str) -> list[Any]:
        """Return the spans or log records that are in the store, once for each time it has them."""
        inner = {"spans": "resource_spans", "log_records": "resource_logs"}[items]
        groups = (group for one in self.store.requests for group in getattr(one, inner, ()))
        return [
            item for group in groups for scoped in scopes(group) for item in getattr(scoped, items)
        ]


def scopes(group: Any) -> Iterable[Any]:
    """Return what is in the group of one resource, by scope."""
    found: Iterable[Any] = getattr(group, "scope_spans", None) or getattr(group, "scope_logs", ())
    return found


def check_labels_arrive(theirs: Theirs, overlay: Path, *, has_logs: bool) -> None:
    """Check that every label counts, that the processor gets no other log, and that the store has everything that it had before, once."""
    spans, labels = spans_and_labels()
    others = [LogRecord(severity_text="INFO", body={"string_value": f"{i}"}) for i in range(ROWS)]
    with theirs.collecting(overlay) as service:
        service.traces(spans)
        service.logs([*others, *labels])  # raises where it is refused
        assert eventually(partial(joined, theirs.house), lambda n: n == ROWS, 30) == ROWS
    # What was still under way has arrived: a collector that is told to stop sends it first.
    assert sum(theirs.house.scraped("otelcol_receiver_accepted_log_records_total").values()) == ROWS
    assert sorted(s.span_id for s in theirs.stored("spans")) == sorted(s.span_id for s in spans)
    kept = sorted(one.SerializeToString() for one in (*others, *labels)) if has_logs else []
    assert sorted(one.SerializeToString() for one in theirs.stored("log_records")) == kept


@pytest.mark.parametrize("has_logs", [True, False], ids=["beside logs", "without logs"])
@pytest.mark.parametrize("fragment", MODES)
def test_labels_reach_the_processor_by_every_fragment(
    tmp_path: Path, fragment: str, has_logs: bool
) -> None:
    """Whether the collector has a pipeline of logs or none; its own are not disturbed."""
    with ExitStack() as stack:
        theirs = Theirs(tmp_path, stack, MODES[fragment], has_logs=has_logs)
        check_labels_arrive(theirs, CONFIG / f"otel-ml{fragment}.yaml", has_logs=has_logs)


@pytest.mark.parametrize("has_logs", [True, False], ids=["beside logs", "without logs"])
@pytest.mark.parametrize("mode", ["tee", "inline", "failover"])
def test_labels_reach_the_processor_by_every_overlay(
    tmp_path: Path, mode: str, has_logs: bool
) -> None:
    """Those that `otel-ml splice` writes, likewise."""
    with ExitStack() as stack:
        own = "tee" if mode == "tee" else "inline"
        theirs = Theirs(tmp_path, stack, own, has_logs=has_logs)
        overlay = tmp_path / "otel-ml.yaml"
        command = (sys.executable, "-m", "otel_ml", "splice", str(theirs.existing), "--mode", mode)
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        overlay.write_text(said.stdout)
        check_labels_arrive(theirs, overlay, has_logs=has_logs)
