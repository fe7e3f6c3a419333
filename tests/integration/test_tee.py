"""Beside an existing collector: the fragment added with one more --config, the traces on the way they had."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest

from otel_ml_processor.profile_file import write_profile
from tests.integration.flights import ROOT, requests_with
from tests.integration.real_servers import eventually, find_tool, free_port
from tests.integration.test_outage import in_jaeger
from tests.unit.processor.otlp_requests import inference
from tests.unit.processor.test_pipeline import profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.real_servers

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPANS = 600
ODD = {7, 77, 177}

EXISTING = """
receivers: {otlp: {protocols: {grpc: {endpoint: "%(collector)s"}}}}
processors: {batch: {}}
exporters: {otlp/jaeger: {endpoint: "%(jaeger)s", tls: {insecure: true}}}
extensions: {health_check: {endpoint: "%(health)s"}}
service:
  extensions: [health_check]
  pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [otlp/jaeger]}}
  telemetry: {metrics: {level: none}}
"""
"""What a team has: traces to Jaeger, nothing of ours."""


class Tee:
    """A collector of somebody else with our fragment, Jaeger, and (where it runs) our processor with its defaults."""

    def __init__(self, folder: Path) -> None:
        import processes
        import stack

        self.at = stack.free_addresses()
        self.receive, self.back = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        existing = folder / "existing.yaml"
        existing.write_text(
            EXISTING
            % {
                "collector": self.at.collector,
                "jaeger": self.at.jaeger,
                "health": self.at.collector_health,
            }
        )
        write_profile(profile(), folder / "profile.json")
        (folder / "processor.yaml").write_text(
            f"""
            receive: {{endpoint: "{self.receive}"}}
            http: {{endpoint: "{self.at.processor_page}"}}
            emit: {{endpoint: "{self.back}", interval: 1s}}
            windows: [{{name: rows, rows: 200}}]
            profiles: [profile.json]
            """
        )
        environment = {
            **os.environ,
            "OTEL_ML_ENDPOINT": self.receive,
            "OTEL_ML_RETURN_ENDPOINT": self.back,
            "OTEL_ML_TRACES_EXPORTER": "otlp/jaeger",
        }
        fragment = ROOT / "collector-config" / "otel-ml.yaml"
        command = (find_tool("otelcol"), "--config", str(existing), "--config", str(fragment))
        health = f"http://{self.at.collector_health}/"
        self.collector = processes.Part("collector", command, environment, health)
        ours = (
            str(stack._PROGRAMS / "otel-ml"),
            "processor",
            "--config",
            str(folder / "processor.yaml"),
        )
        ready = f"http://{self.at.processor_page}/readyz"
        self.processor = processes.Part("processor", ours, dict(os.environ), ready)
        servers = {
            name: find_tool(name) for name in ("otelcol", "jaeger", "prometheus", "alertmanager")
        }
        files = stack.Files(folder / "none", folder / "profile.json", folder)
        parts = stack.parts_with_servers(self.at, files, 200, servers)
        (self.jaeger,) = [part for part in parts if part.name == "jaeger"]

    def send(self) -> None:
        """Send SPANS inferences, three of them with an input that nobody has seen."""
        now = time.time_ns()
        spans = [
            inference(
                i,
                end_ns=now,
                features={"amount": 1e6 if i in ODD else 0.01 * (i % 100)},
                prediction_label="ok",
                prediction_confidence=0.9,
            )
            for i in range(SPANS)
        ]
        with grpc.insecure_channel(self.at.collector) as channel:
            export = channel.unary_unary(EXPORT)
            for request in requests_with(spans, 50, "shop"):
                export(request, timeout=60)

    def state(self) -> str:
        """Return what the processor's page says of the last window; empty before the first."""
        streams = httpx.get(f"http://{self.at.processor_page}/readings", timeout=60).json()[
            "streams"
        ]
        return streams[0]["readings"][0]["state"] if streams and streams[0]["readings"] else ""

    def found(self, **tags: str) -> list[dict[str, Any]]:
        """Return the verdict spans that a search in Jaeger by *tags* finds."""
        asked = {"service": "shop", "operation": "verdict fraud", "limit": 50, "lookback": "1h"}
        if tags:
            asked["tags"] = json.dumps({f"ml.verdict.{key}": value for key, value in tags.items()})
        url = f"http://{self.at.jaeger_query}/api/traces"
        traces = httpx.get(url, params=asked, timeout=60).json()["data"] or []
        spans = [span for trace in traces for span in trace["spans"]]
        return [span for span in spans if span["operationName"] == "verdict fraud"]


@pytest.fixture(name="tee")
def _tee(tmp_path: Path) -> Iterator[Tee]:
    """A tee whose parts are not started yet."""
    return Tee(tmp_path)


SENT = sorted(f"{i + 1:016x}" for i in range(SPANS))


def test_flagged_inferences_are_found_by_their_verdict_and_the_traces_keep_their_way(
    tee: Tee, tmp_path: Path
) -> None:
    """Jaeger has every span once, by the existing way; a search by verdict finds the child spans of the three odd ones."""
    import processes

    with processes.Processes(tmp_path / "logs") as started:
        started.start(tee.jaeger, tee.collector, tee.processor)
        tee.send()
        found = eventually(lambda: len(tee.found()), lambda n: n == len(ODD), 60)
        assert found == len(ODD)
        sent = set(SENT)
        spans = [span for span in in_jaeger(tee.at.jaeger_query) if span in sent]
        assert spans == SENT
        children = tee.found(confidence="high")
        parents = {child["references"][0]["spanID"] for child in children}
        assert parents == {f"{i + 1:016x}" for i in ODD}
        tags = {tag["key"]: tag["value"] for tag in children[0]["tags"]}
        assert tags["ml.model.name"] == "fraud"
        assert "out_of_range:amount" in tags["ml.verdict.flags"]
        assert "@jaeger@warnings" not in tags
        assert eventually(tee.state, lambda s: s == "drifting", 60) == "drifting"
        tee.send()
        assert eventually(lambda: tee.found(drift="drifting"), bool, 60)


def test_without_our_processor_the_existing_path_notices_nothing(tee: Tee, tmp_path: Path) -> None:
    """The hop is down: every span is accepted, and Jaeger has each exactly once."""
    import processes

    with processes.Processes(tmp_path / "logs") as started:
        started.start(tee.jaeger, tee.collector)
        tee.send()
        assert (
            eventually(lambda: in_jaeger(tee.at.jaeger_query), lambda ids: ids == SENT, 60) == SENT
        )
