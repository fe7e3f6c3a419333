"""What Jaeger's Monitor tab reads: spans through the real collector into the real Prometheus, asked of the real Jaeger."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.integration.real_servers import answers, eventually, find_tool, free_port, running
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real_servers

CONFIG = Path(__file__).parents[2] / "collector-config"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BOUND_S = 60.0
OK, FAILED = 30, 10


@pytest.fixture(scope="module", name="jaeger")
def _jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start all three with the files as they are, send spans again and again, and give Jaeger's address."""
    folder = tmp_path_factory.mktemp("monitor")
    names = (
        "collector",
        "collector_http",
        "health",
        "back",
        "jaeger",
        "query",
        "query_grpc",
        "jaeger_health",
        "prometheus",
    )
    at = {name: f"127.0.0.1:{free_port()}" for name in names}
    said = {
        "COLLECTOR_GRPC_ENDPOINT": at["collector"],
        "COLLECTOR_HTTP_ENDPOINT": at["collector_http"],
        "COLLECTOR_HEALTH_ENDPOINT": at["health"],
        "OTEL_ML_RETURN_ENDPOINT": at["back"],
        "JAEGER_ENDPOINT": at["jaeger"],
        "JAEGER_QUERY_ENDPOINT": at["query"],
        "JAEGER_QUERY_GRPC_ENDPOINT": at["query_grpc"],
        "JAEGER_HEALTH_ENDPOINT": at["jaeger_health"],
        "JAEGER_UI_CONFIG": str(CONFIG / "jaeger-ui.json"),
        "JAEGER_PROMETHEUS_ENDPOINT": f"http://{at['prometheus']}",
        "PROMETHEUS_ENDPOINT": f"http://{at['prometheus']}/api/v1/otlp",
        "SPAN_METRICS_INTERVAL": "1s",
    }
    files = {
        "otelcol": ("collector.yaml", "span-metrics.yaml"),
        "jaeger": ("jaeger.yaml", "jaeger-monitor.yaml"),
    }
    ready = {"otelcol": f"http://{at['health']}/", "jaeger": f"http://{at['jaeger_health']}/status"}
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in said.items():
            patch.setitem(os.environ, name, value)
        prometheus = [
            find_tool("prometheus"),
            f"--config.file={CONFIG / 'prometheus.yaml'}",
            "--web.enable-otlp-receiver",
            f"--web.listen-address={at['prometheus']}",
            f"--storage.tsdb.path={folder / 'data'}",
        ]
        url = f"http://{at['prometheus']}/-/ready"
        log = folder / "prometheus.log"
        stack.enter_context(running(prometheus, ready=partial(answers, url), log=log))
        for name, configs in files.items():
            command = [find_tool(name), *(f"--config={CONFIG / config}" for config in configs)]
            is_ready = partial(answers, ready[name])
            stack.enter_context(running(command, ready=is_ready, log=folder / f"{name}.log"))
        channel = stack.enter_context(grpc.insecure_channel(at["collector"]))
        for portion in range(2):  # a rate needs two points
            _send(channel, portion)
            _await_count(at["prometheus"], (portion + 1) * (OK + FAILED))
        yield at["query"]


def _send(channel: grpc.Channel, portion: int) -> None:
    begin = portion * (OK + FAILED)
    spans = [inference(begin + i, end_ns=time.time_ns(), model="fraud") for i in range(OK + FAILED)]
    for span in spans:
        span.kind = span.SPAN_KIND_SERVER  # the kind that the tab shows
    for span in spans[OK:]:
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR))
    channel.unary_unary(EXPORT)(request_of(spans).SerializeToString(), timeout=60)


def _await_count(prometheus: str, wanted: int) -> None:
    """Wait until all spans have been counted, and once more until that has been written a second time."""
    query = "sum(traces_span_metrics_calls_total)"

    def counted() -> float:
        url = f"http://{prometheus}/api/v1/query"
        found = httpx.get(url, params={"query": query}, trust_env=False, timeout=60).json()["data"][
            "result"
        ]
        return float(found[0]["value"][1]) if found else 0.0

    assert eventually(counted, lambda value: value == wanted, BOUND_S) == wanted


def asked(jaeger: str, what: str, **more: str) -> list[dict[str, Any]]:
    """Return the metrics that Jaeger gives of the service, as its page asks for them."""
    params = {
        "service": "shop",
        "groupByOperation": "true",
        "lookback": "600000",
        "step": "5000",
        "ratePer": "600000",
        **more,
    }
    answer = httpx.get(
        f"http://{jaeger}/api/metrics/{what}", params=params, trust_env=False, timeout=60
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["metrics"]
    return found


def values(metrics: list[dict[str, Any]]) -> list[float]:
    """Return all points that have a value above 0."""
    return [
        float(point["gaugeValue"]["doubleValue"])
        for metric in metrics
        for point in metric["metricPoints"]
        if point.get("gaugeValue", {}).get("doubleValue") not in (None, 0, "NaN")
    ]


@pytest.mark.parametrize("what", ["calls", "errors"])
def test_calls_and_errors_are_told_by_operation(jaeger: str, what: str) -> None:
    """The tab has a line for the model's call, with a rate above nothing."""
    found = eventually(lambda: asked(jaeger, what), lambda one: bool(values(one)), BOUND_S)
    labels = {label["name"]: label["value"] for label in found[0]["labels"]}
    assert labels["operation"] == "predict fraud"
    assert values(found)


def test_errors_are_a_quarter_of_the_calls(jaeger: str) -> None:
    """Ten of forty failed."""
    errors = eventually(lambda: values(asked(jaeger, "errors")), bool, BOUND_S)
    assert errors[-1] == pytest.approx(FAILED / (OK + FAILED))


def test_durations_are_those_of_the_spans(jaeger: str) -> None:
    """Every span took a millisecond, so 95 % of them at most that; the tab says so in milliseconds."""
    found = eventually(lambda: values(asked(jaeger, "latencies", quantile="0.95")), bool, BOUND_S)
    assert 0 < found[-1] <= 1.0
