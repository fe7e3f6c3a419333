"""A call of a model that is told by hand."""

import asyncio
import math
import threading
import uuid
from typing import Any

import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sklearn.linear_model import LogisticRegression

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

CANARY = "canary-7f3a"


class OnDevice:
    """A tensor that is not in the memory of the process: who asks it for its values waits for its device."""

    is_cpu = False

    def tolist(self) -> list[float]:
        """Fail: the caller would have to wait."""
        raise AssertionError

    item = tolist


def errors(seen: Capture) -> dict[str, int]:
    """Return how often something failed, by cause."""
    return {p.attributes["ml.sdk.error.cause"]: p.value for p in seen.metric("ml.sdk.errors")}


def test_a_block_is_one_inference(seen: Capture) -> None:
    """Its span names the model and its metrics count the sample."""
    with otel_ml.inference("fraud", version="3", features=np.zeros((2, 5))):
        pass
    assert [span.name for span in seen.spans] == ["predict fraud"]
    assert seen.attributes["ml.model.version"] == "3"
    assert seen.attributes["ml.framework.name"] == "other"
    assert seen.attributes["ml.batch.size"] == 2
    assert seen.attributes["ml.input.feature.count"] == 5
    (predictions,) = seen.metric("ml.inference.predictions")
    assert predictions.value == 2


def test_a_framework_inside_is_a_part_of_it(seen: Capture) -> None:
    """The instrumented model that answers makes no inference of its own."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with otel_ml.inference("fraud"):
        model.predict_proba([[0.5]])
    assert [span.name for span in seen.spans] == ["predict fraud"]


def test_parts_are_spans_where_they_are_asked_for() -> None:
    """With nested capture the model inside is a child of the call by hand."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with capture(Settings(capture_nested=True)) as seen:
        with otel_ml.inference("fraud"):
            model.predict_proba([[0.5]])
        inner, outer = seen.spans
        assert inner.parent is not None
        assert inner.parent.span_id == outer.context.span_id


def test_after_its_parts_a_call_is_the_one_under_way() -> None:
    """Two parts, one after the other: who asks then asks about the whole."""
    with capture(Settings(capture_nested=True)), otel_ml.inference("fraud") as whole:
        for part in ("first", "second"):
            with otel_ml.inference(part):
                pass
        assert otel_ml.current_prediction_id() == whole.prediction_id


def test_an_inference_inside_of_an_inference_is_silent(seen: Capture) -> None:
    """Only the outermost is told, and the inner one answers for it when asked for an id."""
    with otel_ml.inference("outer") as outer, otel_ml.inference("inner") as inner:
        inner.output(label="x")
        inner.fallback("timeout")
        inner.retried()
        assert inner.prediction_id == outer.prediction_id
    assert [span.name for span in seen.spans] == ["predict outer"]
    assert "ml.prediction.label" not in seen.attributes


