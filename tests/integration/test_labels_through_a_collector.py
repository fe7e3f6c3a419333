"""Labels are log records: they reach the processor by way of the whole collector, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conventions.scenarios.receiver import Receiver
from tests.integration.feedback_traffic import SECOND_NS, START_NS, label_of, prediction, processor
from tests.integration.real_servers import answers, eventually, find_tool, free_port, running

CONFIG = Path(__file__).parents[2] / "collector-config" / "collector.yaml"
ROWS = 200


@pytest.mark.real_servers
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
    spans = [prediction(i, START_NS + i * SECOND_NS, prediction_label="ok") for i in range(ROWS)]
    labels = [label_of(i, START_NS + i * SECOND_NS, label="ok") for i in range(ROWS)]
    log = tmp_path / "collector.log"
    with processor(tmp_path, *options) as house:

        def joined() -> float:
            house.tick()
            return sum(house.scraped("ml_feedback_joined_total").values())

        command = [find_tool("otelcol"), "--config", CONFIG]
        ready = f"http://127.0.0.1:{ports['health']}/"
        with running(command, ready=lambda: answers(ready), log=log):
            service = house.through(ports["grpc"])
            service.traces(spans)
            service.logs(labels)
            assert eventually(joined, lambda n: n == ROWS, 30) == ROWS
            went_on = f'"log records": {ROWS}'
            assert went_on in eventually(log.read_text, lambda text: went_on in text, 30)
    jaeger.close()
