"""One book, two ways into a real Prometheus."""

from __future__ import annotations

import json
import math
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from otel_ml_processor.emit.confidence_samples import ConfidenceSamples
from otel_ml_processor.emit.feature_bins import FeatureBins
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.otlp import Identity, metrics_requests
from otel_ml_processor.emit.page import ProcessorFacts
from otel_ml_processor.emit.pages import pages
from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.sketches.label_counts import MAX_LABELS
from tests.integration.real_servers import answers, find_tool, free_port, running
from tests.unit.processor.emit import sample_readings as samples
from tests.unit.processor.emit.counted_rows import reference, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.real_servers

# Labels that only say how a series came in.
OF_THE_WAY = {"job", "instance", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url"}
SCRAPED = ("scraped_as_openmetrics", "scraped_as_text")
PUSHED = "otel-ml-processor"

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Prometheus(NamedTuple):
    """A running Prometheus that has been pushed to and has scraped."""

    url: str
    client: httpx.Client

    def series_of(self, job: str) -> Series:
        """Return all series of *job* but those that Prometheus makes itself."""
        query = f'{{job="{job}", __name__=~"ml_.+|otelcol_.+"}}'
        answer = self.client.get(f"{self.url}/api/v1/query", params={"query": query})
        found: Series = {}
        for entry in answer.raise_for_status().json()["data"]["result"]:
            labels = entry["metric"]
            kept = frozenset(
                (key, value)
                for key, value in labels.items()
                if key != "__name__" and key not in OF_THE_WAY
            )
            found[labels["__name__"], kept] = float(entry["value"][1])
        return found

    def types_of(self, job: str) -> dict[str, str]:
        """Return the type of every metric that *job* was scraped for."""
        answer = self.client.get(
            f"{self.url}/api/v1/targets/metadata", params={"match_target": f'{{job="{job}"}}'}
        )
        return {
            entry["metric"]: entry["type"] for entry in answer.raise_for_status().json()["data"]
        }


def full_book() -> MetricBook:
    """Return a book with a point of every metric, hostile names and values among them; its clock stands still."""
    bins, confidences = FeatureBins(), ConfidenceSamples(9)
    rows: list[dict[str, object]] = [{"f0": float(i % 10)} for i in range(25)]
    told(bins, reference(), rows, confidences=confidences)
    book = MetricBook(
        windows=["1h", "24h"],
        scores=["psi", "jensen_shannon"],
        self_metrics=SelfMetrics({"ml.processor.undecoded": ["wrong_type"]}),
        bins=bins,
        confidences=confidences,
        clock_ns=lambda: samples.NOW_NS,
    )
    book.register(samples.STREAM, samples.profile(), {"1h": 0.46, "24h": math.nan})
    found = samples.drifting_reading()
    book.update(found, samples.change_of(found, samples.TEMP, samples.DEWP))
    hostile = samples.reading(
        samples.feature(samples.HOSTILE_FEATURE), stream=samples.HOSTILE, window="24h"
    )
    whole_level = replace(samples.CONFIDENCE_READING, quantiles={1.0: 0.999})
    book.update(replace(hostile, confidence=whole_level), None)
    book.update(samples.insufficient(samples.reading(stream=samples.NAMELESS)), None)
    labels = {f"class {i}": 1000 + i for i in range(MAX_LABELS + 3)}
    book.set_totals(samples.STREAM, labels | {'"\\\n': 7}, 73)
    book.set_window_lag(2.5)
    book.set_dedupe_horizon(600.0)
    return book


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus that got one book by OTLP push and by scrape, in both formats."""
    folder = tmp_path_factory.mktemp("prometheus")
    book = full_book()
    facts = ProcessorFacts(mode="tee", receive_endpoint="127.0.0.1:14317", version="0")
    server = HttpServer("127.0.0.1:0", pages(book, facts, lambda: True))
    url = f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        ready = partial(answers, f"{url}/-/ready")
        started = command(folder, server.endpoint, url)
        stack.enter_context(running(started, ready=ready, log=folder / "prometheus.log"))
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=60))
        push(client, url, book)
        until_scraped(client, url)
        yield Prometheus(url, client)


def command(folder: Path, page: str, url: str) -> list[str]:
    """Return the command line of a Prometheus that scrapes *page* every second, once per format."""
    formats = zip(SCRAPED, ["OpenMetricsText1.0.0", "PrometheusText0.0.4"], strict=True)
    configuration = {
        "scrape_configs": [
            {
                "job_name": job,
                "scrape_interval": "1s",
                "scrape_protocols": [protocol],
                "static_configs": [{"targets": [page]}],
            }
            for job, protocol in formats
        ]
    }
    file = folder / "prometheus.yaml"
    file.write_text(json.dumps(configuration), encoding="utf-8")  # JSON is YAML.
    return [
        find_tool("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--web.enable-otlp-receiver",
    ]


def push(client: httpx.Client, url: str, book: MetricBook) -> None:
    """Push *book* as the processor does."""
    for request in metrics_requests(book.collect(), Identity(), time.time_ns()):
        answer = client.post(
            f"{url}/api/v1/otlp/v1/metrics",
            content=request,
            headers={"content-type": "application/x-protobuf"},
        )
        assert answer.status_code == 200, answer.text


def until_scraped(client: httpx.Client, url: str) -> None:
    """Wait until both scrapes have succeeded; fail with what Prometheus says of them after two minutes."""
    deadline = time.monotonic() + 120
    while True:
        targets = client.get(f"{url}/api/v1/targets").json()["data"]["activeTargets"]
        if len(targets) == len(SCRAPED) and all(target["health"] == "up" for target in targets):
            return
        if time.monotonic() > deadline:
            pytest.fail(f"not scraped: {targets}")
        time.sleep(0.1)


@pytest.mark.parametrize("job", SCRAPED)
def test_scrape_and_push_give_the_same_series(prometheus: Prometheus, job: str) -> None:
    """Whichever way the numbers came, names, labels and values are the same, so that one query fits both."""
    pushed, scraped = prometheus.series_of(PUSHED), prometheus.series_of(job)

    assert pushed
    assert scraped == pushed


def test_names_are_those_of_the_prometheus_translator(prometheus: Prometheus) -> None:
    """Dots become underscores, shares end in `_ratio`, seconds in `_seconds`, counters in `_total`, states in nothing."""
    names = {name for name, _ in prometheus.series_of(PUSHED)}

    assert names >= {
        "ml_drift_score",
        "ml_drift_p_value",
        "ml_drift_status",
        "ml_drift_features",
        "ml_drift_detections_total",
        "ml_drift_window_samples",
        "ml_drift_calibration",
        "ml_drift_false_alarm_promised_ratio",
        "ml_drift_false_alarm_measured_ratio",
        "ml_feature_missing_ratio",
        "ml_feature_out_of_range_ratio",
        "ml_confidence_mean",
        "ml_confidence_quantile",
        "ml_confidence_low_ratio",
        "ml_confidence_violations_total",
        "ml_confidence_samples_bucket",
        "ml_confidence_samples_count",
        "ml_feature_samples_total",
        "ml_feature_reference_ratio",
        "ml_prediction_samples_total",
        "ml_reference_age_seconds",
        "ml_reference_samples",
        "ml_processor_window_lag_seconds",
        "ml_processor_dedupe_horizon_seconds",
        "ml_processor_overflow_total",
        "ml_processor_webhooks_dropped_total",
        "otelcol_receiver_accepted_spans_total",
    }


def test_hostile_names_arrive_unharmed(prometheus: Prometheus) -> None:
    """Quotes, backslashes, line breaks, markup and emoji in names are data in both formats."""
    for job in (PUSHED, *SCRAPED):
        features = {
            value
            for name, labels in prometheus.series_of(job)
            if name == "ml_drift_score"
            for key, value in labels
            if key == "ml_feature_name"
        }

        assert samples.HOSTILE_FEATURE in features


def test_states_are_gauges_and_counts_are_counters(prometheus: Prometheus) -> None:
    """A 0/1 state may fall, so Prometheus must not take it for a counter."""
    types = prometheus.types_of("scraped_as_text")

    assert types["ml_drift_status"] == "gauge"
    assert types["ml_drift_calibration"] == "gauge"
    assert types["ml_drift_detections_total"] == "counter"