def test_calls_after_it_are_inferences_again(seen: Capture) -> None:
    """The guard ends with the block, also when it is left by an exception."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ZeroDivisionError), otel_ml.inference("fraud"):
        _ = 1 / 0
    model.predict([[0.5]])
    assert [span.name for span in seen.spans] == ["predict fraud", "predict LogisticRegression"]


def test_an_exception_goes_on_untouched_and_is_told(seen: Capture) -> None:
    """The same object leaves the block; span, metric and event name its class, not its message."""
    error = KeyError(CANARY)
    with pytest.raises(KeyError) as caught, otel_ml.inference("fraud", version="3"):
        raise error
    assert caught.value is error
    assert seen.attributes["error.type"] == "KeyError"
    (event,) = seen.events
    assert event.event_name == "ml.inference.exception"
    assert dict(event.attributes) == {
        "ml.operation.name": "predict",
        "ml.model.name": "fraud",
        "ml.model.version": "3",
        "exception.type": "KeyError",
    }
    assert event.span_id == seen.spans[0].context.span_id
    (duration,) = seen.metric("ml.inference.duration")
    assert duration.attributes["error.type"] == "KeyError"


def test_the_message_of_an_exception_leaves_where_it_is_asked_for() -> None:
    """Then event and span quote it, with the stack."""
    with capture(Settings(capture_exception_messages=True)) as seen:
        with pytest.raises(KeyError), otel_ml.inference("fraud"):
            raise KeyError(CANARY)
        (event,) = seen.events
        assert CANARY in event.attributes["exception.message"]
        assert "test_inference_by_hand" in event.attributes["exception.stacktrace"]


@pytest.mark.parametrize(
    ("probabilities", "classes"),
    [
        ({"ok": 0.75, "fraud": 0.25}, None),
        ([0.75, 0.25], ["ok", "fraud"]),
        ((0.75, 0.25), ("ok", "fraud")),
        (np.array([0.75, 0.25]), np.array(["ok", "fraud"])),
        (np.array([[0.75, 0.25]], dtype="float32"), ["ok", "fraud"]),
        ([[0.75, 0.25]], ["ok", "fraud"]),
        ([{"ok": 0.75, "fraud": 0.25}], None),
    ],
)
def test_probabilities_of_one_sample(seen: Capture, probabilities: Any, classes: Any) -> None:
    """Whatever they come in: class, confidence, entropy over ln 2, and margin."""
    with otel_ml.inference("fraud") as call:
        call.output(probabilities=probabilities, classes=classes)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(2)
    assert seen.attributes["ml.prediction.label"] == "ok"
    assert seen.attributes["ml.prediction.confidence"] == 0.75
    assert seen.attributes["ml.prediction.entropy"] == pytest.approx(entropy)
    assert seen.attributes["ml.prediction.margin"] == 0.5
    assert seen.attributes["ml.batch.size"] == 1
    (confidence,) = seen.metric("ml.prediction.confidence")
    assert confidence.sum == 0.75


@pytest.mark.parametrize(
    "probabilities",
    [
        [[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]],
        np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]]),
        [{"ok": 0.75, "fraud": 0.25}, {"ok": 0.5, "fraud": 0.5}, {"ok": 0.125, "fraud": 0.875}],
    ],
)
def test_probabilities_of_several_samples(seen: Capture, probabilities: Any) -> None:
    """A class and a confidence each, and of the confidences mean and least."""
    with otel_ml.inference("fraud") as call:
        call.output(probabilities=probabilities, classes=["ok", "fraud"])
    assert seen.attributes["ml.prediction.labels"] == ("ok", "ok", "fraud")
    assert seen.attributes["ml.prediction.confidences"] == (0.75, 0.5, 0.875)
    assert seen.attributes["ml.batch.confidence.mean"] == pytest.approx(2.125 / 3)
    assert seen.attributes["ml.batch.confidence.min"] == 0.5
    assert seen.attributes["ml.batch.size"] == 3


@pytest.mark.parametrize(
    "told",
    [
        {"probabilities": [0.75, 0.75]},
        {"probabilities": []},
        {"probabilities": {}},
        {"probabilities": [math.nan, 1.0]},
        {"probabilities": "text"},
        {"probabilities": 3},
        {"probabilities": [0.5, 0.5], "classes": ["one"]},
        {"probabilities": [[0.5, 0.5], [1.0]]},
        {"probabilities": object()},
        {"confidence": 1.5},
        {"confidence": math.nan},
        {"confidence": CANARY},
        {"embedding": "text"},
        {"embedding": []},
        {"embedding": np.array([[1.0, math.nan]])},
        {"labels": []},
        {"labels": iter(["a"])},
        {"probabilities": map(float, [0.5, 0.5])},
        {"probabilities": OnDevice()},
        {"label": OnDevice()},
        {"embedding": OnDevice()},
    ],
)
def test_what_cannot_be_understood_is_counted_and_left_out(
    seen: Capture, caplog: pytest.LogCaptureFixture, told: dict[str, Any]
) -> None:
    """Nothing is raised, the inference is complete otherwise, and the log quotes no value."""
    with otel_ml.inference("fraud") as call:
        call.output(**told)
    assert not any(key.startswith("ml.prediction") for key in seen.attributes)
    assert errors(seen) == {"describe_output": 1}
    assert CANARY not in caplog.text


def test_an_answer_of_another_size_than_the_question_is_refused(seen: Capture) -> None:
    """Two labels for three samples belong to nobody."""
    with otel_ml.inference("fraud", features=np.zeros((3, 1))) as call:
        call.output(labels=["a", "b"])
    assert "ml.prediction.labels" not in seen.attributes
    assert errors(seen) == {"describe_output": 1}


def test_numbers_stay_in_the_process_unless_they_are_asked_for(seen: Capture) -> None:
    """By default a value, an interval and a score are not told; a label and a confidence are."""
    with otel_ml.inference("price") as call:
        call.output(value=1.5, interval=(1, 2), score=3, label=7, confidence=0.5)
    told = {key for key in seen.attributes if key.startswith("ml.prediction")}
    assert told == {"ml.prediction.label", "ml.prediction.confidence"}


def test_numbers_are_told_where_they_are_asked_for(told_all: Capture) -> None:
    """Value, interval and score, of numpy's types too, become doubles."""
    with otel_ml.inference("price") as call:
        call.output(value=np.float32(1.5), interval=np.array([1, 2]), score=3)
    attributes = told_all.attributes
    assert attributes["ml.prediction.value"] == 1.5
    assert attributes["ml.prediction.interval.lower"] == 1.0
    assert attributes["ml.prediction.interval.upper"] == 2.0
    assert attributes["ml.prediction.score"] == 3.0
    assert type(attributes["ml.prediction.score"]) is float


