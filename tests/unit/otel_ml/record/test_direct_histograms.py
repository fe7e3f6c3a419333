"""Histograms that go the SDK's way by the short cut: whatever is exported is what the public way exports."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, NoOpMeterProvider
from opentelemetry.sdk.metrics import (
    AlwaysOnExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics import Histogram as SdkHistogram
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)

from otel_ml.record import histograms, known_sdk
from otel_ml.record.histograms import DirectHistogram
from otel_ml.record.known_sdk import is_sdk_known

NUMBERS = [0.0, 0.25, 0.25, 0.999, 1.0, 17.5, 1e9, 3]
NONE = trace.set_span_in_context(trace.INVALID_SPAN, Context())
SAMPLED = trace.set_span_in_context(
    trace.NonRecordingSpan(
        trace.SpanContext(7, 9, is_remote=False, trace_flags=trace.TraceFlags(1))
    ),
    Context(),
)
ATTRIBUTES: Sequence[dict[str, str]] = (
    {"model": "a", "operation": "predict"},
    {"model": "b", "operation": "predict"},
)
# What a public instrument keeps of its own is not compared: when it was asked.
TIMES = {"time_unix_nano", "start_time_unix_nano"}


def delta_reader() -> InMemoryMetricReader:
    """Return a reader to which every collection tells what is new."""
    return InMemoryMetricReader({SdkHistogram: AggregationTemporality.DELTA})


def provider_of(**options: Any) -> Callable[[], tuple[MeterProvider, list[InMemoryMetricReader]]]:
    """Return what makes a provider with *options* and two readers of different kinds."""

    def make() -> tuple[MeterProvider, list[InMemoryMetricReader]]:
        readers = [InMemoryMetricReader(), delta_reader()]
        return MeterProvider(readers, **options), readers

    return make


PROVIDERS = {
    "as it comes": provider_of(),
    "exemplars of every number": provider_of(exemplar_filter=AlwaysOnExemplarFilter()),
    "exemplars of traces": provider_of(exemplar_filter=TraceBasedExemplarFilter()),
    "fewer attributes": provider_of(
        views=[View(instrument_name="h", attribute_keys={"operation"})]
    ),
    "other buckets": provider_of(
        views=[
            View(instrument_name="h", aggregation=ExplicitBucketHistogramAggregation([0.5, 1.0]))
        ]
    ),
    "exponential buckets": provider_of(
        views=[View(instrument_name="h", aggregation=ExponentialBucketHistogramAggregation())]
    ),
    "two views": provider_of(
        views=[View(instrument_name="h", name="one"), View(instrument_name="h", name="two")]
    ),
    "dropped": provider_of(views=[View(instrument_name="h", aggregation=DropAggregation())]),
}


def without_times(value: Any) -> Any:
    """Return *value* as it would be at any other time."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def exported(readers: Sequence[InMemoryMetricReader]) -> list[Any]:
    """Return what each of *readers* exports, but its times."""
    told = (reader.get_metrics_data() for reader in readers)
    return [None if data is None else without_times(json.loads(data.to_json())) for data in told]


def both(
    make: Callable[[], tuple[MeterProvider, list[InMemoryMetricReader]]],
    lots: Sequence[Sequence[tuple[float, Context]]],
) -> Iterator[tuple[list[Any], list[Any]]]:
    """Yield, after each of *lots*, what is exported of it by the public way and by ours."""
    public_provider, public_readers = make()
    provider, readers = make()
    public = public_provider.get_meter("m").create_histogram("h", "s", "d")
    direct = DirectHistogram(provider.get_meter("m").create_histogram("h", "s", "d"))
    for lot in lots:
        for attributes in ATTRIBUTES:
            for number, context in lot:
                public.record(number, attributes, context)
            direct.record(lot, attributes)
        yield exported(public_readers), exported(readers)


