"""What is said on an inference's own trace: on the span that passes, or on a child beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_conventions.attributes import MlVerdictConfidenceValues, MlVerdictDriftValues
from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_UNANNOTATED,
    METRIC_ML_PROCESSOR_VERDICTS_DROPPED,
)
from otel_ml_conventions.schema import SCHEMA_URL
from otel_ml_processor.assess.verdict import Verdict, Verdicts
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.decode.wire import length_delimited, scan
from otel_ml_processor.emit.annotations import (
    RateLimit,
    UnannotatedCause,
    annotate,
    verdict_spans,
)
from otel_ml_processor.self_metrics import SelfMetrics
from tests.data.export_requests import (
    RESOURCE,
    TRACE_ID,
    any_value,
    attributes,
    export_request,
    inference_span,
)

if TYPE_CHECKING:
    from otel_ml_processor.decode.inference_spans import InferenceSpans

LOW = MlVerdictConfidenceValues.LOW.value
DRIFTING = MlVerdictDriftValues.DRIFTING.value
FULL = Verdict(LOW, DRIFTING, ("low_confidence", "missing:age"), "sha256:ab")
FULL_ATTRIBUTES = {
    "ml.verdict.confidence": "low",
    "ml.verdict.drift": "drifting",
    "ml.verdict.flags": ["low_confidence", "missing:age"],
    "ml.verdict.reference": "sha256:ab",
}
FLAGGED = Verdict(flags=("ood",))
SECOND_NS = 1_000_000_000
UNLIMITED = 1 << 30


def spans_of(request: bytes) -> InferenceSpans:
    """Return the inference spans of *request*."""
    return PlainDecoder(lambda _: None).decode(request).spans


def told(spans: InferenceSpans, by_span: dict[int, Verdict]) -> Verdicts:
    """Return what is told *by_span* as the pipeline holds it: each different verdict once."""
    verdicts = Verdicts(len(spans))
    for span, verdict in by_span.items():
        verdicts.codes[span] = verdicts.number((verdict,))
    return verdicts


def self_metrics() -> SelfMetrics:
    """Return counters that know the causes."""
    return SelfMetrics({METRIC_ML_PROCESSOR_UNANNOTATED: UnannotatedCause})


def counts(metrics: SelfMetrics) -> dict[str, int]:
    """Return what was counted, by cause or else by name, without zeros."""
    return {
        labels.get("ml.processor.cause", name): count
        for name, labels, count in metrics.snapshot()
        if count
    }


def parsed_spans(request: bytes) -> list[Span]:
    """Return all spans of *request*, as a parser reads them."""
    parsed = ExportTraceServiceRequest.FromString(request)
    return [s for r in parsed.resource_spans for c in r.scope_spans for s in c.spans]


def keys_and_values(span: Span) -> dict[str, object]:
    """Return the attributes of *span*."""
    return {attribute.key: attribute.value for attribute in span.attributes}


def test_a_verdict_stands_behind_what_the_span_already_says() -> None:
    """Four attributes more on the span that is meant, none on the other."""
    request = export_request([inference_span(span_id=1), inference_span(span_id=2)])

    annotated = annotate(
        spans_of(request), told(spans_of(request), {1: FULL}), UNLIMITED, self_metrics()
    )

    expected = [inference_span(span_id=1), inference_span(FULL_ATTRIBUTES, span_id=2)]
    assert parsed_spans(annotated) == expected


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict(), {}),
        (Verdict(confidence="high"), {"ml.verdict.confidence": "high"}),
        (Verdict(drift="steady"), {"ml.verdict.drift": "steady"}),
        (Verdict(flags=("unseen:a",)), {"ml.verdict.flags": ["unseen:a"]}),
        (Verdict(flags=("ood",)), {"ml.verdict.ood": True, "ml.verdict.flags": ["ood"]}),
        (Verdict(reference="sha256:ab"), {"ml.verdict.reference": "sha256:ab"}),
    ],
)
def test_only_what_is_known_is_written(verdict: Verdict, expected: dict[str, object]) -> None:
    """Spans stay small: nothing is said of what nobody knows."""
    request = export_request([inference_span()])

    annotated = annotate(
        spans_of(request), told(spans_of(request), {0: verdict}), UNLIMITED, self_metrics()
    )

    assert parsed_spans(annotated) == [inference_span(expected)]


def test_without_verdicts_the_bytes_are_those_received() -> None:
    """Not even written anew."""
    request = export_request([inference_span()])

    assert (
        annotate(spans_of(request), told(spans_of(request), {}), UNLIMITED, self_metrics())
        == request
    )


def test_a_span_that_carries_a_verdict_is_left_alone_and_counted() -> None:
    """Keys are unique, and a span that has been here before may be in a loop."""
    request = export_request(
        [inference_span({"ml.verdict.drift": "steady"}, span_id=1), inference_span(span_id=2)]
    )
    metrics = self_metrics()

    annotated = annotate(
        spans_of(request), told(spans_of(request), {0: FULL, 1: FULL}), UNLIMITED, metrics
    )

    assert parsed_spans(annotated) == [
        inference_span({"ml.verdict.drift": "steady"}, span_id=1),
        inference_span(FULL_ATTRIBUTES, span_id=2),
    ]
    assert counts(metrics) == {"possible_loop": 1}


def test_what_the_next_hop_would_refuse_goes_as_received() -> None:
    """The largest allowed size is allowed; with a byte less the request goes unannotated, and its spans are counted."""
    request = export_request([inference_span(span_id=1), inference_span(span_id=2)])
    spans = spans_of(request)
    metrics = self_metrics()
    annotated = annotate(spans, told(spans, {0: FULL, 1: FULL}), UNLIMITED, metrics)

    at_limit = annotate(spans, told(spans, {0: FULL, 1: FULL}), len(annotated), metrics)
    beyond = annotate(spans, told(spans, {0: FULL, 1: FULL}), len(annotated) - 1, metrics)

    assert at_limit == annotated != request
    assert beyond == request
    assert counts(metrics) == {"oversized": 2}


def test_a_verdict_span_is_a_child_at_the_end_of_its_inference() -> None:
    """Same trace, same resource, no duration; named after the model, with its identity and the verdict."""
    request = export_request([inference_span(span_id=7, end_ns=42)])

    children = ExportTraceServiceRequest.FromString(verdict_spans(spans_of(request), {0: FULL}))

    assert len(children.resource_spans) == 1
    assert children.resource_spans[0].resource == Resource(attributes=attributes(RESOURCE))
    scoped = children.resource_spans[0].scope_spans[0]
    assert (scoped.scope.name, scoped.schema_url) == ("otel_ml_processor", SCHEMA_URL)
    child = scoped.spans[0]
    assert (child.trace_id, child.parent_span_id) == (TRACE_ID, (7).to_bytes(8, "big"))
    assert (child.start_time_unix_nano, child.end_time_unix_nano) == (42, 43)
    assert (child.name, child.kind) == ("verdict fraud", Span.SPAN_KIND_INTERNAL)
    identity = {"ml.model.name": "fraud", "ml.model.version": "3"}
    assert keys_and_values(child) == {
        key: any_value(value) for key, value in {**identity, **FULL_ATTRIBUTES}.items()
    }


def test_a_model_without_a_version_has_a_verdict_without_one() -> None:
    """An empty attribute says nothing."""
    request = export_request([inference_span({"ml.model.version": ""})])

    child = parsed_spans(verdict_spans(spans_of(request), {0: FLAGGED}))[0]

    assert set(keys_and_values(child)) == {"ml.model.name", "ml.verdict.ood", "ml.verdict.flags"}


def test_the_same_inference_has_the_same_verdict_span() -> None:
    """A request that is sent again gives the same ids again; other inferences have others."""
    request = export_request([inference_span(span_id=n) for n in (1, 2, 3)])
    verdicts = dict.fromkeys(range(3), FLAGGED)

    first = parsed_spans(verdict_spans(spans_of(request), verdicts))
    second = parsed_spans(verdict_spans(spans_of(request), verdicts))

    ids = [span.span_id for span in first]
    assert ids == [span.span_id for span in second]
    assert len({*ids, *(span.parent_span_id for span in first)}) == 6
    assert {len(span_id) for span_id in ids} == {8}


def test_each_resource_is_copied_as_it_was_received() -> None:
    """Unknown fields too, and once per resource whatever the number of its children."""
    resource = Resource(attributes=attributes(RESOURCE)).SerializeToString() + b"\xf8\x07\x01"
    here = [inference_span(span_id=1), inference_span(span_id=2)]
    scoped = b"".join(length_delimited(2, span.SerializeToString()) for span in here)
    first = length_delimited(1, length_delimited(1, resource) + length_delimited(2, scoped))
    second = export_request([inference_span(span_id=3)], {"service.name": "bank"})

    children = verdict_spans(spans_of(first + second), dict.fromkeys(range(3), FLAGGED))

    assert [(group.resource, len(group.spans)) for group in scan(children)] == [
        (resource, 2),
        (Resource(attributes=attributes({"service.name": "bank"})).SerializeToString(), 1),
    ]


def test_without_verdicts_there_are_no_verdict_spans() -> None:
    """No empty request is sent."""
    assert verdict_spans(spans_of(export_request([inference_span()])), {}) == b""


def test_only_flagged_inferences_get_a_span_of_their_own() -> None:
    """A steady stream with high confidence is worth no span; nor is one that carries its verdict already."""
    request = export_request(
        [inference_span(), inference_span(), inference_span({"ml.verdict.drift": "steady"})]
    )
    verdicts = {0: Verdict("high", "steady"), 1: FLAGGED, 2: FLAGGED}
    metrics = self_metrics()

    chosen = RateLimit(10.0, metrics).select(
        spans_of(request), told(spans_of(request), verdicts), 0
    )

    assert chosen == {1: FLAGGED}
    assert counts(metrics) == {}


def flagged(model: str, number: int) -> tuple[InferenceSpans, Verdicts]:
    """Return so many flagged inferences of *model*."""
    request = export_request([inference_span({"ml.model.name": model})] * number)
    spans = spans_of(request)
    return spans, told(spans, dict.fromkeys(range(number), FLAGGED))


def test_the_rate_is_per_model_and_what_is_left_out_is_counted() -> None:
    """A burst of one second's worth for each model; then as many as time allows."""
    metrics = self_metrics()
    limit = RateLimit(10.0, metrics)

    chosen = [
        len(limit.select(*flagged(model, 25), now_ns))
        for model, now_ns in (
            ("a", 0),
            ("b", 0),
            ("a", SECOND_NS // 2),
            ("a", SECOND_NS // 2),
            ("a", 100 * SECOND_NS),
        )
    ]

    assert chosen == [10, 10, 5, 0, 10]
    assert counts(metrics) == {METRIC_ML_PROCESSOR_VERDICTS_DROPPED: 5 * 25 - sum(chosen)}


def test_a_rate_below_one_still_lets_one_through() -> None:
    """One every ten seconds is one at once, and the next after ten seconds."""
    limit = RateLimit(0.1, self_metrics())

    chosen = [len(limit.select(*flagged("a", 2), s * SECOND_NS)) for s in (0, 5, 10, 15)]

    assert chosen == [1, 0, 1, 0]


def test_a_time_before_the_last_one_takes_nothing_away() -> None:
    """Two threads may come in another order than they looked at the clock: nothing is refilled for that, and nothing is taken away."""
    limit = RateLimit(10.0, self_metrics())

    chosen = [len(limit.select(*flagged("a", 4), s * SECOND_NS)) for s in (100, 0, 0, 101)]

    assert chosen == [4, 4, 2, 4]
