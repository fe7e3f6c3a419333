"""What is read of feedback, whoever wrote it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from otel_ml_conventions.attributes import MlFeedbackSourceValues
from otel_ml_processor.decode.wire import MalformedRequest
from otel_ml_processor.feedback.reading import Feedback, feedback_in_logs, feedback_in_traces
from tests.unit.processor.otlp_requests import attribute, inference, request_of

Value = str | bool | int | float


def record(name: str = "ml.feedback", /, **said: Value) -> LogRecord:
    """Return the event *name*; `feedback_label="x"` in *said* is `ml.feedback.label`."""
    return LogRecord(
        event_name=name,
        time_unix_nano=5,
        attributes=[
            attribute(f"ml.{key.replace('_', '.', 1)}", value) for key, value in said.items()
        ],
    )


def read(*records: LogRecord) -> list[Feedback]:
    """Return what is read of *records*, written by protobuf itself."""
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])
    return feedback_in_logs(ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString())


def test_every_word_of_feedback_is_read() -> None:
    """Label, number, verdict, source, position and model."""
    (one,) = read(
        record(
            prediction_id="a",
            prediction_index=3,
            feedback_label="fraud",
            feedback_value=1.5,
            feedback_correct=False,
            feedback_source="human",
            model_name="m",
            model_version="7",
        )
    )
    assert (one.label, one.value, one.correct) == ("fraud", 1.5, False)
    assert (one.position, one.time_ns, len(one.keys)) == (3, 5, 1)
    assert one.source is MlFeedbackSourceValues.HUMAN
    assert (one.stream.model, one.stream.version) == ("m", "7")
    assert one.is_truth


def test_labels_are_written_like_predictions() -> None:
    """A class that a producer sends as a number is the same class; NaN is none."""
    assert read(record(feedback_label=1))[0].label == "1"
    assert read(record(feedback_label=1.0))[0].label == "1"
    assert math.isnan(read(record(feedback_value=float("nan")))[0].value)


@pytest.mark.parametrize(
    "said",
    [
        {"feedback_score": 0.5},
        {"feedback_correct": True, "feedback_source": "implicit"},
        {"feedback_label": "x", "feedback_source": "implicit"},
        {"feedback_value": float("nan")},
    ],
)
def test_what_somebody_likes_or_does_is_no_truth(said: dict[str, Value]) -> None:
    """It is read, for it is counted, but makes no score."""
    (one,) = read(record(**said))
    assert not one.is_truth


def test_other_events_and_empty_ones_are_passed_over() -> None:
    """Also one that only speaks of feedback."""
    talk = LogRecord(body=AnyValue(string_value="ml.feedback"))
    assert read(record("ml.explanation", feedback_label="x"), record(), talk) == []


def test_an_event_may_say_its_name_as_an_attribute() -> None:
    """Producers that do not know the field write `event.name`."""
    old = record("", feedback_label="x")
    old.attributes.append(KeyValue(key="event.name", value=AnyValue(string_value="ml.feedback")))
    assert read(old)[0].label == "x"


@pytest.mark.parametrize("wrong", ["yes", 1, 0.5])
def test_a_verdict_of_the_wrong_type_says_nothing(wrong: Value) -> None:
    """Whether a text means true is not guessed; a position that is no number neither."""
    (one,) = read(record(feedback_correct=wrong, prediction_index=-1))
    assert (one.correct, one.position) == (None, None)
    assert not one.is_truth


@given(st.binary(max_size=200), st.integers(0, 200))
def test_nothing_that_is_sent_can_break_the_reading(junk: bytes, at: int) -> None:
    """A request with bytes in the wrong places is read as far as it can be, or called malformed."""
    whole = ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(scope_logs=[ScopeLogs(log_records=[record(feedback_label="x")])])
        ]
    ).SerializeToString()
    for request in (junk, whole[:at] + junk + whole[at:], whole[:at]):
        for reading in (feedback_in_logs, feedback_in_traces):
            try:
                found = reading(request)
            except MalformedRequest:
                continue
            assert all(isinstance(one, Feedback) for one in found)


def test_an_inference_is_no_feedback() -> None:
    """Although the word may stand in it."""
    span = inference(1, end_ns=5, prediction_label="ml.feedback")
    assert feedback_in_traces(request_of([span]).SerializeToString()) == []