@pytest.mark.parametrize("make", PROVIDERS.values(), ids=list(PROVIDERS))
def test_what_is_exported_is_what_the_public_way_exports(
    make: Callable[[], tuple[MeterProvider, list[InMemoryMetricReader]]],
) -> None:
    """Counts, sums, extremes, buckets, attributes and exemplars, collection after collection."""
    plain = [(number, NONE) for number in NUMBERS]
    traced = [(number, SAMPLED if number < 1 else NONE) for number in NUMBERS]
    for public, ours in both(make, [plain, traced, plain[:1], []]):
        assert ours == public


@pytest.mark.parametrize("refused", [-1.0, math.nan, math.inf])
def test_a_number_that_is_none_is_left_to_the_sdk(refused: float) -> None:
    """Before, among and after others it is refused, or taken, as the SDK does it, which logs it."""
    lots = [[(refused, NONE)], [(0.5, NONE), (refused, NONE), (0.7, NONE)], [(refused, NONE)]]
    for public, ours in both(PROVIDERS["as it comes"], lots):
        assert json.dumps(ours) == json.dumps(public)  # as text, for NaN is not itself


def test_only_the_first_number_of_each_attributes_goes_the_long_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or all this would be for nothing."""
    publicly: list[float] = []
    record = SdkHistogram.record

    def counted(self: Any, amount: float, *args: Any, **kwargs: Any) -> None:
        publicly.append(amount)
        record(self, amount, *args, **kwargs)

    monkeypatch.setattr(SdkHistogram, "record", counted)
    provider, _ = PROVIDERS["as it comes"]()
    direct = DirectHistogram(provider.get_meter("m").create_histogram("h"))
    for _ in range(3):
        for attributes in ATTRIBUTES:
            direct.record([(0.5, NONE), (0.6, NONE)], attributes)
    assert publicly == [0.5, 0.5]


def test_attributes_that_are_equal_but_another_object_are_one_stream() -> None:
    """Who builds them anew for every number gets the same export, only later."""
    provider, (reader, _) = PROVIDERS["as it comes"]()
    direct = DirectHistogram(provider.get_meter("m").create_histogram("h"))
    for _ in range(5):
        direct.record([(1.0, NONE)], {"model": "a"})
    (told,) = exported([reader])
    (point,) = told["resource_metrics"][0]["scope_metrics"][0]["metrics"][0]["data"]["data_points"]
    assert point["count"] == 5


@pytest.mark.parametrize("known", [((0, 1), (1, 29)), ((99, 0), (99, 9))])
def test_an_sdk_that_is_not_known_is_asked_publicly(
    known: tuple[tuple[int, int], tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that nobody has compared gets every number by its public method, and all of them."""
    monkeypatch.setattr(known_sdk, "_KNOWN", known)
    assert not is_sdk_known()
    for public, ours in both(PROVIDERS["as it comes"], [[(number, NONE) for number in NUMBERS]]):
        assert ours == public


def test_an_sdk_that_is_built_otherwise_is_asked_publicly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the place of its aggregations is another one, nothing is lost and nothing raised."""

    def absent(*_args: Any) -> Any:
        raise AttributeError("_attributes_aggregation")

    monkeypatch.setattr(histograms, "_aggregation", absent)
    for public, ours in both(PROVIDERS["as it comes"], [[(number, NONE) for number in NUMBERS]]):
        assert ours == public


def test_an_instrument_of_somebody_else_is_asked_publicly() -> None:
    """An SDK of another vendor, or none at all, gets what it would get."""

    class Kept(Histogram):
        def __init__(self) -> None:
            self.numbers: list[float] = []

        def record(
            self, amount: float, attributes: Any = None, context: Context | None = None
        ) -> None:
            assert attributes == ATTRIBUTES[0]
            assert context is NONE
            self.numbers.append(amount)

    instrument = Kept()
    DirectHistogram(instrument).record([(0.5, NONE), (0.6, NONE)], ATTRIBUTES[0])
    assert instrument.numbers == [0.5, 0.6]
    nothing = NoOpMeterProvider().get_meter("m").create_histogram("h")
    DirectHistogram(nothing).record([(0.5, NONE)], ATTRIBUTES[0])
