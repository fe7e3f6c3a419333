"""The whole way from a label to where the model is wrong: spans, feedback about them, and values of features with too many errors."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_ml_processor.assess.error_patterns import Pattern
from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.commands.replay import Replayed
from otel_ml_processor.config import Config, WindowConfig
from otel_ml_processor.feedback.explanations import explanations_in
from otel_ml_processor.feedback.joining import Joining
from otel_ml_processor.feedback.totals import FeedbackTotals
from otel_ml_processor.profile import Profile
from otel_ml_processor.service import make_pipeline, new_self_metrics
from otel_ml_processor.signals import Signal
from otel_ml_processor.windows.references import References
from tests.data.export_requests import (
    RESOURCE,
    TRACE_ID,
    attributes,
    export_request,
    inference_span,
)

STREAM = StreamKey("shop", "prod", "fraud", "3")
ROWS = 4_000
NOW_NS = 1_700_000_000_000_000_000


class Told:
    """Who is told what feedback says; nobody listens here."""

    def feedback(self, totals: FeedbackTotals) -> None:
        """Pass over it."""

    def performance(self, reading: PerformanceReading) -> None:
        """Pass over it."""


@cache
def profile() -> Profile:
    """Return the profile of amounts from 0 to 10, alike, and of two cities."""
    random = np.random.default_rng(1)
    table = {
        "amount": random.uniform(0, 10, 20_000),
        "city": random.choice(["Oslo", "Bergen"], 20_000, p=[0.8, 0.2]),
        "said": random.choice(["yes", "no"], 20_000),
    }
    return build_profile_from_table(
        table, model="fraud", version="3", label="said", created="2026-01-01T00:00:00Z"
    )


class Stream:
    """Predictions with a known truth, sent as spans, and their labels as logs, through the real rooms."""

    def __init__(self, amounts: np.ndarray, cities: np.ndarray) -> None:
        """Count one span per amount and city, all of which predict `yes`."""
        config = Config(windows=(WindowConfig(name="all", rows=len(amounts)),))
        references = References.of([("fraud.json", profile())])
        own = new_self_metrics()
        self.joining = Joining(config, references.reference, Told(), lambda _: None)
        self.pipeline = make_pipeline(
            config,
            references,
            Promises.of_config(config, [profile()]),
            forward=None,
            emit=Replayed(),
            self_metrics=own,
            clock_ns=lambda: NOW_NS,
            joining=self.joining,
        )
        spans = [
            inference_span(
                {
                    "ml.prediction.label": "yes",
                    "ml.input.features": json.dumps({"amount": amount, "city": city}),
                },
                span_id=i,
                end_ns=NOW_NS + i,
            )
            for i, (amount, city) in enumerate(
                zip(amounts.tolist(), cities.tolist(), strict=True), start=1
            )
        ]
        for begin in range(0, len(spans), 500):
            self.pipeline.take(export_request(spans[begin : begin + 500]), None)

    def label(self, is_wrong: np.ndarray, *, first: int = 1, times: int = 1) -> None:
        """Say of the spans from that number on whether they were wrong, so many times, and look them up."""
        records = [
            LogRecord(
                event_name="ml.feedback",
                time_unix_nano=NOW_NS + 10**9,
                trace_id=TRACE_ID,
                span_id=(first + i).to_bytes(8, "big"),
                attributes=attributes({"ml.feedback.label": "no" if wrong else "yes"}),
            )
            for i, wrong in enumerate(is_wrong.tolist())
        ] * times
        logs = ResourceLogs(
            resource=Resource(attributes=attributes(RESOURCE)),
            scope_logs=[ScopeLogs(log_records=records)],
        )
        request = ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
        self.joining.inbox.hear(Signal.LOGS, request)
        self.pipeline.tick(NOW_NS + 2 * 10**9)

    def wrong(self) -> list[Pattern]:
        """Return where labels say that the model is wrong."""
        return [p for p in self.pipeline.patterns.of(STREAM) if p.failure == "wrong"]


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return amounts, cities, and chance for more."""
    random = np.random.default_rng(seed)
    cities = random.choice(["Oslo", "Bergen"], ROWS, p=[0.8, 0.2])
    return random.uniform(0, 10, ROWS), cities, random


