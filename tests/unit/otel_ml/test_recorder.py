"""Inferences as spans and metrics, whatever the sampling, the load, the process."""

import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel_ml.describe.models import Model
from otel_ml.record.inference import Inference
from otel_ml.record.recording import Recording
from otel_ml.recorder import Channel, InferenceRecorder
from otel_ml.testing import Capture
from otel_ml_conventions.attributes import ML_CALL_SEQUENCE, ML_CALL_STREAM
from tests.data.programs import run

MODEL = Model("fraud", "3", "pkg.Fraud", "sklearn", "1.9", "binary_classification")
UNSAMPLED = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0)))


def inference(**facts: Any) -> Inference:
    """Return the inference of one sample that took half a second."""
    plain = Inference(1, 0.5, 1_000, 0, {}, {}, None)
    return plain._replace(**facts)


def begun(recorder: InferenceRecorder, channel: Channel, batch_size: int | None = 1) -> Recording:
    """Return a call that has begun."""
    recording = Recording(channel, batch_size)
    recorder.begin(recording)
    return recording


class Setting:
    """A recorder into memory."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.seen = Capture(sampler)
        self.recorder = InferenceRecorder(self.seen.tracer_provider, self.seen.meter_provider)
        self.channel = self.recorder.channel(MODEL, "predict", "pkg.Fraud.predict")

    def call(self, channel: Channel | None = None, **facts: Any) -> None:
        """Record one inference."""
        recording = begun(self.recorder, channel or self.channel, facts.get("batch_size", 1))
        self.recorder.end(recording, inference(**facts))

    def sequences(self) -> list[int]:
        """Return the numbers of the spans."""
        return [int((span.attributes or {})[ML_CALL_SEQUENCE]) for span in self.seen.spans]  # type: ignore[arg-type]  # it is a number


@pytest.fixture
def setting() -> Iterator[Setting]:
    """Return a setting that samples everything."""
    setting = Setting()
    yield setting
    setting.recorder.close()


@pytest.mark.parametrize(
    ("sampler", "starts"),
    [
        (ParentBased(ALWAYS_ON), 0),
        (ParentBased(TraceIdRatioBased(0.5)), 0),
        (ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON), 1),
        (ParentBased(ALWAYS_ON, local_parent_not_sampled=ALWAYS_ON), 1),
        (ParentBased(ParentBased(ALWAYS_ON), remote_parent_not_sampled=ALWAYS_ON), 1),
        (ALWAYS_ON, 1),
    ],
)
def test_under_an_unsampled_parent_a_span_is_started_only_if_it_could_be_sampled(
    sampler: Sampler, starts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Skipping it saves half the cost; a sampler that may decide otherwise is always asked."""
    setting = Setting(sampler)
    started: list[str] = []
    tracer = setting.seen.tracer_provider.get_tracer("x")
    original = type(tracer).start_span

    def start_span(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        started.append(name)
        return original(self, name, *args, **kwargs)

    monkeypatch.setattr(type(tracer), "start_span", start_span)
    token = context.attach(trace.set_span_in_context(UNSAMPLED))
    setting.call()
    context.detach(token)
    assert len(started) == starts
    setting.recorder.close()


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, ParentBased(ALWAYS_OFF), TraceIdRatioBased(0.3)])
def test_metrics_do_not_depend_on_sampling(sampler: Sampler) -> None:
    """Duration, predictions and confidence see every call of 200."""
    setting = Setting(sampler)
    for _ in range(200):
        setting.call(batch_size=2, outputs={"ml.prediction.confidences": [0.5, 0.7]})
    (duration,) = setting.seen.metric("ml.inference.duration")
    (predictions,) = setting.seen.metric("ml.inference.predictions")
    (confidence,) = setting.seen.metric("ml.prediction.confidence")
    assert (duration.count, duration.sum) == (200, 100.0)
    assert predictions.value == 400
    assert (confidence.count, confidence.sum) == (400, pytest.approx(240.0))
    setting.recorder.close()


def test_gaps_in_the_numbers_tell_what_was_not_sampled() -> None:
    """Ten calls under an unsampled parent leave a gap of ten between two spans."""
    setting = Setting(ParentBased(ALWAYS_ON))
    setting.call()
    token = context.attach(trace.set_span_in_context(UNSAMPLED))
    for _ in range(10):
        setting.call()
    context.detach(token)
    setting.call()
    assert setting.sequences() == [1, 12]
    setting.recorder.close()


