"""
The whole chain with the real servers, started with the same files and commands as the demo.

Spans of real flights go through the real collector, our processor in line, the collector again, into the real Jaeger; our metrics go
into the real Prometheus by both ways. Then the unchanged service answers real requests under `opentelemetry-instrument`.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from tests.integration.flights import FOLDER, requests_with, span_of
from tests.integration.real_servers import eventually, find_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

pytestmark = pytest.mark.real_servers

ROWS = 2000
REQUESTS = 40
SERVICE = "late-arrivals"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
OF_THE_WAY = {"job", "instance", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url"}


@dataclass
class Chain:
    """The running servers, and what went in."""

    at: Any
    flights: pd.DataFrame
    late: np.ndarray[Any, Any]
    profile: dict[str, Any]
    begin_s: float

    def traces(self, **asked: str | int) -> list[dict[str, Any]]:
        """Return traces of the service that Jaeger finds."""
        params = {
            "service": SERVICE,
            "limit": 5000,
            "start": round((self.begin_s - 60) * 1e6),
            "end": round((time.time() + 60) * 1e6),
            **asked,
        }
        answer = httpx.get(f"http://{self.at.jaeger_query}/api/traces", params=params, timeout=60)
        return answer.raise_for_status().json()["data"] or []

    def span_ids(self) -> list[str]:
        """Return the ids of all sent inference spans that Jaeger holds, once for each time it holds them."""
        spans = [span for trace in self.traces() for span in trace["spans"]]
        sent = {f"{1 + number:016x}" for number in range(ROWS)}
        return sorted(span["spanID"] for span in spans if span["spanID"] in sent)

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return what Prometheus answers."""
        url = f"http://{self.at.prometheus}/api/v1/query"
        answer = httpx.get(url, params={"query": promql}, timeout=60)
        return answer.raise_for_status().json()["data"]["result"]

    def values(self, metric: str, job: str, *keys: str) -> dict[tuple[str, ...], float]:
        """Return the series of *metric* that came in by *job*, by the labels *keys*; of the model as a whole, not of its classes."""
        return {
            tuple(series["metric"].get(key, "") for key in keys): float(series["value"][1])
            for series in self.query(f'{metric}{{job="{job}", ml_prediction_label=""}}')
        }


