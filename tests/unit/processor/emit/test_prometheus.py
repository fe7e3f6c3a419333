"""The scrape page, read back with the official parsers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from otel_ml_conventions.metrics import DEFINITIONS, MetricDefinition
from otel_ml_processor.emit.definitions import Metric
from otel_ml_processor.emit.points import Point
from otel_ml_processor.emit.prometheus import exposition, prometheus_name
from tests.unit.processor.emit import sample_readings as samples

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def families(accept: str, *metrics: Metric) -> dict[str, Family]:
    """Return what the page of *metrics* says to a client that accepts *accept*."""
    body, content_type = exposition(lambda: metrics, accept)
    parse = parse_openmetrics if "openmetrics" in content_type else parse_text
    return {family.name: family for family in parse(body.decode("utf-8"))}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ml.drift.score", "ml_drift_score"),
        ("ml.drift.p_value", "ml_drift_p_value"),
        ("ml.drift.status", "ml_drift_status"),
        ("ml.drift.detections", "ml_drift_detections_total"),
        ("ml.feature.missing", "ml_feature_missing_ratio"),
        ("ml.drift.false_alarm.promised", "ml_drift_false_alarm_promised_ratio"),
        ("ml.reference.age", "ml_reference_age_seconds"),
        ("ml.processor.window.lag", "ml_processor_window_lag_seconds"),
        ("ml.prediction.samples", "ml_prediction_samples_total"),
    ],
)
def test_names_follow_the_conventions(name: str, expected: str) -> None:
    """Each kind of metric has the name that the table of the conventions gives it."""
    assert prometheus_name(DEFINITIONS[name]) == expected


def test_every_unit_is_one_that_prometheus_is_known_to_write() -> None:
    """A unit that nobody has tried would silently get another name by push than by scrape."""
    units = {definition.unit for definition in DEFINITIONS.values()}

    assert {unit for unit in units if not unit.startswith("{")} <= {"1", "s"}


def test_a_unit_in_bytes_is_spelled_out() -> None:
    """Bytes are the other unit that Prometheus renames."""
    size = MetricDefinition("ml.some.size", "gauge", "By", "Size.", "int", ())

    assert prometheus_name(size) == "ml_some_size_bytes"


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_an_empty_book_is_an_empty_page(accept: str) -> None:
    """No metric is a valid page in either format."""
    assert families(accept) == {}


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_types_are_those_of_the_instruments(accept: str) -> None:
    """Gauges and states are gauges, counts are counters, in both formats."""
    found = families(
        accept,
        *(
            Metric(DEFINITIONS[name], (Point((), 1),))
            for name in ("ml.drift.score", "ml.drift.status", "ml.drift.detections")
        ),
    )

    assert {name: family.type for name, family in found.items()} == {
        "ml_drift_score": "gauge",
        "ml_drift_status": "gauge",
        "ml_drift_detections": "counter",
    }
    (sample,) = found["ml_drift_detections"].samples
    assert sample.name == "ml_drift_detections_total"


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_labels_and_values_come_back(accept: str) -> None:
    """Hostile texts, booleans and numbers in labels read as Prometheus writes them after an OTLP push."""
    attributes = (
        ("ml.feature.name", samples.HOSTILE_FEATURE),
        ("ml.model.name", "back\\slash"),
        ("otel.metric.overflow", True),
        ("ml.quantile", 0.05),
        ("whole", 1.0),
        ("count", 3),
    )

    found = families(accept, Metric(DEFINITIONS["ml.drift.score"], (Point(attributes, 1e-12),)))

    (sample,) = found["ml_drift_score"].samples
    assert sample.value == 1e-12
    assert sample.labels == {
        "ml_feature_name": samples.HOSTILE_FEATURE,
        "ml_model_name": "back\\slash",
        "otel_metric_overflow": "true",
        "ml_quantile": "0.05",
        "whole": "1",
        "count": "3",
    }


@pytest.mark.parametrize("value", [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 123_456_789.25, -0.0])
def test_values_keep_every_digit(value: float) -> None:
    """What is scraped equals what was computed, bit for bit."""
    found = families("", Metric(DEFINITIONS["ml.drift.score"], (Point((), value),)))

    (sample,) = found["ml_drift_score"].samples
    assert sample.value == value
    assert math.copysign(1, sample.value) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.6,*/*;q=0.2",
            "application/openmetrics-text",
        ),
        ("application/openmetrics-text; version=nonsense", "text/plain; version=0.0.4"),
        (";;;=,,\N{SNOWMAN}", "text/plain; version=0.0.4"),
    ],
)
def test_the_client_chooses_the_format(accept: str, content_type: str) -> None:
    """OpenMetrics where it is asked for; a header that is nonsense still gets a page."""
    _, found = exposition(tuple, accept)

    assert found.startswith(content_type)


@pytest.mark.parametrize("escaping", ["dots", "values", "underscores", "allow-utf-8"])
@pytest.mark.parametrize("accept", ["text/plain; version=1.0.0", OPENMETRICS])
def test_names_are_the_same_however_they_are_to_be_escaped(accept: str, escaping: str) -> None:
    """A Prometheus with `metric_name_escaping_scheme: dots` finds the series that rules and dashboards ask for."""
    metric = Metric(DEFINITIONS["ml.drift.score"], (Point((("ml.model.name", "fraud"),), 0.5),))

    found = families(f"{accept}; escaping={escaping}", metric)

    (sample,) = found["ml_drift_score"].samples
    assert sample.labels == {"ml_model_name": "fraud"}
