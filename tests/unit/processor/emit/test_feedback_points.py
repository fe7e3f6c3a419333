"""How labels and what they say leave the processor: as OTLP, on the scrape page, on the page for people."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.otlp import Identity, metrics_requests
from otel_ml_processor.emit.page import ProcessorFacts, page_html
from otel_ml_processor.emit.prometheus import exposition
from otel_ml_processor.emit.readings import readings_json
from otel_ml_processor.self_metrics import SelfMetrics
from tests.unit.processor.emit import sample_feedback as feedback
from tests.unit.processor.emit import sample_readings as samples

FACTS = ProcessorFacts("tee", "127.0.0.1:14317", "0")


@pytest.fixture(name="book")
def _book() -> MetricBook:
    """A book of a stream whose window has an estimate, and labels."""
    book = MetricBook(windows=["1h"], scores=["psi"], self_metrics=SelfMetrics())
    book.update(replace(samples.drifting_reading(), estimated={"accuracy": 0.78125}), None)
    book.set_performance(feedback.PERFORMANCE)
    book.set_feedback(feedback.TOTALS)
    return book


def test_delays_are_a_histogram_with_the_buckets_of_the_conventions(book: MetricBook) -> None:
    """One count per bucket, the last one open; count and sum are those of all."""
    (request,) = metrics_requests(book.collect(), Identity(), 9)
    metrics = ExportMetricsServiceRequest.FromString(request).resource_metrics[0].scope_metrics[0]
    (delay,) = [metric for metric in metrics.metrics if metric.name == "ml.feedback.delay"]
    (point,) = delay.histogram.data_points
    assert list(point.explicit_bounds) == [1, 60, 600, 3600, 21600, 86400, 604800, 2592000]
    assert list(point.bucket_counts) == [1, 0, 4, 0, 0, 0, 0, 0, 2]
    assert (point.count, point.sum) == (7, 5_000_000.5)
    assert point.start_time_unix_nano > 0


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_delays_are_a_histogram_on_the_scrape_page(book: MetricBook, accept: str) -> None:
    """Cumulative, up to infinity, in both formats, as their own parsers read it."""
    body, _ = exposition(book.collect, accept)
    parse = parse_openmetrics if accept else text_string_to_metric_families
    families = {family.name: family for family in parse(body.decode())}
    family = families["ml_feedback_delay_seconds"]
    assert family.type == "histogram"
    buckets = {float(s.labels["le"]): s.value for s in family.samples if "le" in s.labels}
    assert list(buckets.values()) == [1, 1, 5, 5, 5, 5, 5, 5, 7]
    assert list(buckets)[-1] == float("inf")
    others = {s.name: s.value for s in family.samples if "le" not in s.labels}
    assert others["ml_feedback_delay_seconds_count"] == 7
    assert others["ml_feedback_delay_seconds_sum"] == 5_000_000.5


def test_an_estimate_is_never_told_as_if_it_were_measured(book: MetricBook) -> None:
    """Each score says what it rests on; the realised one whose labels."""
    (scores,) = [m for m in book.collect() if m.definition.name == "ml.evaluation.score"]
    told = {
        (attributes["ml.evaluation.basis"], attributes.get("ml.evaluation.cohort.end")): p.value
        for p in scores.points
        if (attributes := dict(p.attributes))["ml.evaluation.name"] == "accuracy"
    }
    assert told == {("estimated", None): 0.78125, ("realized", "2013-03-20T14:00:00Z"): 0.75}


def test_the_page_shows_estimate_and_truth_side_by_side_with_their_gap(book: MetricBook) -> None:
    """The gap is of the same window: .8125 was expected of the one of which .75 came true."""
    page = page_html(book.views(), FACTS, is_ready=True)
    (row,) = [line for line in page.splitlines() if ">accuracy</th>" in line]
    values = [cell.split("</td>")[0] for cell in row.split('<td class="n">')[1:]]
    unknown = "\N{EN DASH}"  # there is no reference
    assert values == [unknown, "0.781", unknown, "0.750", "0.062"]
    assert "87.5\N{NO-BREAK SPACE}% of the 1\N{NARROW NO-BREAK SPACE}000 predictions" in page
    assert "without labels" in page


def test_readings_say_the_same_as_the_page(book: MetricBook) -> None:
    """For programs: the estimate of the last window, and all that the labels of the newest say."""
    (stream,) = json.loads(readings_json(book.views()))["streams"]
    assert stream["readings"][0]["estimated"] == {"accuracy": 0.78125}
    assert stream["performance"] == [
        {
            "window": "1h",
            "start": "2013-03-20T13:00:00Z",
            "end": "2013-03-20T14:00:00Z",
            "predictions": 1_000,
            "coverage": 0.875,
            "realized": {"accuracy": 0.75},
            "calibration": {"ece": 0.125},
            "estimated": {"accuracy": 0.8125, "roc_auc": 0.9},
            "gaps": {"accuracy": 0.0625},
            "proxies": {},
            "drift": None,
            "temperature": None,
            "calibration_drift": None,
            "segments": [],
            "alarms": [],
        }
    ]


def test_feedback_of_streams_beyond_the_cap_is_one_point(book: MetricBook) -> None:
    """Names that anybody may send make no series of their own."""
    book.set_feedback(feedback.TOTALS._replace(stream=None))
    (joined,) = [m for m in book.collect() if m.definition.name == "ml.feedback.joined"]
    folded = [p for p in joined.points if ("otel.metric.overflow", True) in p.attributes]
    assert sorted(p.value for p in folded) == [2, 7]


def test_of_a_stream_that_made_room_its_feedback_goes_too(book: MetricBook) -> None:
    """Versions come and go for months: the series of old ones do not pile up, and one that comes again is counted since then."""
    (before,) = [p for p in book.collect() if p.definition.name == "ml.feedback.delay"]
    book.forget(samples.STREAM)
    assert not [m for m in book.collect() if m.definition.name.startswith("ml.feedback.")]

    book.set_feedback(feedback.TOTALS)
    book.set_feedback(feedback.TOTALS)

    (after,) = [p for p in book.collect() if p.definition.name == "ml.feedback.delay"]
    assert after.points[0].start_ns > before.points[0].start_ns
