"""Events on the spans they happen in, for back ends without logs."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider

import otel_ml
from otel_ml.recorder import InferenceRecorder
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture


def bridged() -> Capture:
    """Return a capture whose logger provider has the bridge."""
    seen = Capture()
    seen.logger_provider.add_log_record_processor(otel_ml.EventsOnSpans())
    return seen


def emit(provider: LoggerProvider, name: str | None, **facts: Any) -> None:
    """Emit an event in the current context."""
    provider.get_logger("x").emit(event_name=name, severity_number=SeverityNumber.INFO, **facts)


@pytest.mark.parametrize("setting", [True, False])
def test_an_event_is_written_on_its_span(setting: bool) -> None:
    """By the bridge or by the setting alike, with maps as JSON text."""
    with capture(Settings(events_on_spans=setting)) as seen:
        if not setting:
            seen.logger_provider.add_log_record_processor(otel_ml.EventsOnSpans())
        with otel_ml.inference("fraud"):
            otel_ml.record_internal("attention", {"mean": 0.5, "max": 1.0})
        (span,) = seen.spans
        (event,) = span.events
        assert event.name == "ml.internal"
        assert dict(event.attributes or {})["ml.internal.summary"] == '{"mean":0.5,"max":1.0}'
        assert len(seen.events) == 1


@pytest.mark.parametrize("setting", [True, False])
def test_content_that_is_to_stay_off_spans_does(setting: bool) -> None:
    """With `event_only` neither values nor attributions are written, whatever mirrors events."""
    content = Settings(capture_content="event_only", events_on_spans=setting)
    with capture(content) as seen:
        if not setting:
            seen.logger_provider.add_log_record_processor(otel_ml.EventsOnSpans())
        with otel_ml.inference("fraud", features={"amount": 77.25}):
            otel_ml.record_explanation({"amount": 99.5})
        assert len(seen.events) == 2
        told = seen.spans[0].to_json()
        assert "77.25" not in told
        assert "99.5" not in told


def test_an_exception_is_written_before_its_span_ends() -> None:
    """So that Jaeger shows it."""
    with capture(Settings(events_on_spans=True)) as seen:
        with pytest.raises(KeyError), otel_ml.inference("fraud"):
            raise KeyError
        assert [event.name for event in seen.spans[0].events] == ["ml.inference.exception"]


def test_what_is_not_ours_is_left_alone() -> None:
    """Log records without a name, and events of others."""
    seen = bridged()
    with seen.tracer_provider.get_tracer("x").start_as_current_span("request"):
        emit(seen.logger_provider, "browser.click")
        emit(seen.logger_provider, None, body="ml.internal")
    assert seen.spans[0].events == ()


def test_a_span_that_is_over_or_elsewhere_is_left_alone() -> None:
    """Nothing is written, nothing is said."""
    seen = bridged()
    span = seen.tracer_provider.get_tracer("x").start_span("request")
    span.end()
    for about in (span, trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=True))):
        with trace.use_span(about):
            emit(seen.logger_provider, "ml.feedback", attributes={"ml.feedback.correct": True})
    assert seen.spans[0].events == ()


def test_without_a_logger_provider_the_setting_works_all_the_same() -> None:
    """Events on spans need no log pipeline."""
    seen = Capture()
    recorder = InferenceRecorder(seen.tracer_provider, settings=Settings(events_on_spans=True))
    span = seen.tracer_provider.get_tracer("x").start_span("request")
    recorder.event("ml.feedback", {"ml.feedback.correct": True}, span)
    span.end()
    recorder.close()
    assert [event.name for event in seen.spans[0].events] == ["ml.feedback"]