def test_two_methods_of_one_model_share_their_numbers(setting: Setting) -> None:
    """Two versions of it do not."""
    other_method = setting.recorder.channel(MODEL, "predict", "pkg.Fraud.predict_proba")
    other_version = Model("fraud", "4", "pkg.Fraud", "sklearn", "1.9", None)
    other = setting.recorder.channel(other_version, "predict", "pkg.Fraud.predict")
    setting.call()
    setting.call(other_method)
    setting.call(other)
    assert setting.sequences() == [1, 2, 1]


def test_the_span_is_current_inside_and_not_after(setting: Setting) -> None:
    """And its end is the moment the model returned, not the moment it was written down."""
    before = trace.get_current_span()
    recording = begun(setting.recorder, setting.channel)
    assert trace.get_current_span() is recording.span
    setting.recorder.end(recording, inference(end_time_ns=12_345))
    assert trace.get_current_span() is before
    assert setting.seen.spans[0].end_time == 12_345


def test_a_provider_that_is_set_later_is_used_then() -> None:
    """Instrumenting before the SDK is configured loses only what is called before it is."""
    program = """
        from opentelemetry import metrics, trace
        from otel_ml.describe.models import Model
        from otel_ml.record.inference import Inference
        from otel_ml.record.recording import Recording
        from otel_ml.recorder import InferenceRecorder
        from otel_ml.testing import Capture

        recorder = InferenceRecorder()
        model = Model("m", None, "t", "sklearn", None, None)
        channel = recorder.channel(model, "predict", "f")

        def call():
            recording = Recording(channel, 1)
            recorder.begin(recording)
            recorder.end(recording, Inference(1, 0.5, 1, 0, {}, {}, None))

        call()
        seen = Capture()
        trace.set_tracer_provider(seen.tracer_provider)
        metrics.set_meter_provider(seen.meter_provider)
        call()
        print([span.attributes["ml.call.sequence"] for span in seen.spans])
        print([point.count for point in seen.metric("ml.inference.duration")])
    """
    assert run(program, options=("-W", "error")).stdout.splitlines()[0] == "[2]"


def test_every_collection_finds_every_call_that_has_ended(setting: Setting) -> None:
    """A flush or a shutdown of the metrics SDK needs no help of ours to be complete."""
    for calls in range(1, 4):
        setting.call()
        (point,) = setting.seen.metric("ml.inference.duration")
        assert point.count == calls


