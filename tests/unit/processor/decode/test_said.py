"""What the bytes of a request say beyond its columns: who needs it reads on, and nobody else does."""

from __future__ import annotations

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.decode.decoder import Decoder
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.decode.said import NOTHING, OF_ROWS, Said
from otel_ml_processor.decode.spans import PlainDecoder
from tests.data.export_requests import any_value, export_request, inference_span

FAST = FastDecoder(lambda _: ())
DECODERS: dict[str, Decoder] = {"plain": PlainDecoder(lambda _: ()), "fast": FAST}


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """Each of the two decoders."""
    return DECODERS[request.param]


def said(decoder: Decoder, *spans: Span) -> int:
    """Return what is found of a request of *spans*."""
    return decoder.decode(export_request(list(spans))).spans.said


def with_event(name: str, key: str) -> Span:
    """Return an inference with an event that says something under that key."""
    span = inference_span(span_id=3)
    event = span.events.add(name=name)
    event.attributes.add(key=key, value=any_value("x"))
    return span


CASES = {
    "feedback of its own": (Span(name="ml.feedback"), "ml.feedback.label", Said.FEEDBACK),
    "feedback on an inference": (inference_span(), "ml.feedback.correct", Said.FEEDBACK),
    "a prediction id": (inference_span(), "ml.prediction.id", Said.PREDICTION_IDS),
}


@pytest.mark.parametrize(("span", "key", "expected"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("place", range(3))
def test_what_an_attribute_says_is_found_on_whichever_span(
    decoder: Decoder, span: Span, key: str, expected: Said, place: int
) -> None:
    """Also on the last of many, and on one that is no inference."""
    marked = Span()
    marked.CopyFrom(span)
    marked.attributes.add(key=key, value=any_value("x"))
    spans = [inference_span(span_id=number) for number in range(3)]
    spans[place] = marked
    assert said(decoder, *spans) == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("ranking", Said.LISTS),
        ("recommendation", Said.LISTS),
        ("binary_classification", NOTHING),
        ("", NOTHING),
    ],
)
def test_tasks_that_return_lists_are_found(decoder: Decoder, task: str, expected: int) -> None:
    """Those, and no others."""
    spans = [inference_span(), inference_span({"ml.task.type": task})]
    assert said(decoder, *spans) == expected


@pytest.mark.parametrize(
    ("event", "key", "expected"),
    [
        ("ml.feedback", "ml.feedback.value", Said.FEEDBACK),
        ("ml.explanation", "ml.explanation.attributions", Said.EXPLANATIONS),
        ("exception", "exception.type", NOTHING),
    ],
)
def test_events_of_spans_are_found(decoder: Decoder, event: str, key: str, expected: int) -> None:
    """A span with an event is read by the plain decoder, whatever reads the others."""
    assert said(decoder, inference_span(), with_event(event, key)) == expected


def test_batches_are_found(decoder: Decoder) -> None:
    """A span of several rows; one of a single row is none."""
    one, two = ({"ml.prediction.labels": labels} for labels in (["a"], ["a", "b"]))
    assert said(decoder, inference_span(one)) == NOTHING
    assert said(decoder, inference_span(one), inference_span(two)) == Said.BATCHES
    assert OF_ROWS & Said.BATCHES


def test_what_is_said_elsewhere_than_on_a_span_is_not_searched_for() -> None:
    """A service that is called like a feedback, or a label: the request is not held for it, where no other span has to be searched."""
    spans = [inference_span({"ml.prediction.label": "ml.prediction.id ranking ml.feedback"})]
    request = export_request(spans, {"service.name": "ml.feedback"})
    assert FAST.decode(request).spans.said == NOTHING


def test_requests_put_together_say_what_each_of_them_says(decoder: Decoder) -> None:
    """And one whose bytes are gone says nothing any more."""
    named = decoder.decode(export_request([inference_span({"ml.prediction.id": "p"})])).spans
    listed = decoder.decode(export_request([inference_span({"ml.task.type": "ranking"})])).spans
    assert InferenceSpans.joined([named, listed]).said == Said.PREDICTION_IDS | Said.LISTS
    assert InferenceSpans.joined([named.bare(), listed]).said == Said.LISTS
    assert named.bare().said == NOTHING