def test_outputs_can_be_kept_back_altogether() -> None:
    """With `capture_outputs="none"` nothing of an answer is told, and no confidence is measured."""
    with capture(Settings(capture_outputs="none")) as seen:
        with otel_ml.inference("fraud") as call:
            call.output(label="x", probabilities={"x": 1.0})
        assert not any(key.startswith("ml.prediction") for key in seen.attributes)
        assert seen.metric("ml.prediction.confidence") == []


def test_of_embeddings_dimension_and_mean_length_are_told(seen: Capture) -> None:
    """The vectors (3, 4) and (0, 1) have two components and the mean length 3."""
    with otel_ml.inference("text", operation="embed") as call:
        call.output(embedding=np.array([[3.0, 4.0], [0.0, 1.0]]))
    assert seen.attributes["ml.embedding.dimension"] == 2
    assert seen.attributes["ml.embedding.norm"] == 3.0


class Named:
    """A class that counts how often its name is asked for."""

    asked = 0

    def __str__(self) -> str:
        """Return the name."""
        Named.asked += 1
        return "a"


def test_of_many_answers_only_the_captured_ones_are_looked_at(seen: Capture) -> None:
    """A hundred thousand labels take the caller no longer than those that leave."""
    with otel_ml.inference("fraud") as call:
        call.output(labels=[Named() for _ in range(1000)])
    assert seen.attributes["ml.prediction.labels"] == ("a",) * 32
    assert seen.attributes["ml.batch.size"] == 1000
    assert Named.asked == 32


def test_a_fallback_and_tries_are_told(seen: Capture) -> None:
    """The reason is on span and metrics; a reason so long that it may quote data becomes a hash."""
    with otel_ml.inference("fraud") as call:
        call.retried()
        call.retried(2)
        call.fallback("timeout")
    assert seen.attributes["ml.retry.count"] == 3
    assert seen.attributes["ml.fallback.reason"] == "timeout"
    (duration,) = seen.metric("ml.inference.duration")
    assert duration.attributes["ml.fallback.reason"] == "timeout"


def test_a_long_reason_does_not_leave(seen: Capture) -> None:
    """A message used as a reason may quote data."""
    with otel_ml.inference("fraud") as call:
        call.fallback(f"could not reach the host for {CANARY}, which asked for something long")
    assert CANARY not in str(seen.attributes)


def test_links_lead_to_the_requests_that_one_call_serves(seen: Capture) -> None:
    """Span contexts and spans alike; what is neither is passed over."""
    tracer = seen.tracer_provider.get_tracer("web")
    first, second = tracer.start_span("1"), tracer.start_span("2")
    links: Any = [first, second.get_span_context(), "nonsense", trace.INVALID_SPAN]
    with otel_ml.inference("fraud", links=links):
        pass
    (span,) = seen.spans
    linked = [link.context.span_id for link in span.links]
    assert linked == [s.get_span_context().span_id for s in (first, second)]


