"""The book as OTLP, read back with the official messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

from otel_ml_conventions.schema import SCHEMA_URL
from otel_ml_processor.emit.definitions import DEFINITIONS, Metric
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.otlp import MAX_REQUEST_POINTS, Identity, metrics_requests
from otel_ml_processor.emit.points import Point
from otel_ml_processor.self_metrics import SelfMetrics
from tests.unit.processor.emit import sample_readings as samples

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.metrics.v1 import metrics_pb2

IDENTITY = Identity(instance_id="one", version="1.2.3")
SENT_NS = samples.NOW_NS + 5


def parsed(metrics: tuple[Metric, ...]) -> list[metrics_pb2.Metric]:
    """Return *metrics* after a round trip, their requests joined."""
    return [
        metric
        for request in metrics_requests(metrics, IDENTITY, SENT_NS)
        for resource in ExportMetricsServiceRequest.FromString(request).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


def single(name: str, *points: Point) -> metrics_pb2.Metric:
    """Return the metric *name* with *points* after a round trip."""
    (metric,) = parsed((Metric(DEFINITIONS[name], points),))
    return metric


def plain(attributes: list[KeyValue]) -> dict[str, object]:
    """Return scalar attributes as Python values."""
    return {
        attribute.key: getattr(attribute.value, attribute.value.WhichOneof("value") or "")
        for attribute in attributes
    }


def test_an_empty_book_is_no_request() -> None:
    """Nothing to say sends nothing."""
    assert metrics_requests((), IDENTITY, SENT_NS) == []


def test_the_resource_is_this_processor() -> None:
    """Every request names the processor, its instance and its version, and the schema of the scope."""
    (request,) = metrics_requests(
        (Metric(DEFINITIONS["ml.drift.score"], (Point((), 1.0),)),), IDENTITY, SENT_NS
    )

    (of_resource,) = ExportMetricsServiceRequest.FromString(request).resource_metrics
    (of_scope,) = of_resource.scope_metrics
    assert plain(list(of_resource.resource.attributes)) == {
        "service.name": "otel-ml-processor",
        "service.instance.id": "one",
        "service.version": "1.2.3",
    }
    assert (of_scope.scope.name, of_scope.scope.version) == ("otel_ml_processor", "1.2.3")
    assert of_scope.schema_url == SCHEMA_URL


def test_two_processors_are_two_instances() -> None:
    """Two processors never write the same series: each has a random id, and the version of the installed distribution."""
    one, other = Identity(), Identity()

    assert one.instance_id != other.instance_id
    assert one.version == other.version != ""


def test_a_gauge_is_a_gauge() -> None:
    """A score is a double without a start."""
    metric = single("ml.drift.score", Point((("ml.feature.name", "temp"),), 0.412))

    (point,) = metric.gauge.data_points
    assert (metric.name, metric.unit) == ("ml.drift.score", "{score}")
    assert metric.description == DEFINITIONS["ml.drift.score"].description
    assert point.as_double == 0.412
    assert (point.start_time_unix_nano, point.time_unix_nano) == (0, SENT_NS)
    assert plain(list(point.attributes)) == {"ml.feature.name": "temp"}


def test_a_whole_number_gauge_is_an_integer() -> None:
    """What the registry calls an int is sent as one, also where it was computed as a float."""
    metric = single("ml.drift.window.samples", Point((), 900.0))

    assert metric.gauge.data_points[0].WhichOneof("value") == "as_int"
    assert metric.gauge.data_points[0].as_int == 900


def test_a_counter_is_a_cumulative_sum_with_its_start() -> None:
    """A receiver can tell a restart from a fall."""
    metric = single("ml.drift.detections", Point((), 3, start_ns=samples.START_NS))

    (point,) = metric.sum.data_points
    assert metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    assert point.as_int == 3
    assert (point.start_time_unix_nano, point.time_unix_nano) == (samples.START_NS, SENT_NS)


def test_a_state_is_a_sum_that_may_fall() -> None:
    """A 0/1 state is not monotonic, so nobody takes its end for a restart."""
    metric = single("ml.drift.status", Point((), 1))

    assert metric.WhichOneof("data") == "sum"
    assert not metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE


@pytest.mark.parametrize(
    ("value", "kind"),
    [("a", "string_value"), (True, "bool_value"), (7, "int_value"), (0.05, "double_value")],
)
def test_attributes_keep_their_type(value: str | float, kind: str) -> None:
    """A boolean is no integer, and an integer no double."""
    metric = single("ml.drift.score", Point((("key", value),), 1.0))

    (attribute,) = metric.gauge.data_points[0].attributes
    assert attribute.value.WhichOneof("value") == kind
    assert getattr(attribute.value, kind) == value


def test_equal_numbers_of_different_types_stay_apart() -> None:
    """1, 1.0 and true are equal to Python, but not the same attribute."""
    numbers = (1, 1.0, True)

    metric = single("ml.drift.score", *(Point((("key", number),), 0.5) for number in numbers))

    kinds = [point.attributes[0].value.WhichOneof("value") for point in metric.gauge.data_points]
    assert kinds == ["int_value", "double_value", "bool_value"]


@pytest.mark.parametrize("n_points", [1, MAX_REQUEST_POINTS, 2 * MAX_REQUEST_POINTS + 7])
def test_a_large_book_is_cut_into_requests_that_receivers_take(n_points: int) -> None:
    """No request has more points than fit into a usual message limit of 4 MiB, and no point is lost or sent twice."""
    numbers = [Point((("i", i),), float(i)) for i in range(n_points)]
    small = Metric(DEFINITIONS["ml.drift.p_value"], tuple(numbers[:3]))
    large = Metric(DEFINITIONS["ml.drift.score"], tuple(numbers))

    requests = metrics_requests((small, large), IDENTITY, SENT_NS)

    metrics = parsed((small, large))
    scores = [
        int(point.as_double)
        for metric in metrics
        if metric.name == "ml.drift.score"
        for point in metric.gauge.data_points
    ]
    assert len(requests) == -(-(n_points + len(small.points)) // MAX_REQUEST_POINTS)
    assert scores == list(range(n_points))
    assert all(len(metric.gauge.data_points) <= MAX_REQUEST_POINTS for metric in metrics)


def test_the_largest_stream_fits_into_one_message() -> None:
    """A stream at its budget, with long names, stays below the 4 MiB that a receiver takes."""
    book = MetricBook(windows=["1h"], scores=["psi"], self_metrics=SelfMetrics())
    features = [samples.feature(f"{i:0100}") for i in range(1000)]
    book.update(samples.reading(*features), None)

    requests = metrics_requests(book.collect(), IDENTITY, SENT_NS)

    assert max(map(len, requests)) < 4 << 20


def test_hostile_names_survive_the_round_trip() -> None:
    """Quotes, line breaks and markup are characters like others."""
    book = MetricBook(windows=["1h"], scores=["psi"], self_metrics=SelfMetrics())
    hostile = samples.feature(samples.HOSTILE_FEATURE)
    book.update(samples.reading(hostile, stream=samples.HOSTILE), None)

    (score,) = [metric for metric in parsed(book.collect()) if metric.name == "ml.drift.score"]

    said = plain(list(score.gauge.data_points[0].attributes))
    assert said["ml.feature.name"] == samples.HOSTILE_FEATURE
    assert said["service.name"] == samples.HOSTILE.service
    assert said["ml.model.version"] == samples.HOSTILE.version