def test_a_closed_recorder_has_recorded_everything() -> None:
    """Also where nobody collects in between."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    recorder = InferenceRecorder(TracerProvider(), provider)
    channel = recorder.channel(MODEL, "predict", "f")
    for _ in range(100):
        recorder.end(begun(recorder, channel), inference())
    recorder.close()
    data = reader.get_metrics_data()
    assert data is not None
    points = {
        metric.name: metric.data.data_points
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
    }
    (point,) = points["ml.inference.duration"]
    assert point.count == 100  # type: ignore[union-attr]  # a histogram's


def test_a_full_queue_costs_details_but_no_count(setting: Setting) -> None:
    """Of 5000 calls while nothing is consumed 904 find it full: counted, and in number and time."""
    ring = setting.recorder._ring
    (before,) = setting.seen.metric("ml.sdk.dropped")
    assert ring.pause()
    for _ in range(5000):
        setting.call(batch_size=3, duration=0.25)
    ring.resume()
    setting.recorder.flush()
    (duration,) = setting.seen.metric("ml.inference.duration")
    (predictions,) = setting.seen.metric("ml.inference.predictions")
    (batch,) = setting.seen.metric("ml.inference.batch.size")
    (after,) = setting.seen.metric("ml.sdk.dropped")
    assert (duration.count, duration.sum) == (5000, pytest.approx(1250.0))
    assert predictions.value == 15_000
    assert after.value - before.value == 904
    assert batch.count == 5000 - 904


def test_a_failure_is_logged_once_and_counted_every_time(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    """By cause; the log names the class of the exception and its place, not its message."""
    for _ in range(3):
        setting.recorder.failed("one", ValueError("secret"))
    setting.recorder.failed("other", KeyError("secret"))
    counts = {
        point.attributes["ml.sdk.error.cause"]: point.value
        for point in setting.seen.metric("ml.sdk.errors")
    }
    assert counts == {"one": 3, "other": 1}
    messages = [record.getMessage() for record in caplog.records if record.name == "otel_ml"]
    assert [message.split()[0] for message in messages] == ["one", "other"]
    assert "secret" not in caplog.text


def test_a_log_handler_that_raises_does_not_reach_the_caller(setting: Setting) -> None:
    """Not even through our own warning."""

    class Raising(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("no more logs")

    handler = Raising()
    logging.getLogger("otel_ml").addHandler(handler)
    try:
        setting.recorder.failed("one", ValueError())
    finally:
        logging.getLogger("otel_ml").removeHandler(handler)


def test_a_span_processor_that_raises_does_not_reach_the_caller() -> None:
    """The call goes on, the context is left as it was, the failure is counted."""

    class Raising(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            raise RuntimeError("start")

    setting = Setting()
    setting.seen.tracer_provider.add_span_processor(Raising())
    before = trace.get_current_span()
    setting.call()
    assert trace.get_current_span() is before
    (failed,) = setting.seen.metric("ml.sdk.errors")
    (duration,) = setting.seen.metric("ml.inference.duration")
    assert failed.attributes["ml.sdk.error.cause"] == "start_span"
    assert duration.count == 1
    setting.recorder.close()


FORKING = """
    import json, os, sys
    from otel_ml.describe.models import Model
    from otel_ml.record.inference import Inference
    from otel_ml.record.recording import Recording
    from otel_ml.recorder import InferenceRecorder
    from otel_ml.testing import Capture

    seen = Capture()
    recorder = InferenceRecorder(seen.tracer_provider, seen.meter_provider)
    channel = recorder.channel(Model("m", None, "t", "sklearn", None, None), "predict", "f")

    def call():
        recording = Recording(channel, 1)
        recorder.begin(recording)
        recorder.end(recording, Inference(1, 0.5, 1, 0, {}, {}, None))

    def told():
        spans = [dict(span.attributes) for span in seen.spans]
        ring = recorder._ring
        thread = ring._thread
        return json.dumps([
            [span["ml.call.sequence"] for span in spans],
            [span["ml.call.stream"] for span in spans],
            len(ring._items),
            thread is None or thread.is_alive(),
        ])

    assert recorder._ring.pause()
    for _ in range(5):
        call()
    recorder._ring.resume()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        waiting = len(recorder._ring._items)
        seen.clear()
        call()
        call()
        recorder.flush()
        os.write(write, json.dumps([waiting, told()]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    call()
    recorder.flush()
    points = seen.metric("ml.inference.duration")
    print(json.dumps([json.loads(os.read(read, 100_000)), told(), points[0].count]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_counts_for_itself() -> None:
    """It starts with an empty queue, a stream of its own and number 1; its parent goes on."""
    (waiting, child), parent, count = json.loads(run(FORKING, options=("-W", "error")).stdout)
    sequences, streams, left, is_alive = json.loads(child)
    parents_sequences, parents_streams, _, _ = json.loads(parent)
    assert waiting == 0
    assert sequences == [1, 2]
    assert len(set(streams)) == 1
    assert (left, is_alive) == (0, True)
    assert parents_sequences == [1, 2, 3, 4, 5, 6]
    assert len(set(parents_streams)) == 1
    assert set(streams).isdisjoint(parents_streams)
    assert count == 6


def test_a_fork_that_python_was_not_told_of_is_noticed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers fork in C: another process id is enough to begin anew."""
    setting.call()
    monkeypatch.setattr("otel_ml.recorder.getpid", lambda: -1)
    monkeypatch.setattr("otel_ml.ring.os.getpid", lambda: -1)
    setting.call()
    setting.call()
    first, second, third = (dict(span.attributes or {}) for span in setting.seen.spans)
    assert [span[ML_CALL_SEQUENCE] for span in (first, second, third)] == [1, 1, 2]
    assert first[ML_CALL_STREAM] != second[ML_CALL_STREAM] == third[ML_CALL_STREAM]