@pytest.mark.parametrize(
    "features",
    [
        CANARY,
        {"text": CANARY},
        [CANARY, CANARY],
        [[CANARY]],
        np.array([[CANARY]], dtype=object),
        [{"text": CANARY}],
    ],
)
def test_no_value_leaves_by_default(features: Any) -> None:
    """Neither on spans nor on events nor on metrics, whatever features are handed over in."""
    with capture() as seen:
        with otel_ml.inference("fraud", features=features) as call:
            call.output(value=1.0)
        told = [str(span.attributes) for span in seen.spans] + [
            str(e.attributes) for e in seen.events
        ]
        assert CANARY not in "".join(told)


def test_one_sample_may_be_a_mapping(told_all: Capture) -> None:
    """With content it is named on the span as text, and on the event as a map."""
    with otel_ml.inference("fraud", features={"amount": 12.5, "age": 42}, feature_names=None):
        pass
    assert told_all.attributes["ml.input.features"] == '{"amount":12.5,"age":42}'
    (details,) = told_all.events_named("ml.prediction.details")
    assert details["ml.input.features"] == {"amount": 12.5, "age": 42}


def test_denied_features_stay_in_the_process() -> None:
    """Also where the input has no names and the caller gives them."""
    settings = Settings(capture_content="span_and_event", feature_denylist=("sec*",))
    with capture(settings) as seen:
        with otel_ml.inference("f", features=[[1.0, 99.0]], feature_names=["open", "secret"]):
            pass
        assert seen.attributes["ml.input.features"] == '{"open":1.0}'
        assert "99" not in str([event.attributes for event in seen.events])


@pytest.mark.parametrize(
    "features", [object(), 5, [], {}, iter([1]), np.zeros((0, 3)), b"bytes", [[1], [2, 3]], [None]]
)
def test_no_input_is_too_odd(features: Any) -> None:
    """Whatever is handed over, the call is one inference and nothing is raised."""
    settings = Settings(capture_content="span_and_event", capture_outputs="full")
    with capture(settings) as seen:
        with otel_ml.inference("fraud", features=features):
            pass
        assert len(seen.spans) == 1


def test_an_input_that_raises_when_it_is_looked_at_is_counted(seen: Capture) -> None:
    """The call goes on."""

    class Hostile:
        @property
        def shape(self) -> Any:
            raise RuntimeError(CANARY)

    with otel_ml.inference("fraud", features=Hostile()):
        pass
    assert len(seen.spans) == 1
    assert errors(seen) == {"describe_input": 1}


@pytest.mark.parametrize("odd", [{"name": ["list"]}, {"version": {"a": 1}}])
def test_a_call_that_cannot_be_recorded_is_made_all_the_same(
    seen: Capture, odd: dict[str, Any]
) -> None:
    """What is wrong with it is counted, and calls after it are recorded."""
    arguments: dict[str, Any] = {"name": "fraud", **odd}
    with otel_ml.inference(arguments.pop("name"), **arguments) as call:
        call.output(label="x")
        call.fallback("y")
        call.retried()
    assert errors(seen) == {"begin_inference": 1}
    with otel_ml.inference("fraud"):
        pass
    assert [span.name for span in seen.spans] == ["predict fraud"]


def test_links_that_cannot_be_read_are_left_out(seen: Capture) -> None:
    """The call is recorded without them, and what is missing is counted."""
    links: Any = 5
    with otel_ml.inference("fraud", links=links):
        pass
    assert len(seen.spans) == 1
    assert errors(seen) == {"describe_facts": 1}


def test_metrics_see_calls_that_are_not_sampled() -> None:
    """Confidence and fallback of an unsampled call are measured."""
    with capture(sampler=ALWAYS_OFF) as seen:
        with otel_ml.inference("fraud") as call:
            call.output(probabilities={"a": 0.75, "b": 0.25})
            call.fallback("cache")
        (confidence,) = seen.metric("ml.prediction.confidence")
        (predictions,) = seen.metric("ml.inference.predictions")
        assert confidence.sum == 0.75
        assert predictions.attributes["ml.fallback.reason"] == "cache"
        assert seen.spans == ()


def test_suppressed_instrumentation_is_silent(seen: Capture) -> None:
    """Nothing is recorded inside of an exporter, say, and no id is made up."""
    with suppress_instrumentation(), otel_ml.inference("fraud") as call:
        call.output(label="x")
        assert call.prediction_id is None
    assert seen.spans == ()