def test_the_bin_where_labels_contradict_leads_with_its_rate() -> None:
    """Above the last edge half of the predictions are wrong, elsewhere a twentieth: that bin, with the rates that were drawn."""
    amounts, cities, random = drawn(2)
    edge = profile().features[0].edges[-1]
    inside = amounts > edge
    is_wrong = random.random(ROWS) < np.where(inside, 0.5, 0.05)
    stream = Stream(amounts, cities)
    stream.label(is_wrong)
    first = stream.wrong()[0]
    assert (first.feature, first.where, first.rows) == ("amount", f"> {edge:.4g}", inside.sum())
    assert first.rate == pytest.approx(is_wrong[inside].mean())
    assert first.overall == pytest.approx(is_wrong.mean())
    assert first.overall < first.least < first.rate


def test_a_category_where_labels_contradict_is_named() -> None:
    """Of the smaller city every third prediction is wrong, of the other one in fifty."""
    amounts, cities, random = drawn(3)
    inside = cities == "Bergen"
    is_wrong = random.random(ROWS) < np.where(inside, 1 / 3, 0.02)
    stream = Stream(amounts, cities)
    stream.label(is_wrong)
    first = stream.wrong()[0]
    assert (first.feature, first.where) == ("city", "= Bergen")
    assert first.rate == pytest.approx(is_wrong[inside].mean())


def test_labels_of_some_are_rates_of_those() -> None:
    """Only a quarter of the predictions gets a label: shares are of these, not of all that were made."""
    amounts, cities, random = drawn(4)
    inside = cities == "Bergen"
    is_wrong = random.random(ROWS) < np.where(inside, 0.5, 0.02)
    stream = Stream(amounts, cities)
    stream.label(is_wrong[:1000])
    first = stream.wrong()[0]
    assert (first.where, first.rows) == ("= Bergen", inside[:1000].sum())
    assert first.rate == pytest.approx(is_wrong[:1000][inside[:1000]].mean())


def test_a_label_that_comes_twice_counts_once() -> None:
    """Repetitions, and labels of spans that nobody has seen, change no rate."""
    amounts, cities, random = drawn(5)
    is_wrong = random.random(ROWS) < np.where(cities == "Bergen", 0.5, 0.02)
    once, more = Stream(amounts, cities), Stream(amounts, cities)
    once.label(is_wrong)
    more.label(is_wrong, times=3)
    more.label(np.ones(500, dtype=bool), first=ROWS + 1)
    assert more.wrong() == once.wrong()
    assert more.wrong()


def test_errors_that_are_anywhere_alike_name_no_bin() -> None:
    """A tenth is wrong, whatever the input: of twelve streams at most two name a bin (a promise of one in twenty)."""
    named = 0
    for seed in range(10, 22):
        amounts, cities, random = drawn(seed)
        stream = Stream(amounts[:600], cities[:600])
        stream.label(random.random(600) < 0.1)
        named += bool(stream.wrong())
    assert named <= math.ceil(12 * 0.05 + 2 * math.sqrt(12 * 0.05 * 0.95))


def test_the_stream_of_a_prediction_is_found_by_its_span() -> None:
    """What leads to a prediction leads to its model, as an explanation without one needs it."""
    stream = Stream(*drawn(6)[:2])
    stream.label(np.zeros(1, dtype=bool))
    found = stream.joining.streams_of(set(_keys(1)) | {12345})
    assert set(found.values()) == {STREAM}


def _keys(span: int) -> list[int]:
    """Return the keys by which feedback about a span looks for it."""
    record = LogRecord(
        event_name="ml.explanation",
        trace_id=TRACE_ID,
        span_id=span.to_bytes(8, "big"),
        attributes=attributes({"ml.explanation.attributions": {"amount": 1.0}}),
    )
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])
    request = ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
    return [key for each in explanations_in(Signal.LOGS, request) for key in each.keys]