@contextmanager
def running_chain(folder: Path) -> Iterator[Chain]:
    """Start everything, send ROWS spans, wait until they are assessed, send REQUESTS flights over HTTP."""
    servers = {
        name: find_tool(name) for name in ("otelcol", "jaeger", "prometheus", "alertmanager")
    }
    import departures
    import plan
    import prepare
    import processes
    import stack

    prepare.prepare(FOLDER, print)
    files = stack.Files(FOLDER / "model.joblib", FOLDER / "profile.json", folder)
    at = stack.free_addresses()
    flights = plan.rest_of_the_year(departures.departures()).iloc[:: 275_000 // ROWS][:ROWS]
    late = np.random.default_rng(5).uniform(size=ROWS).round(6)
    profile = json.loads(files.profile.read_text())
    with processes.Processes(folder / "logs") as started:
        started.start(*stack.parts_with_servers(at, files, ROWS, servers))
        chain = Chain(at, flights, late, profile, time.time())
        send_spans(chain)
        eventually(
            lambda: chain.query(f'ml_drift_window_samples{{job=~"otel-ml.*"}} == {ROWS}'),
            lambda series: len(series) == 2,
            60,
        )
        send_flights(chain)
        yield chain


def send_spans(chain: Chain) -> None:
    """Send the flights as spans to the collector's front door, 50 at a time."""
    import play

    bodies = play.requests_for(chain.flights)
    now_ns = time.time_ns()
    spans = [
        span_of(i, body, float(late), now_ns - (ROWS - i) * 1_000_000)
        for i, (body, late) in enumerate(zip(bodies, chain.late, strict=True))
    ]
    with grpc.insecure_channel(chain.at.collector) as channel:
        export = channel.unary_unary(EXPORT)
        for request in requests_with(spans, 50, SERVICE):
            export(request, timeout=60)


def send_flights(chain: Chain) -> None:
    """Ask the service about a few flights, as a client would."""
    import play

    with httpx.Client(base_url=f"http://{chain.at.service}", timeout=60) as client:
        for body in play.requests_for(chain.flights.iloc[:REQUESTS]):
            client.post("/predict", json=body).raise_for_status()


@pytest.fixture(scope="module", name="chain")
def _chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One chain for all tests of this file: starting it takes longer than asking it."""
    with running_chain(tmp_path_factory.mktemp("chain")) as chain:
        yield chain


def test_jaeger_holds_exactly_the_spans_that_were_sent(chain: Chain) -> None:
    """Not one lost, not one twice."""
    sent = sorted(f"{1 + number:016x}" for number in range(ROWS))
    assert eventually(chain.span_ids, lambda found: found == sent, 60) == sent


def test_a_request_is_one_trace_with_the_model_call_under_the_http_span(chain: Chain) -> None:
    """Who opens a request in Jaeger sees the server's span and, as its child, the prediction with its attributes."""
    traces = eventually(
        lambda: chain.traces(operation="POST /predict"),
        lambda found: len(found) >= REQUESTS,
        60,
    )
    assert len(traces) == REQUESTS
    for trace in traces:
        (server,) = [s for s in trace["spans"] if s["operationName"] == "POST /predict"]
        (model,) = [s for s in trace["spans"] if s["operationName"] == "predict late-arrival"]
        assert [r["spanID"] for r in model["references"]] == [server["spanID"]]
        tags = {tag["key"]: tag["value"] for tag in model["tags"]}
        assert tags["ml.model.name"] == "late-arrival"
        assert tags["ml.model.version"] == "1"
        assert tags["ml.framework.name"] == "sklearn"
        assert tags["ml.task.type"] == "binary_classification"
        assert tags["ml.batch.size"] == 1
        assert tags["ml.prediction.label"] in {"late", "on_time"}
        assert 0.5 <= tags["ml.prediction.confidence"] <= 1
        assert 0 <= tags["ml.prediction.entropy"] <= 1
        assert json.loads(tags["ml.input.features"])["carrier"]


@pytest.mark.parametrize(
    "tags",
    [
        {"ml.prediction.label": "on_time"},
        {"ml.verdict.drift": "drifting"},
        {"ml.verdict.confidence": "high", "ml.model.version": "1"},
    ],
)
def test_a_search_by_what_was_predicted_or_found_finds_the_span(
    chain: Chain, tags: dict[str, str]
) -> None:
    """Jaeger searches by equality, and verdicts are made for that."""
    found = eventually(
        lambda: chain.traces(operation="predict late-arrival", tags=json.dumps(tags), limit=5),
        bool,
        60,
    )
    spans = [span for trace in found for span in trace["spans"]]
    said = [{tag["key"]: tag["value"] for tag in span["tags"]} for span in spans]
    assert any(tags.items() <= one.items() for one in said)


def cells(feature: dict[str, Any], values: pd.Series) -> np.ndarray[Any, Any]:
    """Return the window's counts per value cell, counted one by one: the naive twin of the processor's sketches."""
    if feature["type"] == "numeric":
        counts = [0] * (len(feature["edges"]) + 1)
        for value in values.dropna():
            counts[sum(value > edge for edge in feature["edges"])] += 1
        return np.array(counts)
    counts = [0] * (len(feature["categories"]) + 1)
    for value in values.dropna():
        if value in feature["categories"]:
            counts[feature["categories"].index(value)] += 1
        elif value in feature["other_known"]:
            counts[-1] += 1
    return np.array(counts)


def recomputed(chain: Chain) -> dict[tuple[str, str], float]:
    """Return the expected drift scores by feature and method, from their definitions."""
    expected: dict[tuple[str, str], float] = {}
    for feature in chain.profile["features"]:
        reference = np.array(feature["counts"], dtype=float)
        current = cells(feature, chain.flights[feature["name"]]).astype(float)
        used = reference + current > 0  # a cell that neither side uses is no cell
        reference, current = reference[used], current[used]
        p = (reference + 0.5) / (reference + 0.5).sum()
        q = (current + 0.5) / (current + 0.5).sum()
        expected[feature["name"], "psi"] = float(((p - q) * np.log(p / q)).sum())
        expected[feature["name"], "jensen_shannon"] = float(
            jensenshannon(reference / reference.sum(), current / current.sum(), base=2)
        )
        if feature["type"] == "numeric":
            steps = np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()
            expected[feature["name"], "kolmogorov_smirnov"] = float(np.abs(steps).max())
    return expected


WAYS = ["otel-ml", "otel-ml-processor"]
"""The job of the scrape, and of the push."""


@pytest.mark.parametrize("job", WAYS)
def test_drift_in_prometheus_equals_an_offline_recomputation(chain: Chain, job: str) -> None:
    """Every score of every feature, from its definition and the table of flights, by scrape and by push."""
    keys = ("ml_feature_name", "ml_drift_method")
    found = chain.values("ml_drift_score", job, *keys)
    expected = recomputed(chain)
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("job", WAYS)
def test_missing_values_and_confidence_in_prometheus_equal_the_table(
    chain: Chain, job: str
) -> None:
    """Shares of missing values per feature; mean and low share of the confidence."""
    names = [feature["name"] for feature in chain.profile["features"]]
    missing = chain.values("ml_feature_missing_ratio", job, "ml_feature_name")
    expected = {(name,): float(chain.flights[name].isna().mean()) for name in names}
    assert missing == pytest.approx(expected, abs=1e-12)
    confidences = np.maximum(chain.late, 1 - chain.late)
    low = float((confidences < chain.profile["low_confidence"]).mean())
    assert chain.values("ml_confidence_mean", job) == pytest.approx(
        {(): confidences.mean()}, abs=1e-8
    )
    assert chain.values("ml_confidence_low_ratio", job) == pytest.approx({(): low}, abs=1e-12)


def test_both_ways_into_prometheus_give_the_same_series(chain: Chain) -> None:
    """Same names, same labels, same values of all that the window said; for how long something has been silent, only the names."""

    def series(job: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        found = chain.query(f'{{job="{job}", __name__=~"ml_(drift|feature|confidence)_.+"}}')
        return {
            (
                one["metric"]["__name__"],
                frozenset((k, v) for k, v in one["metric"].items() if k not in OF_THE_WAY),
            ): 0.0 if "staleness" in one["metric"]["__name__"] else float(one["value"][1])
            for one in found
        }

    def both() -> tuple[Any, Any]:
        return series(WAYS[0]), series(WAYS[1])

    scraped, pushed = eventually(both, lambda two: two[0] == two[1], 60)
    assert len(scraped) > 100
    assert scraped == pushed


def test_the_sdk_measures_every_call_beside_the_spans(chain: Chain) -> None:
    """Duration and predictions come from the service itself, unsampled."""
    total = eventually(
        lambda: sum(
            float(series["value"][1])
            for series in chain.query("sum(ml_inference_predictions_total)")
        ),
        lambda value: value == REQUESTS,
        60,
    )
    assert total == REQUESTS
    (count,) = chain.query("sum(ml_inference_duration_seconds_count)")
    assert float(count["value"][1]) == REQUESTS