def test_tasks_of_one_loop_do_not_take_each_other_for_parts(seen: Capture) -> None:
    """Three calls that wait for each other are three inferences."""
    barrier = asyncio.Barrier(3) if hasattr(asyncio, "Barrier") else None

    async def call(number: int) -> None:
        """Be one of those told above."""
        with otel_ml.inference(f"m{number}"):
            await (barrier.wait() if barrier else asyncio.sleep(0))

    async def main() -> None:
        """Be one of those told above."""
        await asyncio.gather(*map(call, range(3)))

    asyncio.run(main())
    assert sorted(span.name for span in seen.spans) == ["predict m0", "predict m1", "predict m2"]
    assert all(span.parent is None for span in seen.spans)


def test_a_task_that_outlives_the_call_it_was_started_in_is_no_part_of_it(seen: Capture) -> None:
    """A worker that the first request starts serves all that follow: what it asks later is told."""

    async def serve(go_on: asyncio.Event) -> None:
        """Ask two models: one while the call that started this is under way, one after it."""
        with otel_ml.inference("meanwhile"):
            pass
        await go_on.wait()
        with otel_ml.inference("afterwards"):
            pass

    async def main() -> None:
        """Start it inside of a call."""
        go_on = asyncio.Event()
        with otel_ml.inference("first"):
            worker = asyncio.create_task(serve(go_on))
            await asyncio.sleep(0)
        go_on.set()
        await worker

    asyncio.run(main())
    assert sorted(span.name for span in seen.spans) == ["predict afterwards", "predict first"]


def test_calls_under_way_are_told_also_by_a_second_recorder() -> None:
    """Instrumented anew with other settings and the same provider: the gauge goes on."""
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader])
    for content in ("no_content", "span_only"):
        otel_ml.instrument(["sklearn"], meter_provider=meters, capture_content=content)
        with otel_ml.inference(content):
            data = reader.get_metrics_data()
        otel_ml.uninstrument()
        active = [
            (dict(point.attributes)["ml.model.name"], point.value)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "ml.inference.active"
            for point in metric.data.data_points
            if point.value
        ]
        assert active == [(content, 1)]


def test_threads_do_not_disturb_each_other(seen: Capture) -> None:
    """Four threads with fifty calls each: two hundred inferences, numbered without a gap."""

    def work() -> None:
        for _ in range(50):
            with otel_ml.inference("fraud", features=[[1.0]]) as call:
                call.output(probabilities={"a": 0.5, "b": 0.5})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(int((s.attributes or {})["ml.call.sequence"]) for s in seen.spans)  # type: ignore[arg-type]  # it is a number
    assert numbers == list(range(1, 201))


def test_calls_under_way_are_counted_with_their_age(
    seen: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it lasts there is one, as old as the clock says; afterwards none, and no age."""
    clock = iter([100.0])
    monkeypatch.setattr("otel_ml.recorder.perf_counter", lambda: next(clock))
    monkeypatch.setattr("otel_ml.record.under_way.perf_counter", lambda: 107.5)
    monkeypatch.setattr("otel_ml.by_hand.calls.perf_counter", lambda: 108.0)
    with otel_ml.inference("slow"):
        (active,), (age,) = (
            seen.metric("ml.inference.active"),
            seen.metric("ml.inference.oldest.age"),
        )
        assert (active.value, age.value) == (1, 7.5)
        assert dict(active.attributes) == dict(age.attributes)
    (active,) = seen.metric("ml.inference.active")
    assert active.value == 0
    assert seen.metric("ml.inference.oldest.age") == []
    (duration,) = seen.metric("ml.inference.duration")
    assert duration.sum == 8.0


def test_any_object_may_be_the_id_of_a_prediction(seen: Capture) -> None:
    """A UUID is written as text; an endless text is cut."""
    name = uuid.UUID(int=7)
    with otel_ml.inference("fraud", prediction_id=name):
        pass
    assert seen.attributes["ml.prediction.id"] == str(name)
    seen.clear()
    with otel_ml.inference("fraud", prediction_id="x" * 10_000):
        pass
    assert seen.attributes["ml.prediction.id"] == "x" * 256
