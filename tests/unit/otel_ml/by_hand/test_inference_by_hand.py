"""A call of a model that is told by hand."""

import asyncio
import json
import threading
import uuid
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sklearn.linear_model import LogisticRegression

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from tests.data.sdk_errors import errors

CANARY = "canary-7f3a"


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


CUSTOMERS = pd.DataFrame({"age": [42, 17], "city": ["Köln", None], "share": [0.5, 0.25]})
SEEN = '{"age":42,"city":"K\\u00f6ln","share":0.5}'


@pytest.mark.parametrize(
    "row",
    [
        CUSTOMERS.iloc[0],
        next(row for _, row in CUSTOMERS.iterrows()),
        pd.Series({"age": 42, "city": "Köln", "share": 0.5}),
    ],
)
def test_a_row_of_a_data_frame_is_one_sample(row: Any) -> None:
    """Its index has the names of the features; what is denied by its name stays."""

    @otel_ml.observe(name="churn", features="customer")
    def score(customer: Any) -> float:
        return float(customer["share"])

    with capture(Settings(capture_content="span_only")) as seen:
        score(row)
        assert seen.attributes["ml.batch.size"] == 1
        assert seen.attributes["ml.input.feature.count"] == 3
        assert seen.attributes["ml.input.features"] == SEEN
    with capture(Settings(capture_content="span_only", feature_denylist=("city",))) as seen:
        with otel_ml.inference("churn", features=row):
            pass
        assert seen.attributes["ml.input.features"] == '{"age":42,"share":0.5}'


@pytest.mark.parametrize(
    "column",
    [
        CUSTOMERS["age"],
        pd.Series([42, 17], name="age", index=["order-1", "order-2"]),
        pd.Series([42, 17], index=pd.Index(["order-1", "order-2"], name="order")),
        pd.Series([42, 17], index=["order-1", "order-1"]),
        pl.Series("age", [42, 17]),
    ],
    ids=["numbered", "called", "of orders", "not unique", "polars"],
)
def test_a_column_of_a_data_frame_is_as_many_samples(column: Any) -> None:
    """Also where each has an identifier of its own, which is no feature's name and does not leave."""
    with capture(Settings(capture_content="span_only")) as seen:
        with otel_ml.inference("churn", features=column):
            pass
        assert seen.attributes["ml.batch.size"] == 2
        assert not any("order" in str(value) for value in seen.attributes.values())


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


def test_what_is_told_after_the_block_is_told_to_nobody_and_counted(
    seen: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    """The span has ended: who finds no answer on it finds the reason in the log."""
    with otel_ml.inference("fraud") as call:
        pass
    call.output(label="ok")
    call.fallback("timeout")
    call.retried()
    assert "ml.prediction.label" not in seen.attributes
    assert errors(seen) == {"describe_output": 3}
    assert "inside of the block" in caplog.text


def test_a_call_is_made_once(seen: Capture, caplog: pytest.LogCaptureFixture) -> None:
    """One that is kept and used again would tell the answers of before; models inside are observed."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    kept = otel_ml.inference("fraud")
    for _ in range(2):
        with kept:
            model.predict([[0.0]])
    assert [span.name for span in seen.calls] == ["predict fraud", "predict LogisticRegression"]
    assert errors(seen) == {"begin_inference": 1}
    assert "a call for each block" in caplog.text


def test_a_block_inside_of_its_own_leaves_nothing_behind(seen: Capture) -> None:
    """It is no second call, and what comes after both is no part of a call that is over."""
    call = otel_ml.inference("fraud")
    with call, call:
        pass
    with otel_ml.inference("afterwards"):
        pass
    assert [span.name for span in seen.spans] == ["predict fraud", "predict afterwards"]
    assert errors(seen) == {"begin_inference": 1}


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
        with otel_ml.inference("f", features=[[1.0, 8675309.0]], feature_names=["open", "secret"]):
            pass
        assert seen.attributes["ml.input.features"] == '{"open":1.0}'
        assert "8675309" not in str([event.attributes for event in seen.events])


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


def test_a_request_alone_is_linked_to(seen: Capture) -> None:
    """By its span, its context or its id, without a list around it."""
    request = seen.tracer_provider.get_tracer("web").start_span("1")
    context = request.get_span_context()
    for links in (request, context, f"00-{context.trace_id:032x}-{context.span_id:016x}-01"):
        alone: Any = links
        with otel_ml.inference("fraud", links=alone):
            pass
        assert [link.context.span_id for link in seen.spans[-1].links] == [context.span_id]


def test_the_name_of_the_only_column_may_be_a_text(told_all: Capture) -> None:
    """It is not as many names as it has letters."""
    with otel_ml.inference("fraud", features=np.array([[1.0]]), feature_names="age"):
        pass
    assert told_all.attributes["ml.input.features"] == '{"age":1.0}'
    assert told_all.attributes["ml.validation.result"] == "pass"


@pytest.mark.parametrize("kind", [scipy.sparse.dok_matrix, scipy.sparse.dok_array])
def test_a_matrix_that_is_a_mapping_is_no_sample(seen: Capture, kind: Any) -> None:
    """Scipy's dictionary of keys extends Python's; its samples and features are those of its shape."""
    with otel_ml.inference("fraud", features=kind(np.array([[0.0, 1.5, 0.0], [0.0, 0.0, 2.0]]))):
        pass
    assert seen.attributes["ml.batch.size"] == 2
    assert seen.attributes["ml.input.feature.count"] == 3
    assert seen.attributes["ml.validation.result"] == "pass"


@pytest.mark.parametrize("number", [0.5, 1, np.float32(0.5), np.array(0.5)])
def test_a_number_is_a_sample_of_one_value(told_all: Capture, number: Any) -> None:
    """As a text is: a model of a single feature is given one."""
    with otel_ml.inference("demand", features=number, feature_names="hour"):
        pass
    assert told_all.attributes["ml.batch.size"] == 1
    assert json.loads(told_all.attributes["ml.input.features"]) == {"hour": float(number)}


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


def test_the_age_is_that_of_the_oldest_call_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twenty that began one second after another the first, for it is the one that hangs."""
    clock = iter(range(100, 120))
    monkeypatch.setattr("otel_ml.recorder.perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr("otel_ml.record.under_way.perf_counter", lambda: 120.5)
    with capture(Settings(capture_nested=True)) as seen, ExitStack() as calls:
        for _ in range(20):
            calls.enter_context(otel_ml.inference("slow"))
        (active,) = seen.metric("ml.inference.active")
        (age,) = seen.metric("ml.inference.oldest.age")
        assert (active.value, age.value) == (20, 20.5)
